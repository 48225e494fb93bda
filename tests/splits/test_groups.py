"""Groups are the connected components of pairs, whatever the order in which these come."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.records import FileStat, IndexedCase
from dvdup.splits import grouped, groups_of, pairs_of_subjects

KEYS = [(split, name) for split in ("train", "val", "test") for name in "abcd"]
pairs = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)), max_size=12)


def indexed(keys=KEYS, subjects=None):
    return [IndexedCase(*key, (), group=(subjects or {}).get(key)) for key in keys]


@settings(deadline=None)
@given(pairs, st.randoms(use_true_random=False))
def test_order_does_not_matter(found, luck: random.Random):
    turned = [pair[::-1] for pair in found]
    rows = indexed()
    luck.shuffle(turned)
    luck.shuffle(rows)
    assert grouped(rows, turned) == grouped(indexed(), found)


@settings(max_examples=50, deadline=None)
@given(pairs)
def test_two_cases_have_one_group_exactly_if_a_chain_of_pairs_joins_them(found):
    group = {case.key: case.group for case in grouped(indexed(), found)}
    for start in KEYS:
        reached, ahead = {start}, [start]
        while ahead:
            key = ahead.pop()
            near = {b for a, b in found if a == key} | {a for a, b in found if b == key}
            ahead += near - reached
            reached |= near
        assert {key for key in KEYS if group[key] == group[start]} == reached


def test_ids_depend_on_the_members_alone():
    few = grouped(indexed(KEYS[:6]), [(KEYS[0], KEYS[5])])
    many = grouped(indexed(), [(KEYS[5], KEYS[0]), (KEYS[8], KEYS[9])])
    assert few[0].group == many[[case.key for case in many].index(few[0].key)].group
    assert len({case.group for case in many}) == len(KEYS) - 2
    assert [len(members) for members in groups_of(few).values()].count(2) == 1


def test_rows_of_an_array_are_named_by_their_numbers():
    file = FileStat("X.npy", 1, 1)
    rows = [IndexedCase("train", name, (file,), series=name) for name in ("#000003", "#")]
    assert [case.paths for case in grouped(rows, [])] == [("X.npy",), ("X.npy#000003",)]


@pytest.mark.parametrize(
    ("accepted", "joined"),
    [
        ([], 4),
        ([{KEYS[0], KEYS[4]}], 4),  # b and e join them all the same
        ([{KEYS[0], KEYS[4]}, {KEYS[0], KEYS[1]}, {KEYS[0], KEYS[8]}], 3),
    ],
)
def test_an_accepted_pair_joins_no_subject(accepted, joined):
    subjects = dict.fromkeys([KEYS[0], KEYS[1], KEYS[4], KEYS[8]], "s1") | {KEYS[2]: "s2"}
    rows = indexed(subjects=subjects)
    found = grouped(rows, pairs_of_subjects(rows, [frozenset(pair) for pair in accepted]))
    assert max(len(members) for members in groups_of(found).values()) == joined
