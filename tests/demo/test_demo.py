"""The demo dataset: the same bytes on every run, copies that are what they are said to be."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from dvdup.demo import write_demo
from dvdup.errors import InputError


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[Path, tuple[str, ...]]:
    """The demo, written once, and what it says of itself."""
    folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
    return folder, write_demo(folder)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.blake2b(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def scan(folder: Path, name: str) -> nib.spatialimages.SpatialImage:
    (file,) = folder.glob(f"{name}.*")
    return nib.load(file)


def in_ras(image) -> np.ndarray:
    return np.asanyarray(nib.as_closest_canonical(image).dataobj)


def test_files(demo):
    folder, _ = demo
    names = list(digests(folder))
    assert names.pop(names.index("dvdup.toml"))
    assert [sum(n.startswith(split) for n in names) for split in ("train/", "val/", "test/")] == [
        24, 6, 10,
    ]  # fmt: skip
    assert len(names) == 40
    assert sum((folder / name).stat().st_size for name in names) < 12_000_000


def test_the_same_bytes_again_over_an_earlier_demo(demo, tmp_path):
    folder, told = demo
    again = shutil.copytree(folder, tmp_path / "again")
    for file in again.glob("*/*"):
        file.write_bytes(b"spoilt")
    assert write_demo(again) == told
    assert digests(again) == digests(folder)


def test_what_it_says(demo):
    _, told = demo
    assert told[0] == "40 scans of 33 made-up persons, 7 copies among them:"
    assert [line.split(",")[0] for line in told[1:]] == [
        "  test/scan-31 is train/scan-03",
        "  test/scan-33 is train/scan-08",
        "  test/scan-34 is train/scan-13",
        "  test/scan-35 is train/scan-15",
        "  test/scan-37 is train/scan-18",
        "  test/scan-38 is train/scan-21",
        "  test/scan-39 is val/scan-27",
    ]


@pytest.mark.parametrize(
    ("copy", "source"), [("31", "train/scan-03"), ("33", "train/scan-08"), ("34", "train/scan-13")]
)
def test_exact_copies_hold_the_same_voxels(demo, copy, source):
    folder, _ = demo
    one, other = scan(folder, f"test/scan-{copy}"), scan(folder, source)
    assert np.array_equal(in_ras(one), in_ras(other))
    assert Path(one.get_filename()).read_bytes() != Path(other.get_filename()).read_bytes()


def test_the_reoriented_copy_is_stored_otherwise_and_lies_where_it_lay(demo):
    folder, _ = demo
    one, other = scan(folder, "test/scan-33"), scan(folder, "train/scan-08")
    assert nib.aff2axcodes(one.affine) == ("P", "S", "L")
    assert one.shape != other.shape
    assert nib.as_closest_canonical(one).affine == pytest.approx(other.affine)


@pytest.mark.parametrize(
    ("copy", "source"), [("35", "train/scan-15"), ("38", "train/scan-21"), ("39", "val/scan-27")]
)
def test_processed_copies_resemble_their_source_and_differ(demo, copy, source):
    folder, _ = demo
    one, other = in_ras(scan(folder, f"test/scan-{copy}")), in_ras(scan(folder, source))
    assert one.shape == other.shape
    assert 0.8 < np.corrcoef(one.ravel(), other.ravel())[0, 1] < 0.9999


def test_the_cropped_copy_is_a_piece(demo):
    folder, _ = demo
    one, other = in_ras(scan(folder, "test/scan-37")), in_ras(scan(folder, "train/scan-18"))
    assert all(n < m for n, m in zip(one.shape, other.shape, strict=True))
    windows = np.lib.stride_tricks.sliding_window_view(other, one.shape)
    assert (windows[..., :3, :3, 0] == one[:3, :3, 0]).all(axis=(-1, -2)).any()


def test_persons_differ(demo):
    folder, _ = demo
    seen = [scan(folder, f"train/scan-{n:02}").shape for n in range(1, 25)]
    assert len(set(seen)) > 12
    heads, trunks = scan(folder, "train/scan-01"), scan(folder, "train/scan-02")
    assert np.asanyarray(heads.dataobj).min() > -200
    assert np.asanyarray(trunks.dataobj).min() < -900


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="is not empty; name a folder that is empty or new"):
        write_demo(tmp_path)
    (tmp_path / "dvdup.toml").write_text('embedder = "thumbnail"\n')
    with pytest.raises(InputError, match="is not empty"):
        write_demo(tmp_path)
    with pytest.raises(InputError, match=r"mine.txt is a file; name a folder"):
        write_demo(tmp_path / "mine.txt")
    with pytest.raises(InputError, match=r"the demo cannot be written"):
        write_demo(tmp_path / "mine.txt/deeper")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dvdup.toml", "mine.txt"]
