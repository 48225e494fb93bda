"""Pairs that value hashes nominate, whatever else is known about them."""

from __future__ import annotations

import numpy as np
import pytest

from dvdup.compare.nominated import sharing_values
from dvdup.hashing import value_hashes
from dvdup.records import IndexedCase


def case(name: str, values: np.ndarray, split: str = "train") -> IndexedCase:
    found = value_hashes(np.asfortranarray(values, np.float32))
    return IndexedCase(
        split,
        name,
        (),
        value_hashes=(f"{found.whole:016x}",) if found.whole else ("",),
        slice_hashes=np.concatenate(found.slices).astype("<u8").tobytes(),
        shape=values.shape,
    )


def volume(seed: int, shape: tuple[int, ...] = (9, 8, 7)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 999, shape)


A = [case("a", volume(1)), case("b", volume(2)), case("c", volume(3))]


def asked(values: np.ndarray) -> set[str]:
    return {one[1] for one, _ in sharing_values(A, [case("x", values, "test")])}


@pytest.mark.parametrize(
    "values",
    [
        volume(2),
        volume(2).transpose(2, 1, 0),
        volume(2)[:, ::-1],
        volume(2).reshape(9, 56, 1),
        np.random.default_rng(0).permutation(volume(2).ravel()).reshape(9, 8, 7),
    ],
    ids=["same", "z y x", "flipped", "unrolled", "shuffled"],
)
def test_equal_values_in_any_arrangement(values):
    assert asked(values) == {"b"}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_of_a_volume(axis):
    assert asked(volume(3).take([2], axis)) == {"c"}


def test_a_stack_of_some_of_its_slices():
    assert asked(volume(3)[:, 2:6].transpose(1, 0, 2)) == {"c"}
    # two may be a coincidence: slices of padding, of a test card
    assert asked(np.stack([*volume(3)[:, 2:4].transpose(1, 0, 2), volume(9)[:, 0]])) == set()


def test_what_many_cases_share_nominates_none():
    """The same empty slice with a mark in it."""
    card = np.zeros((9, 8, 1), int)
    card[0, 0] = 1
    many = [case(f"n{i}", np.concatenate([volume(i), card], axis=2)) for i in range(12)]
    assert sharing_values(many, [case("x", card, "test")]) == set()
    assert len(sharing_values(many[:8], [case("x", card, "test")])) == 8


def test_constant_scans_share_nothing():
    blank = [case("y", np.zeros((4, 4, 4))), case("z", np.zeros((4, 4, 4)), "test")]
    assert sharing_values(blank[:1], blank[1:]) == set()


def test_one_side_with_itself_names_each_pair_once():
    cases = [*A, case("d", volume(1).transpose(1, 2, 0))]
    assert sharing_values(cases, cases) == {(("train", "a"), ("train", "d"))}
