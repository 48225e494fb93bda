"""The table of rules: which scores, hashes and groups make which finding."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.compare import verdicts
from dvdup.compare.verdicts import DEFAULT, THRESHOLDS, Thresholds, order, thresholds_for
from dvdup.records import VERDICTS, Directed, FileStat, IndexedCase, PairScore
from dvdup.report.findings import finding_of

LIMITS = Thresholds(margin=0.01, floor=0.35, shared=0.7, standout=0.5, alone=0.96, few_slices=0.985)
A, B = ("train", "a"), ("test", "b")


def case(key, hashes=(), group=None, content=None):
    split, case_id = key
    file = FileStat(f"{split}/{case_id}.nii", 1, 1)
    return IndexedCase(
        split, case_id, (file,), group=group, voxel_hashes=hashes,
        content=content or f"content of {split}/{case_id}", n_slices=50,
    )  # fmt: skip


def score(
    shared=0.0, similarity=0.6, background=0.6, slices=50, cohort=40, count=0.0, back=None,
    a=A, b=B,
):  # fmt: skip
    """A pair of which b queries a; `back` gives other values for the way from a to b."""
    there = {"shared": shared, "similarity": similarity, "background": background,
             "slices": slices, "cohort": cohort, "count": count}  # fmt: skip
    nothing = {"shared": 0.0, "similarity": 0.6, "background": 0.6, "count": 0.0}
    way_back = there | nothing | (back or {})
    both = {name: Directed(way_back[name], there[name]) for name in nothing}
    return PairScore(
        a=a,
        b=b,
        count_score=both["count"],
        shared_score=both["shared"],
        similarity=both["similarity"],
        background=both["background"],
        slices=(way_back["slices"], there["slices"]),
        cohort=(way_back["cohort"], there["cohort"]),
    )


def find(*args):
    """What is decided, as it is reported."""
    return tuple(map(finding_of, verdicts.find(*args)))


def verdict_of(scores, limits=LIMITS):
    found = find([case(A)], [case(B)], [scores], limits)
    return found[0].verdict if found else None


NEAR, NOTHING = "near", None
RULES = {
    "slices and whole agree": (score(0.7, 0.8, 0.6), NEAR),
    "too few slices agree": (score(0.69, 0.99, 0.6), NOTHING),
    "not more similar than strangers": (score(1.0, 0.79, 0.6), NOTHING),
    "brains in one frame": (score(1.0, 0.96, 0.94), NOTHING),
    "the same among such brains": (score(1.0, 0.975, 0.94), NEAR),
    "few slices and very similar": (score(0.0, 0.985, 0.6, slices=4), NEAR),
    "few slices that agree prove nothing": (score(1.0, 0.98, 0.6, slices=4), NOTHING),
    "five slices are enough": (score(1.0, 0.98, 0.6, slices=5), NEAR),
    "no cohort and very similar": (score(0.7, 0.96, 0.96, cohort=7), NEAR),
    "no cohort and not similar enough": (score(1.0, 0.95, 0.0, cohort=7), NOTHING),
    "no cohort and the slices disagree": (score(0.69, 1.0, 0.0, cohort=7), NOTHING),
    "eight are a cohort": (score(0.7, 0.8, 0.6, cohort=8), NEAR),
    "strangers that are equal already": (score(1.0, 1.0, 1.0), NOTHING),
    "the other way round": (
        score(back={"shared": 0.7, "similarity": 0.8, "background": 0.6}), NEAR),
    "half of it each way": (
        score(0.9, 0.6, 0.6, back={"shared": 0.0, "similarity": 0.99, "background": 0.6}),
        NOTHING),
    "the count alone": (score(count=1.0), NOTHING),
}  # fmt: skip


@pytest.mark.parametrize(("scores", "verdict"), RULES.values(), ids=RULES)
def test_rule(scores, verdict):
    assert verdict_of(scores) == verdict


@pytest.mark.parametrize(
    ("of_a", "of_b", "verdict", "reason"),
    [
        (("x",), ("x",), "identical", "same voxels"),
        (("x", "y", "z", "w"), ("y",), "identical", "same voxels in 1 of 4 channels"),
        (("y",), ("x", "y"), "identical", "same voxels in 1 of 2 channels"),
        (("x", "x"), ("x",), "identical", "same voxels"),
        (("x", "y"), ("y", "x"), "identical", "same voxels"),
        (("x",), ("y",), None, None),
        ((), (), None, None),
    ],
)
def test_one_channel_in_common_is_identical(of_a, of_b, verdict, reason):
    found = find([case(A, of_a)], [case(B, of_b)], [], LIMITS)
    assert [(f.verdict, f.reason, f.basis, f.confidence) for f in found] == (
        [(verdict, reason, "voxel-hash", 1.0)] if verdict else []
    )


def test_the_strongest_verdict_stands():
    same = score(1.0, 0.99, 0.6)
    of_a, of_b = case(A, ("x",), "g"), case(B, ("x",), "g")
    assert [f.verdict for f in find([of_a], [of_b], [same], LIMITS)] == ["identical"]
    other = replace(of_b, voxel_hashes=("y",))
    assert [f.verdict for f in find([of_a], [other], [same], LIMITS)] == ["near"]
    assert [f.verdict for f in find([of_a], [other], [score()], LIMITS)] == ["same-subject"]


def test_same_subject_is_declared_and_only_across_splits():
    a, b = case(A, group="g"), case(B, group="g")
    (found,) = find([a], [b], [], LIMITS)
    assert (found.verdict, found.basis) == ("same-subject", "declared")
    assert found.reason == "same subject g declared in both"
    inside = case(("train", "z"), group="g")
    assert find([a], [inside], [], LIMITS) == ()
    both = (a, inside)
    assert find(both, both, [], LIMITS) == ()
    assert find([case(A)], [case(B)], [], LIMITS) == ()
    assert find([case(A, group="")], [case(B, group="")], [], LIMITS) == ()


def test_one_split_with_itself_gives_each_pair_once():
    cases = [case(("train", name), ("x",)) for name in "abc"]
    found = find(cases, cases, [], LIMITS)
    assert [(f.a.case, f.b.case) for f in found] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_two_versions_of_one_split_are_two_sides():
    """Then b was what a is now: the only pair has its names the other way round."""
    then = [case(("train", "a"), ("x",)), case(("train", "b"), ("y",))]
    now = [case(("train", "a"), ("y",)), case(("train", "b"), ("z",))]
    found = find(then, now, [], LIMITS)
    assert [(f.a.case, f.b.case, f.verdict) for f in found] == [("b", "a", "identical")]


def test_what_a_finding_says():
    near = score(0.8, 0.9, 0.62, count=0.5)
    (found,) = find([case(A, group="g")], [case(B)], [near], LIMITS)
    assert (found.a.case, found.a.split, found.a.group) == ("a", "train", "g")
    assert (found.b.case, found.b.paths) == ("b", ("test/b.nii",))
    assert found.reason == (
        "40 of 50 slices of test/b match train/a (similarity 0.900, others 0.620)"
    )
    assert (found.count_score, found.shared_score) == (near.count_score, near.shared_score)
    assert (found.similarity, found.basis) == (near.similarity, "slices")


def test_the_reason_speaks_of_the_way_that_agrees():
    slab = score(0.1, back={"shared": 1.0, "similarity": 0.99, "background": 0.5})
    (found,) = find([case(A)], [case(B)], [slab], LIMITS)
    assert found.reason.startswith("50 of 50 slices of train/a match test/b (similarity 0.990")


def test_an_identical_pair_without_scores_has_none():
    (found,) = find([case(A, ("x",))], [case(B, ("x",))], [], LIMITS)
    assert found.count_score is found.shared_score is found.similarity is None


def test_confidence_grows_from_the_threshold_to_a_perfect_match():
    found = [
        find([case(A)], [case(B)], [score(shared, similarity)], LIMITS)[0].confidence
        for shared, similarity in ((0.7, 0.8), (0.8, 0.9), (0.9, 0.95), (1.0, 1.0))
    ]
    assert found == sorted(found)
    assert found[0] == pytest.approx(0.5)
    assert found[-1] == pytest.approx(0.99)


SCORES = st.builds(
    score,
    shared=st.floats(0, 1),
    similarity=st.floats(0, 1),
    background=st.floats(0, 1),
    slices=st.sampled_from([1, 4, 5, 80]),
    cohort=st.sampled_from([1, 7, 8, 90]),
)


@given(SCORES, st.floats(0, 0.3), st.floats(0, 0.3))
def test_more_agreement_never_takes_a_finding_away(one, shared, similarity):
    better = replace(
        one,
        shared_score=replace(one.shared_score, b_to_a=min(1.0, one.shared_score.b_to_a + shared)),
        similarity=replace(one.similarity, b_to_a=min(1.0, one.similarity.b_to_a + similarity)),
    )
    if verdict_of(one) == "near":
        assert verdict_of(better) == "near"


@given(SCORES)
def test_confidence_is_at_least_a_half(one):
    for finding in find([case(A)], [case(B)], [one], LIMITS):
        assert 0.5 <= finding.confidence <= 0.99


HASHES = st.lists(st.sampled_from("pqrs"), max_size=2).map(tuple)
SIDE = st.lists(
    st.tuples(st.sampled_from("abcdef"), HASHES, st.sampled_from([None, "g", "h"])),
    max_size=5,
    unique_by=lambda item: item[0],
)


@settings(max_examples=60)
@given(SIDE, SIDE, st.randoms(use_true_random=False))
def test_findings_are_complete_sorted_and_independent_of_order(left, right, random):
    a = [case(("train", name), hashes, group) for name, hashes, group in left]
    b = [case(("test", name), hashes, group) for name, hashes, group in right]
    found = find(a, b, [], LIMITS)
    expected = {
        (x.key, y.key)
        for x, y in itertools.product(a, b)
        if set(x.voxel_hashes) & set(y.voxel_hashes) or (x.group and x.group == y.group)
    }
    assert {((f.a.split, f.a.case), (f.b.split, f.b.case)) for f in found} == expected
    assert len(found) == len(expected)
    assert list(found) == sorted(found, key=order)
    ranks = [VERDICTS.index(f.verdict) for f in found]
    assert ranks == sorted(ranks)
    random.shuffle(a)
    random.shuffle(b)
    assert find(a, b, [], LIMITS) == found


def test_the_fingerprint_is_of_the_contents_alone():
    """Names, order of the refs and scores do not matter; either content does."""
    hashes = ("x",)

    def of(a, b):
        return find([a], [b], [], LIMITS)[0].fingerprint

    here = of(case(A, hashes, content="p"), case(B, hashes, content="q"))
    assert here == of(case(A, hashes, content="q"), case(B, hashes, content="p"))
    assert here == of(case(("x", "y"), hashes, content="p"), case(("u", "v"), hashes, content="q"))
    others = {
        of(case(A, hashes, content="p"), case(B, hashes, content="p")),
        of(case(A, hashes, content="p"), case(B, hashes, content="r")),
        of(case(A, hashes, content="pq"), case(B, hashes, content="")),
    }
    assert len({here, *others}) == 4


def test_each_embedder_has_its_own_constants():
    assert thresholds_for("thumbnail") is THRESHOLDS["thumbnail"]
    assert thresholds_for("thumbnail@w.pth?x=1") is THRESHOLDS["thumbnail"]
    assert thresholds_for("timm:resnet18@w.pth") is DEFAULT
    for limits in (DEFAULT, *THRESHOLDS.values()):
        told = limits.describe()
        assert set(told) == set(Thresholds.__slots__)
        assert all(0 < value < 1 for value in told.values())
