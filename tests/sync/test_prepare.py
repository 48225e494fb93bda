"""One case from disk to slices: what becomes of channels, and of what goes wrong."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from dvdup import readers, slicing
from dvdup.records import Case, FileStat
from dvdup.slicing import make_recipe
from dvdup.sync.prepare import prepare

RECIPE = make_recipe(size=32)


@pytest.fixture
def ready(tmp_path, save):
    """Save voxels as a scan and prepare it."""

    def run(values, spacing=(3.0, 3.0, 3.0), recipe=RECIPE, **case):
        save(tmp_path / "a.nii", values, spacing)
        stats = (FileStat("a.nii", 1, 1, "hash"),)
        return prepare(tmp_path, Case("train", "a", ("a.nii",), **case), stats, recipe)

    return run


def test_a_scan(ready, phantom):
    done = ready(phantom(1), group="g")
    case = done.case
    assert (case.key, case.group, case.status, case.reason) == (("train", "a"), "g", "ok", "")
    assert case.files == (FileStat("a.nii", 1, 1, "hash"),)
    assert (case.shape, case.spacing, case.n_channels) == ((40, 44, 36), (3.0, 3.0, 3.0), 1)
    assert len(case.voxel_hashes) == 1
    assert len(done.stack) > 30
    proxy = np.frombuffer(zlib.decompress(case.proxy), np.uint8).reshape(case.proxy_shape)
    assert proxy.shape == (1, 40, 44, 36)
    assert np.corrcoef(proxy[0].ravel(), phantom(1).ravel())[0, 1] > 0.99


def test_every_channel_is_hashed_and_sliced(ready, phantom):
    values = np.stack([phantom(seed) for seed in (1, 2, 3, 4)], axis=3)
    done = ready(values)
    assert done.case.n_channels == 4
    assert done.case.proxy_shape == (4, 40, 44, 36)
    assert sorted(set(done.stack.channel.tolist())) == [0, 1, 2, 3]
    alone = [ready(phantom(seed)).case.voxel_hashes[0] for seed in (1, 2, 3, 4)]
    assert list(done.case.voxel_hashes) == alone


def test_of_a_time_series_all_frames_count_for_the_content_and_three_are_sliced(ready, phantom):
    frames = [phantom(1, (12, 12, 12)) + t for t in range(11)]
    done = ready(np.stack(frames, axis=3))
    assert set(done.stack.channel.tolist()) == {0, 5, 10}
    assert done.case.n_channels == 11
    assert done.case.proxy_shape[0] == 3
    assert len(done.case.voxel_hashes) == 11
    said = "the first, middle and last are compared, the other 8 by their voxel hash only"
    assert done.case.notes == (f"time series of 11 volumes: {said}",)
    frames[3] = frames[3] + 0.5
    assert ready(np.stack(frames, axis=3)).case.content != done.case.content


@pytest.mark.parametrize("n", [8, 9, 12, 20])
def test_of_volumes_that_are_different_scans_up_to_twelve_are_sliced(ready, phantom, n):
    done = ready(np.stack([phantom(seed, (16, 18, 20)) for seed in range(n)], axis=3))
    voting = min(n, 12)
    assert len(set(done.stack.channel.tolist())) == done.case.proxy_shape[0] == voting
    assert len(done.case.voxel_hashes) == n
    said = "12 of them are compared, the other 8 by their voxel hash only"
    assert done.case.notes == ((f"20 volumes that differ: {said}",) if n > 12 else ())


def test_a_constant_channel_has_no_hash_and_no_slice(ready, phantom):
    done = ready(np.stack([phantom(1), np.zeros_like(phantom(1))], axis=3))
    assert (done.case.n_channels, len(done.case.voxel_hashes)) == (2, 1)
    assert set(done.stack.channel.tolist()) == {0}


def test_an_empty_scan_is_unchecked(ready):
    done = ready(np.zeros((9, 9, 9), np.int16))
    assert (done.stack, done.case.status, done.case.voxel_hashes) == (None, "unchecked", ())
    assert done.case.reason.startswith("no informative slice")
    assert done.case.content


def test_the_content_is_what_changes_the_slices(ready, phantom):
    one = ready(phantom(1)).case.content
    assert ready(phantom(1).astype(np.float64), group="g").case.content == one
    assert ready(phantom(1), (3.0, 3.0, 4.0)).case.content != one
    assert ready(phantom(2)).case.content != one


@pytest.mark.parametrize("data", [b"", b"no scan at all" * 99])
def test_a_scan_that_cannot_be_read_is_data(tmp_path, data):
    (tmp_path / "a.nii").write_bytes(data)
    stats = (FileStat("a.nii", len(data), 1),)
    done = prepare(tmp_path, Case("train", "a", ("a.nii",)), stats, RECIPE)
    assert (done.case.status, done.stack, done.case.content) == ("unreadable", None, "")
    assert done.case.reason.startswith("a.nii")
    assert done.case.files == stats


@pytest.mark.parametrize("where", [(readers, "read_volume"), (slicing, "slice_channel")])
def test_a_scan_too_big_for_this_machine_is_data(ready, phantom, monkeypatch, where):
    def exhausted(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(*where, exhausted)
    done = ready(phantom(1))
    assert done.case.status == "unreadable"
    assert "memory" in done.case.reason


def test_what_goes_wrong_after_reading_is_told_of_that_scan(ready, phantom, monkeypatch):
    def wrong(*args, **kwargs):
        raise ValueError("a bug")

    monkeypatch.setattr(slicing, "slice_channel", wrong)
    done = ready(phantom(1))
    assert done.case.status == "unreadable"
    assert "(ValueError: a bug)" in done.case.reason
