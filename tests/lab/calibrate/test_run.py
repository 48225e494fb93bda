"""From an index to a result, with made-up strengths instead of voxels."""

from __future__ import annotations

import dataclasses
import shutil
import zlib

import pytest

from dvdup.cache import open_cache
from dvdup.commands.gc import gc
from dvdup.compare.pair import Seen
from dvdup.config import load_config
from dvdup.errors import DvdupError, InputError
from dvdup.lab.calibrate import Options, calibrate
from dvdup.records import Hooks
from dvdup.workspace import Workspace


@pytest.fixture
def asked(monkeypatch):
    """Made-up strengths; the list of what was measured."""
    seen = []

    def strangers(order):
        seen.append(order.pair)
        if order.pair == (("train", "s00"), ("train", "s32")):
            return Seen(7.5)
        return Seen(2 + zlib.crc32(repr(order.pair).encode()) % 1000 / 1000)

    def copies(order):
        seen.append(order.case.key)
        return tuple(7 + i / 10 for i, _ in enumerate(order.edits))

    monkeypatch.setattr("dvdup.lab.calibrate.run.measure_pair", strangers)
    monkeypatch.setattr("dvdup.lab.calibrate.work.copies", copies)
    monkeypatch.setattr("dvdup.lab.calibrate.run.open_cache", _forgetful)
    return seen


class _forgetful:  # noqa: N801 - stands for a function
    """A cache that remembers nothing."""

    def __init__(self, folder, salt):
        pass

    def __enter__(self):
        from dvdup.cache import Cache

        return Cache(None, "")

    def __exit__(self, *error):
        pass


def workspace(root, **overrides):
    settings = {"embedder": "thumbnail", "jobs": 1, **overrides}
    return Workspace(load_config(config=None, cwd=root, environ={}, overrides=settings))


def test_strangers_and_copies_make_a_threshold(indexed, asked):
    done = calibrate(workspace(indexed), Options())
    assert done.fitted.extrapolated
    assert done.strengths.stranger.max() < done.threshold < 7.0
    assert len(done.strengths.copy) == 4 * 33
    assert done.before == 5.0
    assert done.table()["cases"] == done.table()["null_cases"] == 33


def test_what_is_called_a_copy_is_no_stranger_and_is_named(indexed, asked):
    done = calibrate(workspace(indexed), Options())
    assert [(*pair.labels, pair.strength) for pair in done.left_out] == [
        ("train/s00", "train/s32", 7.5)
    ]
    trusted = calibrate(workspace(indexed), Options(all_strangers=True))
    assert trusted.left_out == ()
    assert trusted.strengths.stranger.max() == 7.5
    related = calibrate(workspace(indexed), Options(groups="id % 32"))
    assert related.left_out == ()
    assert related.strengths.n_groups == 32


def test_what_is_a_copy_goes_by_the_threshold_in_force(indexed, asked, monkeypatch):
    monkeypatch.setattr("dvdup.lab.calibrate.run._in_force", lambda config, meta: 7.6)
    done = calibrate(workspace(indexed), Options())
    assert (done.before, done.left_out) == (7.6, ())


def test_the_same_again_is_the_same(indexed, asked):
    one, two = (calibrate(workspace(indexed), Options(seed=3)) for _ in range(2))
    assert dataclasses.replace(one, strengths=two.strengths) == two


def test_what_was_measured_stays_when_the_index_is_tidied(indexed, asked, monkeypatch, tmp_path):
    monkeypatch.setattr("dvdup.lab.calibrate.run.open_cache", open_cache)
    root = shutil.copytree(indexed, tmp_path / "data")
    first = calibrate(workspace(root), Options())
    measured = len(asked)
    assert measured > 0
    wastes = {waste.what for waste in gc(workspace(root)).wastes}
    assert "answers about no case" not in wastes
    again = calibrate(workspace(root), Options())
    assert again.threshold == first.threshold
    assert len(asked) == measured


def test_stopping_says_how_far_it_came(indexed, asked):
    hooks = Hooks(should_stop=lambda: len(asked) >= 5)
    with pytest.raises(DvdupError, match="after 5 of"):
        calibrate(workspace(indexed), Options(), hooks)


def test_files_that_cannot_be_read_are_named(indexed, asked, monkeypatch):
    monkeypatch.setattr(
        "dvdup.lab.calibrate.work.copies",
        lambda order: None if order.case.case_id == "s05" else (7.0,) * 4,
    )
    assert calibrate(workspace(indexed), Options()).unreadable == ("train/s05",)
    monkeypatch.setattr("dvdup.lab.calibrate.work.copies", lambda order: None)
    with pytest.raises(InputError, match="at least 30 groups"):
        calibrate(workspace(indexed), Options())


def test_without_voxels_there_is_nothing_to_calibrate(indexed):
    with pytest.raises(InputError, match=r"verify\.candidates is 0"):
        calibrate(workspace(indexed, **{"verify.candidates": 0}), Options())
