"""Changed slices that are kept: named by what changes them, few of each plane, read once."""

from __future__ import annotations

import os

import numpy as np
import pytest

from dvdup import pipeline, slicing
from dvdup.config import load_config
from dvdup.pipeline import kept, looks, missed
from dvdup.pipeline.kept import CROPS, LOOKS, Kept, change
from dvdup.pipeline.refs import find_ref
from dvdup.records import SliceStack


@pytest.fixture
def workspace(dataset):
    config = load_config(config=None, cwd=dataset.root, environ={}, overrides={})
    found = pipeline.Workspace(config)
    pipeline.sync(found)
    return found


def of(workspace) -> Kept:
    return Kept(workspace.sealed, workspace, workspace.open_index().meta)


@pytest.mark.parametrize("kind", [LOOKS, CROPS])
def test_every_change_of_every_slice_is_read_back(workspace, kind):
    cases = find_ref(workspace.open_index(), "test").voting
    mine = of(workspace)
    assert mine.files(kind, cases) == {}
    mine.make([(kind, cases)])
    files = mine.files(kind, cases)
    assert list(files) == sorted(case.key for case in cases)
    for case in cases:
        found = mine.load(files[case.key], kind)
        assert tuple(found.rows) == kind.changes
        shapes = {rows.shape for rows in found.rows.values()}
        assert len(shapes) == 1
        assert shapes.pop()[0] == len(found.plane) == len(found.channel) > 0


def test_a_scan_is_read_once_for_all_that_is_made_of_it(workspace, monkeypatch):
    cases = find_ref(workspace.open_index(), "test").voting
    reads = []
    whole = missed.readers.read_volume
    monkeypatch.setattr(
        missed.readers, "read_volume", lambda *what: reads.append(what) or whole(*what)
    )
    of(workspace).make([(LOOKS, cases), (CROPS, cases), (CROPS, cases)])
    assert len(reads) == len(cases)


@pytest.mark.parametrize("name", ["_VERSION", "MOST"])
def test_other_rows_are_not_taken_for_those_that_were_kept(workspace, monkeypatch, name):
    case = find_ref(workspace.open_index(), "test").voting[0]
    before = of(workspace)._file(LOOKS, case)
    assert before != of(workspace)._file(CROPS, case)
    monkeypatch.setattr(kept, name, 99)
    assert of(workspace)._file(LOOKS, case) != before


def test_few_slices_of_each_plane_take_part():
    n = 40
    plane = np.repeat([0, 2], n).astype(np.uint8)
    index = np.tile(np.arange(n), 2).astype(np.int32)
    pixels = np.broadcast_to(index.astype(np.uint8)[:, None, None], (2 * n, 8, 8)).copy()
    stack = SliceStack(pixels, np.zeros(2 * n, np.int16), plane, index, index.astype(np.float32))
    found = change(stack, CROPS, lambda changed: changed.pixels[:, 0].astype(np.float32))
    assert np.bincount(found.plane).tolist() == [kept.MOST, 0, kept.MOST]
    middle = found.rows["middle middle"][:, 0]
    assert (middle[0], middle[kept.MOST - 1]) == (0, n - 1)
    assert (middle == found.rows["same"][:, 0]).all()


def test_no_slices_make_no_rows():
    empty = slicing.concatenate([], 8)
    found = change(empty, CROPS, lambda changed: np.zeros((len(changed), 4), np.float32))
    assert found.rows["same"].shape == (0, 4)


def test_what_nobody_needs_is_deleted_once_it_is_old(workspace):
    first, *others = find_ref(workspace.open_index(), "test").voting
    mine = of(workspace)
    mine.make([(LOOKS, [first, *others]), (CROPS, [first])])
    old, young, needed = (
        mine.sealed.path(mine._file(kind, case))
        for kind, case in ((LOOKS, others[0]), (LOOKS, others[1]), (CROPS, first))
    )
    foreign = needed.with_name("notes.txt")
    foreign.touch()
    for file in (old, needed, foreign):
        os.utime(file, (0, 0))
    mine.prune((LOOKS, CROPS), [first])
    assert not old.exists()
    assert all(file.exists() for file in (young, needed, foreign))


@pytest.mark.parametrize("changes", [True, False])
def test_a_check_that_finds_news_tidies_up(workspace, dataset, changes):
    """A check without news looks at nothing but the index and the stored result."""
    folder = workspace.folder / "cache/looks"
    folder.mkdir(parents=True)
    forgotten = folder / f"{0:032x}.npz"
    forgotten.touch()
    os.utime(forgotten, (0, 0))
    if changes:
        next((dataset.root / "test").glob("*.nii.gz")).unlink()
    pipeline.check(workspace)
    assert forgotten.exists() != changes


def test_tidying_makes_no_folder(workspace):
    next((workspace.root / "test").glob("*.nii.gz")).unlink()
    pipeline.sync(workspace)
    looks.Looking(workspace, workspace.open_index().meta).tidy(workspace.open_index().cases)
    assert not (workspace.folder / "cache/looks").exists()
