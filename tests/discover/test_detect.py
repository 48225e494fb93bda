"""What `dvdup init` takes a folder for."""

from __future__ import annotations

import pytest

from dvdup import config, discover
from dvdup.errors import InputError


@pytest.mark.parametrize(
    ("files", "layout"),
    [
        (("train/a.nii.gz", "test/b.nii.gz"), "folders"),
        (("imagesTr/a.nii.gz", "imagesTs/b.nii.gz"), "msd"),
    ],
)
def test_layouts(touch, detect, files, layout):
    touch(*files)
    found = detect()
    assert found.dataset.layout == layout
    assert "2 scans (1 in test, 1 in train)" in found.notes[0]


def test_a_table(touch, tmp_path, detect):
    touch("a.nii.gz", "b.nii.gz")
    (tmp_path / "other.csv").write_text("x,y\n1,2\n")
    (tmp_path / "splits.csv").write_text("path,split\na.nii.gz,train\nb.nii.gz,test\n")
    found = detect()
    assert (found.dataset.layout, found.dataset.csv) == ("csv", "splits.csv")


def test_every_layout_of_the_settings_has_a_row():
    assert {layout.name for layout in discover.LAYOUTS} == set(config.LAYOUTS) - {"auto"}


def test_none(touch, detect):
    touch("stuff/a.nii.gz")
    with pytest.raises(InputError, match="laid out in no way that dvdup knows"):
        detect()
