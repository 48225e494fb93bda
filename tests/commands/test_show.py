"""What `show` says about a pair, where it gets the scans, and where the picture goes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dvdup.commands import history
from dvdup.commands.show import free_name, show
from dvdup.config import load_config
from dvdup.errors import InputError
from dvdup.sync import build
from dvdup.workspace import Workspace

HEAD = 70
"""Rows of a picture that hold no pixels of a scan, at least."""


@pytest.fixture
def workspace(dataset, monkeypatch) -> Workspace:
    """The dataset, not indexed yet, as the working folder."""
    monkeypatch.chdir(dataset.root)
    return Workspace(load_config(config=None, cwd=dataset.root, environ={}, overrides={"jobs": 1}))


@pytest.fixture
def indexed(workspace) -> Workspace:
    build.sync(workspace)
    return workspace


def redness(png: bytes) -> float:
    """How much colour there is where the difference is drawn; 0 if there is none."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    left = picture.width // 2
    panel = np.asarray(picture).astype(int)[HEAD:, left : left + picture.width // 4]
    panel = panel[panel.max(axis=-1) > 100]  # neither ground nor what b does not show
    return float(np.abs(panel[:, 0] - panel[:, 2]).mean())


def test_a_copy_and_a_stranger(indexed, dataset, save, phantom):
    noise = np.random.default_rng(0).normal(0, 20, (40, 44, 36))
    save(dataset.root / "test/leak.nii.gz", (phantom(3) + noise).astype(np.float32))
    build.sync(indexed)
    copy, stranger = (show(indexed, "train/p03", name) for name in ("test/leak", "test/p15"))
    assert copy.words[0].startswith("train/p03 and test/leak: near (confidence ")
    assert "offset +0 mm, scale 1.00; 100 % of them lie on that line" in copy.words[2]
    assert stranger.words[0].startswith("train/p03 and test/p15: no copy (confidence ")
    assert "a copy has 5.0 or more; local correlation" in stranger.words[1]
    assert " match " in copy.words[2]
    assert " match " not in stranger.words[2]  # failed before: strangers in one pose "matched"
    assert redness(copy.picture()) < 20 < 40 < redness(stranger.picture())
    assert copy.picture() == show(indexed, "train/p03", "test/leak").picture()


def test_the_placement_is_that_of_the_voxels(indexed, dataset, save, phantom):
    """A crop and a mirror image: what lies where in b is found, not taken from the header."""
    save(dataset.root / "test/crop.nii.gz", np.ascontiguousarray(phantom(3)[::-1, 8:, :]))
    shown = show(indexed, "train/p03", "test/crop.nii.gz")
    assert "mirrored left-right" in shown.words[0]
    assert np.linalg.det(shown.place[:3, :3]) == pytest.approx(-1, abs=0.05)
    assert shown.place[1, 3] == pytest.approx(-4 * 3.0, abs=0.7)
    assert redness(shown.picture()) < 20


def test_where_a_proxy_ends_behind_the_scan(indexed, dataset, save, phantom):
    """129 voxels become 43 blocks of 3, 130 become 44: the centres of proxies lie elsewhere."""
    long = phantom(30, (130, 40, 36))
    save(dataset.root / "long.nii.gz", long, (1.0, 3.0, 3.0))
    save(dataset.root / "less.nii.gz", long[1:].copy(), (1.0, 3.0, 3.0))
    shown = show(indexed, "long.nii.gz", "less.nii.gz")
    assert shown.place[0, 3] == pytest.approx(-0.5, abs=0.35)


@pytest.mark.parametrize("how", ["gone", "changed"])
def test_without_its_file_the_proxy_is_shown(indexed, dataset, how):
    leak = dataset.put("test/leak.nii.gz", 3)
    build.sync(indexed)
    if how == "gone":
        leak.unlink()
    else:
        leak.write_bytes((dataset.root / "train/p07.nii.gz").read_bytes())
    shown = show(indexed, "train/p03", "test/leak")
    assert shown.words[0].endswith("identical (confidence 1.00): same voxels")
    note = "note: the files of test/leak are gone or changed; its small copy in the index is shown"
    assert shown.words[-1] == note
    assert len(shown.words) == 4
    assert redness(shown.picture()) < 20


def test_a_case_as_it_was(indexed, dataset):
    history.tag(indexed, "v1")
    dataset.put("train/p03.nii.gz", 22)
    build.sync(indexed)
    shown = show(indexed, "train@v1/p03", "train/p03")
    assert ": no copy" in shown.words[0]
    assert shown.words[-1].startswith("note: the files of train@v1/p03 are gone or changed")
    kept = show(indexed, "train@v1/p05", "test/p15")
    assert len(kept.words) == 3


def test_files_need_no_index(workspace, dataset):
    dataset.put("other/copy.nii.gz", 3)
    shown = show(workspace, "train/p03.nii.gz", "other/copy.nii.gz")
    assert ": identical (confidence 1.00): same voxels" in shown.words[0]
    assert shown.matrix is not None
    assert not (dataset.root / ".dvdup").exists()


def test_a_case_against_a_file(indexed, dataset):
    dataset.put("other/copy.nii.gz", 3)
    assert ": identical" in show(indexed, "train/p03", "other/copy.nii.gz").words[0]
    assert ": no copy" in show(indexed, "other/copy.nii.gz", "test/p15").words[0]


def test_one_file_in_two_splits_is_two_cases(indexed, dataset):
    (dataset.root / "dvdup.toml").write_text(
        'embedder = "thumbnail"\n[dataset]\nlayout = "folders"\n'
        '[dataset.splits]\ntrain = "train"\ntest = ["test", "train/p03.nii.gz"]\n'
    )
    config = load_config(config=None, cwd=dataset.root, environ={}, overrides={})
    build.sync(Workspace(config))
    assert ": identical" in show(Workspace(config), "train/p03", "test/train/p03").words[0]


def test_scans_that_hold_nothing_are_drawn(workspace, dataset, save):
    for name in ("a.nii", "b.nii"):
        save(dataset.root / name, np.full((20, 20, 20), 7, np.int16))
    shown = show(workspace, "a.nii", "b.nii")
    assert ": no verdict" in shown.words[0]
    assert shown.matrix is None
    assert shown.picture()
    assert shown.terminal(60)


def test_of_several_channels_the_most_similar_are_compared(workspace, dataset, save, phantom):
    both = np.stack([phantom(20), phantom(21)], axis=-1)
    save(dataset.root / "both.nii.gz", both)
    dataset.put("one.nii.gz", 21)
    shown = show(workspace, "both.nii.gz", "one.nii.gz")
    assert "same voxels in 1 of 2 channels" in shown.words[0]
    assert shown.words[1].startswith("voxels: strength 8.7")
    assert np.array_equal(shown.scans[0].values, phantom(21).astype(np.float32))


def truncated(root: Path) -> str:
    file = root / "bad.nii.gz"
    file.write_bytes((root / "train/p03.nii.gz").read_bytes()[:500])
    return "bad.nii.gz"


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ("train/p03", "train/p03", "train/p03 and train/p03 are one scan"),
        ("train/p03", "train/p03.nii.gz", "train/p03 and train/p03.nii.gz are one scan"),
        ("train/p03.nii.gz", "./train/p03.nii.gz", "are one scan"),
        ("train/p03", "train/p99", "no case 'p99' in train; did you mean train/p0"),
        ("train/p03", "trian/p03", "no file 'trian/p03', and no split 'trian' in the index; there"),
        ("p03", "test/p15", "did you mean train/p03?"),
        ("train/p03", "train", "train holds 14 scans; name one of them"),
        ("train/p03", truncated, "bad.nii.gz cannot be shown: bad.nii.gz: "),
    ],
)
def test_what_cannot_be_shown_is_said(indexed, dataset, a, b, said):
    with pytest.raises(InputError) as error:
        show(indexed, a, b(dataset.root) if callable(b) else b)
    assert said in str(error.value)


def test_a_case_without_an_index(workspace):
    with pytest.raises(InputError, match=r"no file 'test/p15', and no index whose case it could"):
        show(workspace, "train/p03.nii.gz", "test/p15")


@pytest.mark.parametrize(
    ("titles", "name"),
    [
        (("train/p03", "test/p15"), "train_p03-test_p15.png"),
        (("train@v1/a b:c", "..\\x/Ä"), "train@v1_a_b_c-x_Ä.png"),
        (("///", "."), "scan-{folder}.png"),
        (("sub/scan.nii.gz", "sub"), "scan-sub.png"),
        (("x" * 300, "y"), "x" * 80 + "-y.png"),
    ],
)
def test_names_of_pictures(tmp_path, monkeypatch, titles, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/scan.nii.gz").touch()
    assert str(free_name(Path(), titles, b"")) == name.format(folder=tmp_path.name)


def test_no_other_picture_is_overwritten(tmp_path):
    names = [("a", "b"), ("a", "b"), ("a", "b")]
    for titles, png in zip(names, (b"one", b"two", b"one"), strict=True):
        free_name(tmp_path, titles, png).write_bytes(png)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a-b-2.png", "a-b.png"]
