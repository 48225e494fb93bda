"""Versions against each other, swaps that were killed, and scans without a vote."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from dvdup import store


def pairs(ran) -> set[tuple[str, str, str]]:
    return {
        (f"{p['a']['split']}/{p['a']['case']}", f"{p['b']['split']}/{p['b']['case']}", p["verdict"])
        for p in ran.json["pairs"]
    }


@pytest.fixture
def synced(dataset, dvdup):
    """The clean dataset, indexed and tagged v1."""
    dvdup(dataset.root, "sync", "-q")
    dvdup(dataset.root, "tag", "v1", "-q")
    return dataset


@pytest.mark.parametrize(("victim", "source"), [(2, 9), (9, 2)])
def test_a_case_that_became_another_one_is_a_copy_of_what_was_there(synced, dvdup, victim, source):
    """Whichever of the two names is the smaller one."""
    synced.put(f"train/p{victim:02}.nii.gz", source)
    dvdup(synced.root, "sync", "-q")
    ran = dvdup(synced.root, "diff", "train@v1", "train", "-f", "json")
    assert ran.code == 1
    assert pairs(ran) == {(f"train/p{source:02}", f"train/p{victim:02}", "identical")}


def test_a_noisy_one_is_found_both_ways_round(synced, dvdup, save, phantom):
    for victim, source in ((2, 9), (11, 4)):
        noisy = phantom(source) + np.random.default_rng(0).normal(size=(40, 44, 36)) * 20
        save(synced.root / f"train/p{victim:02}.nii.gz", noisy.astype(np.int16))
    dvdup(synced.root, "sync", "-q")
    ran = dvdup(synced.root, "diff", "train@v1", "train", "-f", "json")
    assert pairs(ran) == {
        ("train/p09", "train/p02", "near"),
        ("train/p04", "train/p11", "near"),
    }


def test_a_version_and_itself_give_each_pair_once(synced, dvdup):
    synced.put("train/copy.nii.gz", 3)
    dvdup(synced.root, "sync", "-q")
    dvdup(synced.root, "tag", "v2", "-q")
    expected = {("train/copy", "train/p03", "identical")}
    for refs in (("train", "train"), ("train@v2", "train@v2")):
        assert pairs(dvdup(synced.root, "diff", *refs, "-f", "json")) == expected
    since = dvdup(synced.root, "diff", "train@v2", "train", "-f", "json")
    assert since.json["pairs"] == []  # nothing came
    assert since.code == 0


def test_nothing_new_since_a_tag_is_clean(synced, dvdup):
    assert dvdup(synced.root, "diff", "train@v1", "train").code == 0


# A swap that was killed between its two steps


@pytest.fixture
def killed_swap(synced, dvdup):
    """The old index moved away, the new one not yet in its place; one case was added by hand."""
    synced.put("elsewhere/extra.nii.gz", 21)
    dvdup(synced.root, "add", "elsewhere/extra.nii.gz", "--split", "train", "-q")
    index = synced.root / ".dvdup/index"
    index.rename(index.with_name("index.old"))
    return synced


@pytest.mark.parametrize(
    "command",
    [
        ("add", "elsewhere/extra.nii.gz", "--split", "train"),
        ("sync",),
        ("sync", "--rebuild", "--yes"),
        ("check",),
        ("tag", "v9"),
        ("rm", "test/p19"),
    ],
    ids=" ".join,
)
def test_every_writing_command_brings_the_old_index_back(killed_swap, dvdup, command):
    ran = dvdup(killed_swap.root, *command)
    assert ran.code == 0, ran.stderr
    index = store.Index(killed_swap.root / ".dvdup")
    assert ("train", "extra") in {case.key for case in index.cases}
    assert ("train", "p00") in {case.key for case in index.cases}
    if "--rebuild" not in command:
        assert "v1" in store.tags(index)
    assert not (killed_swap.root / ".dvdup/index.old").exists()


def test_a_rebuild_that_was_stopped_goes_on(synced, dvdup, monkeypatch):
    """What it had finished stays finished, and the old index serves until then."""
    from dvdup.config import load_config
    from dvdup.errors import Interrupted
    from dvdup.records import Hooks
    from dvdup.sync import build
    from dvdup.workspace import Workspace

    monkeypatch.chdir(synced.root)
    config = load_config(
        config=None, cwd=synced.root, environ={}, overrides={"slicing.spacing_mm": 4.0, "jobs": 1}
    )
    seen: list[int] = []
    hooks = Hooks(
        progress=lambda what, done, total: seen.append(done),
        should_stop=lambda: 7 in seen,
    )
    with pytest.raises(Interrupted):
        build.sync(Workspace(config), rebuild=True, confirm=lambda loss: True, hooks=hooks)
    assert dvdup(synced.root, "diff", "train", "test").code == 0
    done = build.sync(Workspace(config), rebuild=True, confirm=lambda loss: True)
    assert (done.embedded, done.unchanged) == (13, 7)
    assert not (synced.root / ".dvdup/rebuild").exists()


# Scans without a vote


@pytest.fixture
def with_empty(synced, dvdup, save):
    """One scan of train holds nothing."""
    save(synced.root / "train/empty.nii.gz", np.zeros((20, 20, 20), np.int16))
    dvdup(synced.root, "sync", "-q")
    return synced


def test_an_empty_scan_is_reported_as_not_checked(with_empty, dvdup):
    ran = dvdup(with_empty.root, "diff", "train", "test", "-f", "json")
    assert ran.code == 2
    assert [(u["case"], u["reason"][:20]) for u in ran.json["unreadable"]] == [
        ("empty", "no informative slice")
    ]
    assert dvdup(with_empty.root, "diff", "train", "test", "--allow-unreadable").code == 0


def test_an_empty_scan_can_be_moved_and_copied(with_empty, dvdup):
    (with_empty.root / "train/empty.nii.gz").rename(with_empty.root / "test/other.nii.gz")
    ran = dvdup(with_empty.root, "sync")
    assert "1 renamed" in ran.stderr, ran.stderr
    shutil.copy(with_empty.root / "test/other.nii.gz", with_empty.root / "train/again.nii.gz")
    ran = dvdup(with_empty.root, "sync")
    assert "1 reused" in ran.stderr, ran.stderr
    assert dvdup(with_empty.root, "status", "--verify").code == 0


def test_two_empty_scans_are_no_copies(with_empty, dvdup):
    shutil.copy(with_empty.root / "train/empty.nii.gz", with_empty.root / "test/empty.nii.gz")
    dvdup(with_empty.root, "sync", "-q")
    ran = dvdup(with_empty.root, "diff", "train", "test", "-f", "json")
    assert ran.json["pairs"] == []
    assert len(ran.json["unreadable"]) == 2
