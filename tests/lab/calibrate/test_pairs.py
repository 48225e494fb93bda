"""Who is compared with whom, who is edited how."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from dvdup import edits
from dvdup.cache import Cache
from dvdup.compare.missed import Missed
from dvdup.compare.refs import whole
from dvdup.compare.walk import open_candidates
from dvdup.config import load_config
from dvdup.errors import InputError
from dvdup.lab.calibrate.pairs import choose, edits_of, stranger_pairs
from dvdup.lab.calibrate.run import gathered
from dvdup.records import Hooks
from dvdup.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(indexed):
    config = load_config(
        config=None, cwd=indexed, environ={}, overrides={"embedder": "thumbnail", "jobs": 1}
    )
    return Workspace(config)


@pytest.fixture(scope="module")
def ref(workspace):
    return whole(workspace.open_index())


@pytest.fixture
def candidates(workspace):
    with open_candidates(workspace, Cache(None, ""), 1, Missed(), Hooks()) as found:
        yield found


def test_without_groups_every_case_is_its_own(ref):
    chosen = choose(ref, None, None)
    assert len(chosen.keys) == len(chosen.codes) == 33


def test_a_rule_and_a_limit(ref):
    chosen = choose(ref, "id % 32", 31)
    assert len(chosen.keys) <= 31
    assert chosen.groups["train", "s00"] == chosen.groups["train", "s32"]
    assert len(chosen.groups) == 33  # of the others the group counts too


@pytest.mark.parametrize(("rule", "most"), [("id // 2", None), (None, 29)])
def test_few_groups_are_refused(ref, rule, most):
    with pytest.raises(InputError, match="at least 30 groups"):
        choose(ref, rule, most)


def test_every_case_has_a_stranger_and_no_relative(ref, candidates):
    alone = stranger_pairs(ref, choose(ref, None, None), candidates)
    assert alone == sorted(set(alone))
    assert all(a < b for a, b in alone)
    assert {key for pair in alone for key in pair} == {case.key for case in ref.voting}
    copy = (("train", "s00"), ("train", "s32"))
    assert copy in alone
    related = stranger_pairs(ref, choose(ref, "id % 32", None), candidates)
    assert copy not in related
    assert {key for pair in related for key in pair} == {case.key for case in ref.voting}


def test_only_pairs_of_chosen_cases_are_compared(ref, candidates):
    chosen = choose(ref, None, 30)
    pairs = stranger_pairs(ref, chosen, candidates)
    assert all(set(pair) & set(chosen.keys) for pair in pairs)
    assert set(chosen.keys) <= {key for pair in pairs for key in pair}


def test_more_misses_are_more_strangers(ref, candidates):
    chosen = choose(ref, "id % 32", None)
    few = stranger_pairs(ref, chosen, candidates)
    more = stranger_pairs(ref, chosen, dataclasses.replace(candidates, misses=3))
    assert set(few) < set(more)


def test_scans_of_equal_voxels_are_copies_whatever_their_groups(ref, candidates):
    """They are walked past: the next case of the list is the stranger."""
    copy = (("train", "s00"), ("train", "s32"))
    hashes = dict.fromkeys(copy, ("h",))
    cases = tuple(
        dataclasses.replace(case, voxel_hashes=hashes.get(case.key, ())) for case in ref.cases
    )
    same = dataclasses.replace(ref, cases=cases)
    found = stranger_pairs(same, choose(same, None, None), candidates)
    assert copy not in found
    assert set(copy) <= {key for pair in found for key in pair}


def test_edits_take_turns():
    plans = edits_of(40, 0)
    assert plans == edits_of(40, 0) != edits_of(40, 1)
    assert {tuple(level for _, level in plan) for plan in plans} == {
        ("mild", "mild", "medium", "medium")
    }
    for level in ("mild", "medium"):
        counts = Counter(name for plan in plans for name, at in plan if at == level)
        assert set(counts) == set(edits.available(level))
        assert max(counts.values()) - min(counts.values()) <= 1


def test_the_best_stranger_of_each_case_counts(ref):
    chosen = choose(ref, None, None)
    keys = chosen.keys
    pairs = {(keys[i], keys[i + 1]): float(i) for i in range(12)}
    found = gathered(chosen, pairs, {keys[0]: (6.0, 7.0, 8.0, 9.0)})
    assert found.stranger[:13].tolist() == [*range(12), 11]
    assert found.stranger[13] == float("-inf")
    assert found.copy_level.tolist() == [0, 0, 1, 1]
    with pytest.raises(InputError, match="nothing to calibrate on"):
        gathered(chosen, dict(list(pairs.items())[:5]), {})
