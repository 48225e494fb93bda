"""Quick looks: what they spare, and that they lose no copy."""

from __future__ import annotations

import numpy as np
import pytest

from dvdup import edits
from dvdup.verify import Limits, Scan, compare, excess, judge, measure
from dvdup.verify.grid import Grid, cut
from dvdup.verify.start import greys, promising, turns
from dvdup.verify.verdict import is_hopeless

SIZE = (2.0, 2.0, 2.0)


def grid(values: np.ndarray) -> Grid:
    return Grid(values, np.full(3, 2.0), -(np.array(values.shape) - 1.0))


def strangers(person) -> tuple[Scan, Scan]:
    return Scan(person(4), SIZE), Scan(person(7), SIZE)


def refused(*args):
    raise AssertionError("registered by fine structures")


def test_strangers_are_turned_away_before_anything_is_registered_finely(person, monkeypatch):
    monkeypatch.setattr("dvdup.verify.scans._Look.registered", refused)
    found = judge(*strangers(person))
    assert found.decision.rule == "other-structure"
    assert is_hopeless(found.evidence, rough=True)


def test_a_stranger_who_is_fitted_to_the_size_of_another_stays_one(person):
    found = judge(Scan(person(1), SIZE), Scan(person(6)[::2, ::2, ::2], SIZE))
    assert found.decision.rule == "other-structure"
    assert found.score < Limits().stranger - 1


@pytest.mark.parametrize(("threshold", "enough"), [(3.0, False), (5.0, True), (7.0, True)])
def test_a_lower_threshold_asks_for_closer_looks(person, threshold, enough):
    found = judge(*strangers(person))
    assert is_hopeless(found.evidence, Limits().with_copy(threshold), rough=True) == enough


@pytest.mark.parametrize("edit", ["rotation", "gamma", "noise"])
def test_which_scan_comes_first_does_not_matter(person, edit):
    done = edits.apply(edit, "strong", person(1), SIZE, "p")
    one, other = Scan(done.values, done.spacing), Scan(person(1), SIZE)
    here, there = judge(one, other), judge(other, one)
    assert one.values.shape == other.values.shape
    assert here.score == there.score
    assert here.decision == there.decision
    np.testing.assert_allclose(here.evidence.place, np.linalg.inv(there.evidence.place), atol=1e-9)


def test_the_direction_in_which_more_agrees_counts(person, monkeypatch):
    # thick slices spoil the comparison least on voxels of their own
    thick = edits.apply("thick", "strong", person(1), SIZE, "golden")
    copy, source = Scan(thick.values, thick.spacing), Scan(person(1), SIZE)
    found = measure(copy, source)
    assert found == measure(source, copy) == excess(compare(copy, source), Limits())
    monkeypatch.setattr("dvdup.verify.scans._best", lambda seen, look, shortcuts: seen[0])
    assert measure(copy, source) < found - 0.3


def test_turns_that_fit_are_among_the_promising_ones(person):
    right = turns()[17]
    axes = np.abs(right).argmax(axis=0)
    signs = right[axes, range(3)].astype(int).tolist()
    turned = person(1).transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
    one, other = grid(np.ascontiguousarray(turned) / 2000), grid(person(1) / 2000)
    chosen = promising(greys(one), greys(other), turns(), 4)
    assert len(chosen) == 4
    assert any(np.array_equal(each, right) for each in chosen)


def test_a_box_lies_where_it_lay(person):
    whole = grid(person(1))
    box = cut(whole, np.array([5, -3, 40]), np.array([20, 10, 90]))
    assert box.values.shape == (15, 10, 4)
    assert box.values[0, 0, 0] == whole.values[5, 0, 40]
    np.testing.assert_array_equal(box.origin, whole.origin + np.array([10.0, 0.0, 80.0]))
    assert cut(whole, np.array([99, 0, 0]), np.array([120, 1, 1])).values.shape == (1, 1, 1)
