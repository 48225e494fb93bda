"""`split`, `split@tag`, `split@version`; which cases are scored, and for whom."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dvdup import store
from dvdup.compare.refs import all_refs, find_case, find_ref, split_order, whole
from dvdup.errors import InputError
from dvdup.records import RefInfo


@pytest.fixture
def index(write, case):
    """Version 2: train a, b. Version 3, tagged v1. Version 4: train a, b, c and test q."""
    store.add_tag(write(case("train", "a"), case("train", "b")), "v1")
    return write(*(case("train", name) for name in "abc"), case("test", "q"))


@pytest.mark.parametrize(
    ("text", "names"),
    [("train", "abc"), ("train@v1", "ab"), ("train@2", "ab"), ("train@4", "abc"), ("test", "q")],
)
def test_a_ref_is_a_split_at_a_version(index, text, names):
    ref = find_ref(index, text)
    assert "".join(each.case_id for each in ref.cases) == names
    assert ref.info == RefInfo(text, text.partition("@")[0], len(names))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trian", "no split 'trian' in the index; there are train, test"),
        ("", "no split '' in the index; there are train, test"),
        ("test@v1", "no split 'test' in the index at v1; there are train"),
        ("train@", "'train@' names no version; write train@TAG, see `dvdup log`"),
        ("train@v2", "the index has no tag 'v2' (tags: v1)"),
        ("train@v1@x", "the index has no tag 'v1@x' (tags: v1)"),
        ("train@99", "the index has no version 99 (newest: 4)"),
        ("train@1", "no split 'train' in the index at 1; the index is empty"),
        ("Train", "no split 'Train'"),
    ],
)
def test_a_ref_that_is_not_there_says_what_is(index, text, said):
    with pytest.raises(InputError, match=re.escape(said)):
        find_ref(index, text)


@pytest.mark.parametrize("text", ["train/c", "train@4/c", "test/q"])
def test_a_case_is_found(index, text):
    at, found = find_case(index, text)
    assert f"{found.split}/{found.case_id}" == text.replace("@4", "")
    assert found in at.cases


def test_a_case_id_may_hold_a_slash(write, case):
    assert find_case(write(case("train", "s1/t1")), "train/s1/t1")[1].case_id == "s1/t1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train@v1/c", "no case 'c' in train@v1; it has 2, such as train@v1/a"),
        ("trian/a", "no split 'trian' in the index; there are train, test"),
        ("train", "no case '' in train; it has 3, such as train/a"),
        ("train@v7/a", "the index has no tag 'v7' (tags: v1)"),
    ],
)
def test_a_case_that_is_not_there_says_what_is(index, text, said):
    with pytest.raises(InputError, match=re.escape(said)):
        find_case(index, text)


def test_near_names_are_offered(write, case):
    index = write(case("train", "sub-011"), case("train", "sub-012"), case("train", "other"))
    with pytest.raises(InputError, match=r"did you mean train/sub-01[12] or train/sub-01[12]"):
        find_case(index, "train/sub-01")


def test_train_comes_before_val_before_test_before_others(write, case):
    names = ["zoo", "test", "aux", "val", "train"]
    index = write(*(case(name, "x") for name in names))
    expected = ["train", "val", "test", "aux", "zoo"]
    assert [ref.info.split for ref in all_refs(index)] == expected
    assert sorted(names, key=split_order) == expected


def test_copies_are_scored_once_and_known(write, case):
    index = write(
        case("train", "a", content="x"),
        case("train", "b", content="y"),
        case("train", "c", content="x"),
        case("train", "d", n_slices=0, status="unchecked"),
    )
    ref = find_ref(index, "train")
    assert [each.case_id for each in ref.voting] == ["a", "b"]
    assert ref.copies == {
        ("train", "a"): [("train", "a"), ("train", "c")],
        ("train", "b"): [("train", "b")],
    }


def test_a_side_streams_the_cases_asked_for(write, case):
    index = write(*(case("train", name) for name in "abcd"))
    side = find_ref(index, "train").side()
    assert side.keys == tuple(("train", name) for name in "abcd")
    assert side.n_slices == (6, 6, 6, 6)
    codes = np.concatenate([block[1] for block in side.blocks([3, 1])])
    assert sorted(codes.tolist()) == [1] * 6 + [3] * 6


def test_the_whole_index_is_one_side(index):
    assert [each.key for each in whole(index).cases] == [each.key for each in index.cases]
    assert whole(index).info.cases == 4
