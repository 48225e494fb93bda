import numpy as np
import pytest

from dvdup import edits
from dvdup.report.sentences import changes
from dvdup.verify import Limits, Scan, compare, decide, judge, strength
from dvdup.verify.compare import NOTHING
from dvdup.verify.exact import Same
from dvdup.verify.scans import Evidence
from dvdup.verify.verdict import RULES, Found

SIZE = (2.0, 2.0, 2.0)

# edit, level, verdict, how far the middle may be misplaced (mm)
KNOWN = [
    ("rotation", "medium", "near", 0.6),
    ("translation", "medium", "near", 0.6),
    ("mirror", "medium", "identical", 0.4),
    ("mirror", "strong", "identical", 0.4),
    ("scale", "medium", "near", 0.8),
    ("crop", "strong", "partial", 0.8),
    ("slab", "medium", "partial", 0.6),
    ("thick", "medium", "near", 2.0),
    ("noise", "mild", "near", 1.0),
    ("gamma", "medium", "near", 0.6),
    ("window", "medium", "near", 0.6),
    ("bias", "strong", "near", 0.6),
]


@pytest.mark.parametrize(("edit", "level", "verdict", "mm"), KNOWN)
def test_copy_is_found_where_it_lies(person, misplaced, edit, level, verdict, mm):
    source = Scan(person(1), SIZE)
    edited = edits.apply(edit, level, source.values, SIZE, "p")
    copy = Scan(edited.values, edited.spacing)
    found = judge(copy, source)
    assert found.decision.verdict == verdict, found.evidence
    assert misplaced(found.evidence.place, edited.truth["to_source"], copy, source) < mm


def halved(values: np.ndarray) -> Scan:
    """Means over 2 x 2 x 2 voxels."""
    x, y, z = (n // 2 for n in values.shape)
    means = values[: 2 * x, : 2 * y, : 2 * z].reshape(x, 2, y, 2, z, 2).mean(axis=(1, 3, 5))
    return Scan(np.ascontiguousarray(means), (4.0, 4.0, 4.0))


@pytest.mark.parametrize(("one", "other"), [(1, 6), (4, 7), (2, 3)])
def test_at_low_resolution_strangers_stay_silent_and_copies_are_found(person, one, other):
    coarse = halved(person(one))
    assert judge(coarse, Scan(person(one), SIZE)).decision.verdict == "near"
    assert judge(coarse, Scan(person(other), SIZE)).decision.verdict is None
    found = judge(coarse, halved(person(other)))
    assert found.decision.verdict is None
    assert found.evidence.agreement.cells < Limits().cells


@pytest.mark.parametrize("seed", [2, 3])
def test_somebody_else_with_the_same_anatomy_is_silent(person, seed):
    found = judge(Scan(person(1), SIZE), Scan(person(seed), SIZE))
    assert found.decision.verdict is None
    assert found.decision.rule == "other-structure"
    assert found.change is None
    assert strength(found.evidence) < Limits().stranger


def test_exchanging_a_and_b_inverts_the_placement(person):
    source = person(1)
    copy = edits.apply("crop", "medium", source, SIZE, "q")
    forth = compare(Scan(source, SIZE), Scan(copy.values, copy.spacing))
    back = compare(Scan(copy.values, copy.spacing), Scan(source, SIZE))
    assert np.allclose(forth.place @ back.place, np.eye(4), atol=1e-6)
    assert forth.agreement.cover_a == back.agreement.cover_b
    assert forth.agreement.fine == back.agreement.fine


def test_a_scan_lies_on_itself(person):
    found = compare(Scan(person(1), SIZE), Scan(person(1).copy(), SIZE))
    assert np.abs(found.place - np.eye(4)).max() < 0.02
    assert found.agreement.fine > 0.99


def test_same_answer_twice(person):
    one, two = (compare(Scan(person(1), SIZE), Scan(person(2), SIZE)) for _ in range(2))
    assert np.array_equal(one.place, two.place)
    assert one.agreement == two.agreement


def test_turned_copy_under_a_wrong_header(person):
    turned = np.ascontiguousarray(person(1).transpose(2, 0, 1)[:, ::-1])
    noise = np.random.default_rng(0).normal(0, 5, turned.shape).astype(np.float32)
    found = judge(Scan(person(1), SIZE), Scan(turned + noise, SIZE))
    assert found.decision.verdict == "near"
    assert found.change.turned


def test_every_second_slice(person):
    source = Scan(person(1), SIZE)
    found = judge(source, Scan(source.values[:, :, ::2], (2.0, 2.0, 4.0)))
    assert found.decision.verdict == "near"
    assert "resampled 2 -> 4 mm" in changes(found.change)


def test_thin_stacks(person):
    stack = person(1)[:, :, 20:23]
    turned = edits.apply("rotation", "medium", stack, (2.0, 2.0, 6.0), "p")
    found = judge(Scan(turned.values, turned.spacing), Scan(stack, (2.0, 2.0, 6.0)))
    assert found.decision.verdict == "near", found.evidence
    assert found.change.degrees == pytest.approx(15, abs=1)
    other = judge(Scan(person(2)[:, :, 20:23], (2.0, 2.0, 6.0)), Scan(stack, (2.0, 2.0, 6.0)))
    assert other.decision.verdict is None


def test_a_single_slice_finds_its_volume(person):
    source = Scan(person(1), SIZE)
    found = judge(Scan(source.values[:, :, 20:21], SIZE), source)
    assert found.decision.verdict == "partial"
    assert judge(Scan(person(2)[:, :, 20:21], SIZE), source).decision.verdict is None


def test_two_single_slices(person):
    picture = person(1)[:, :, 20:21]
    brighter = edits.apply("gamma", "mild", picture, SIZE, "p").values
    assert judge(Scan(picture, SIZE), Scan(brighter, SIZE)).decision.verdict == "near"
    assert judge(Scan(picture, SIZE), Scan(person(2)[:, :, 20:21], SIZE)).decision.verdict is None


@pytest.mark.parametrize("values", [np.zeros((8, 8, 8)), np.full((8, 8, 8), np.nan)])
def test_nothing_to_see_is_never_a_copy(person, values):
    empty = Scan(values.astype(np.float32), SIZE)
    for one, other in ((empty, empty), (empty, Scan(person(1), SIZE))):
        found = judge(one, other)
        assert found.decision.verdict is None
        assert found.evidence is None
        assert found.evidence is None


def test_holes_do_not_hide_a_copy(person):
    holed = person(1).copy()
    holed[10:14, 10:14, 10:14] = np.nan
    assert judge(Scan(holed, SIZE), Scan(person(1), SIZE)).decision.verdict == "near"


def test_a_tiny_volume_does_no_harm():
    rng = np.random.default_rng(0)
    one, other = (Scan(rng.random((3, 4, 2)).astype(np.float32), SIZE) for _ in range(2))
    assert judge(one, other).decision.verdict is None


def test_nonsense_spacing_counts_as_1_mm(person):
    found = judge(Scan(person(1), (0.0, np.nan, -1.0)), Scan(person(1) * 2 + 5, (1.0, 1.0, 1.0)))
    assert found.decision.verdict == "near"


def test_equal_values_are_identical_and_proxies_send_for_the_scans(person):
    values = person(1)
    read = []

    def full():
        read.append(1)
        return Scan(values, SIZE), Scan(values * np.float32(1 + 1e-7), SIZE)

    proxy = Scan(values[::2, ::2, ::2], (4.0, 4.0, 4.0), full=False)
    found = judge(proxy, proxy, full)
    assert read == [1]
    assert (found.decision.verdict, found.decision.confidence) == ("identical", 1.0)


def test_proxies_of_strangers_are_enough(person):
    one, other = (
        Scan(person(seed, (72, 84, 66))[::2, ::2, ::2], (4.0, 4.0, 4.0), full=False)
        for seed in (1, 2)
    )

    def full():
        raise AssertionError("strangers are told apart by their proxies")

    assert judge(one, other, full).decision.verdict is None


def evidence(value: float, cover: float = 1.0, final: bool = True, voxels: int = 5000) -> Evidence:
    agreement = NOTHING.__class__(value, value, value, 0.01, 1.0, cover, voxels, 100.0)
    return Evidence(np.eye(4), agreement, 64, 2.0, final)


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        (Found(same=Same((0, 1, 2), (1, 1, 1))), "same-values"),
        (Found(same=Same((0, 1, 2), (-1, 1, 1)), evidence=evidence(0.2)), "turned-values"),
        (Found(evidence=evidence(0.95)), "same-structure"),
        (Found(evidence=evidence(0.95, cover=0.4)), "shared-structure"),
        (Found(evidence=evidence(0.95, final=False)), "undecided"),
        (Found(evidence=evidence(0.99, final=False)), "undecided"),
        (Found(evidence=evidence(0.99, final=False), finest=False), "coarse-structure"),
        (Found(evidence=evidence(0.99, cover=0.4, final=False), finest=False), "coarse-shared"),
        (Found(evidence=evidence(0.95, final=False), finest=False), "undecided"),
        (Found(evidence=evidence(0.85)), "other-structure"),
        (Found(evidence=evidence(0.95, voxels=50)), "nothing-to-compare"),
        (Found(evidence=evidence(0.5)), "other-structure"),
        (Found(), "nothing-to-compare"),
    ],
)
def test_rules(found, rule):
    decision = decide(found)
    assert decision.rule == rule
    assert 0 <= decision.confidence <= 1


def test_rules_have_names_of_their_own():
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert Limits().stranger < Limits().copy < Limits().clear_copy
