"""The proposal is free of leaks, keeps what it is told to keep, and is as small as can be."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resplit_cases import tangle

from dvdup.errors import InputError
from dvdup.records import GroupedCase, SplitWish
from dvdup.splits import groups_of, parted, propose

SPLITS = ("train", "val", "test")
NAMES = "abcdef"

small = st.lists(
    st.tuples(st.sampled_from(SPLITS), st.sampled_from("123"), st.sampled_from("xy")),
    min_size=1,
    max_size=6,
)
kept = st.sampled_from([frozenset(), frozenset({"test"}), frozenset({"train"})])


def made(rows):
    return tuple(
        GroupedCase(split, name, group, None, (f"{split}/{name}",), True)
        for name, (split, group, _) in zip(NAMES, rows, strict=False)
    )


def assignments(cases, wish):
    """Every way to place every case that heeds `keep` and `how` and parts no group."""
    choices = []
    for case in cases:
        if case.split in wish.keep:
            choices.append((case.split,))
        elif wish.move:
            choices.append((*(s for s in wish.splits if s not in wish.keep), None))
        else:
            choices.append((case.split, None))
    for targets in product(*choices):
        found: dict[str, set[str]] = {}
        for case, target in zip(cases, targets, strict=True):
            if target is not None:
                found.setdefault(case.group, set()).add(target)
        if all(len(places) == 1 for places in found.values()):
            yield targets


@settings(max_examples=60, deadline=None)
@given(small, kept, st.booleans())
def test_as_few_changes_as_brute_force_finds(rows, keep, move):
    cases = made(rows)
    wish = SplitWish(SPLITS, keep, move)
    fewest = min(
        sum(case.split != target for case, target in zip(cases, targets, strict=True))
        for targets in assignments(cases, wish)
    )
    proposal = propose(cases, wish)
    assert parted(proposal) == []
    assert len(proposal.changes) == proposal.moved + proposal.dropped == fewest
    assert all(proposal.after[case.key] == case.split for case in cases if case.split in keep)
    assert not {proposal.after[case.key] for case in cases if case.split not in keep} & keep
    assert move or proposal.moved == 0


def deviation(cases, after, labels, wish):
    """The most by which a free split is off its share of the free cases, or of a class."""
    free = [split for split in wish.splits if split not in wish.keep]
    before = Counter(case.split for case in cases)
    now = Counter(after[case.key] for case in cases)
    share = {s: before[s] / max(1, sum(before[each] for each in free)) for s in free}
    sizes = max(abs(now[s] - share[s] * sum(now[each] for each in free)) for s in free)
    classes = 0.0
    for split, label in product(free, set(labels.values())):
        had = sum(case.split == split and labels[case.key] == label for case in cases)
        has = sum(after[case.key] == split and labels[case.key] == label for case in cases)
        classes = max(classes, abs(has - had / max(1, before[split]) * now[split]))
    return max(1.0, sizes) + 1e-3, max(1.0, classes) + 1e-3


@settings(max_examples=40, deadline=None)
@given(small, kept, st.booleans(), st.booleans())
def test_sizes_and_classes_are_kept_as_well_as_brute_force_can(rows, keep, sizes, balance):
    """Whole groups go to one split there; each wish is taken in turn."""
    cases = made(rows)
    labels = {case.key: row[2] for case, row in zip(cases, rows, strict=False)}
    wish = SplitWish(SPLITS, keep, sizes=sizes, labels=labels if balance else None)
    scored = []
    for after in whole(cases, wish):
        size, classes = deviation(cases, after, labels, wish)
        changes = sum(after[case.key] != case.split for case in cases)
        scored.append(
            (round(size, 3) if sizes else 0, round(classes, 3) if balance else 0, changes)
        )
    proposal = propose(cases, wish)
    size, classes = deviation(cases, proposal.after, labels, wish)
    best = min(scored)
    assert parted(proposal) == []
    assert (round(size, 3) if sizes else 0) == pytest.approx(best[0], abs=2e-3)
    assert (round(classes, 3) if balance else 0) == pytest.approx(best[1], abs=2e-3)
    assert len(proposal.changes) == best[2]


def whole(cases, wish):
    """Every way to send whole groups to splits."""
    groups = list(groups_of(cases).values())
    free = [split for split in wish.splits if split not in wish.keep]
    choices = []
    for members in groups:
        here = {case.split for case in members}
        forced = sorted(here & wish.keep)
        more = free if wish.sizes or wish.labels is not None else sorted(here)
        choices.append(forced or more)
    for targets in product(*choices):
        after = {}
        for members, target in zip(groups, targets, strict=True):
            for case in members:
                stays = case.split == target or target not in wish.keep
                after[case.key] = target if stays else None
        yield after


@given(small, kept, st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_order_does_not_matter(rows, keep, luck):
    cases = list(made(rows))
    wish = SplitWish(SPLITS, keep, sizes=True)
    before = propose(cases, wish)
    luck.shuffle(cases)
    assert propose(cases, wish) == before


def test_a_tangle_over_three_splits(cases):
    """Groups across all splits, one of them within train too."""
    labels = [f"{split}/{n}" for split in SPLITS for n in range(6)]
    tangled = cases(
        labels,
        ("train/0", "train/1", "val/0", "test/0"),  # test stays: three are dropped
        ("train/2", "train/3", "val/1"),  # the one in val goes to train
        ("train/4", "val/2", "val/3"),  # the one in train goes to val
        ("val/4", "val/5"),  # nothing to do
    )
    proposal = propose(tangled, SplitWish(SPLITS, frozenset({"test"})))
    assert [(change.case.label, change.to, change.because) for change in proposal.changes] == [
        ("train/0", None, "test/0"),
        ("train/1", None, "test/0"),
        ("train/4", "val", "val/2"),
        ("val/0", None, "test/0"),
        ("val/1", "train", "train/2"),
    ]
    assert proposal.sizes() == {"test": (6, 6), "train": (6, 4), "val": (6, 5)}


def test_of_equal_changes_the_later_split_stays(cases):
    pair = cases(["train/a", "val/a"], ("train/a", "val/a"))
    (change,) = propose(pair, SplitWish(SPLITS, frozenset())).changes
    assert (change.case.label, change.to) == ("train/a", "val")
    (change,) = propose(pair, SplitWish(SPLITS, frozenset(), move=False)).changes
    assert (change.case.label, change.to) == ("train/a", None)


def test_clean_splits_need_no_change(cases):
    clean = cases(["train/a", "train/b", "test/c"], ("train/a", "train/b"))
    assert propose(clean, SplitWish(SPLITS, frozenset({"test"}), sizes=True)).changes == ()


def test_two_kept_splits_that_share_a_group_are_refused(cases):
    pair = cases(["val/a", "test/b"], ("val/a", "test/b"))
    with pytest.raises(InputError, match="test/b and val/a are of one group"):
        propose(pair, SplitWish(SPLITS, frozenset({"val", "test"})))


def test_too_many_classes_are_refused(cases):
    many = cases([f"train/{n}" for n in range(60)])
    labels = {case.key: case.case for case in many}
    with pytest.raises(InputError, match="60 different values"):
        propose(many, SplitWish(SPLITS, frozenset(), labels=labels))


@pytest.mark.parametrize("move", [True, False])
def test_sizes_are_made_up_for(cases, move):
    """Ten pairs over train and val: with moves both keep their sizes, to within one case."""
    labels = [f"train/{n}" for n in range(60)] + [f"val/{n}" for n in range(20)]
    tangled = cases(labels, *((f"train/{n}", f"val/{n}") for n in range(10)))
    proposal = propose(tangled, SplitWish(SPLITS, frozenset(), move, sizes=True))
    sizes = proposal.sizes()
    if move:
        assert abs(sizes["train"][1] - 60) <= 1
        assert proposal.dropped == 0
    assert abs(sizes["train"][1] / 3 - sizes["val"][1]) <= 2
    assert parted(proposal) == []


def test_thousands_of_cases_are_a_small_program():
    """How long it takes is measured by tests/perf/resplit_cases.py."""
    proposal = propose(*tangle(2000))
    assert len(proposal.cases) == 2000
    assert parted(proposal) == []
