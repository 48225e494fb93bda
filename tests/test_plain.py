"""Records to JSON values and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.plain import from_plain, to_plain
from dvdup.records import AxisOrder, Change, PairResult, SliceLine, VoxelAgreement

FLOATS = st.floats(allow_nan=False)


def results() -> st.SearchStrategy[PairResult]:
    """Any result of a pair."""
    return st.builds(
        PairResult,
        confidence=FLOATS,
        strength=FLOATS,
        a_to_b=st.none() | st.tuples(*[st.tuples(*[FLOATS] * 4)] * 3),
        order=st.none() | st.from_type(AxisOrder),
        agreement=st.none()
        | st.builds(
            VoxelAgreement, *[FLOATS] * 4, st.tuples(FLOATS, FLOATS), cells=FLOATS, grid_mm=FLOATS
        ),
        change=st.none()
        | st.builds(
            Change,
            degrees=FLOATS,
            scale=st.tuples(FLOATS, FLOATS, FLOATS),
            shear=FLOATS,
            shift_mm=st.tuples(FLOATS, FLOATS, FLOATS),
            shown=st.tuples(FLOATS, FLOATS, FLOATS),
            spacing=st.lists(st.tuples(FLOATS, FLOATS), max_size=3).map(tuple),
        ),
        slices=st.none()
        | st.builds(
            SliceLine,
            slope=FLOATS,
            offset_mm=FLOATS,
            inliers=FLOATS,
            residual_mm=FLOATS,
            contrast=FLOATS,
            score=FLOATS,
        ),
    )


@given(results())
def test_a_result_comes_back_as_it_went(result):
    assert from_plain(PairResult, json.loads(json.dumps(to_plain(result)))) == result


PLAIN = to_plain(PairResult("near", "same-structure", True, 0.9, AxisOrder((0, 1, 2), (1, 1, 1))))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verdict", "maybe"),
        ("rule", None),
        ("decided", 1),
        ("confidence", "high"),
        ("confidence", True),
        ("order", []),
        ("order", {"axes": [0, 1, 2]}),
        ("order", {"axes": [0, 1], "signs": [1, 1, 1]}),
        ("order", {"axes": [0, 1, 2], "signs": [1, 1, 1.5]}),
        ("other", 1),
    ],
)
def test_what_is_no_record_is_refused(name, value):
    assert from_plain(PairResult, PLAIN).confidence == 0.9
    with pytest.raises(TypeError):
        from_plain(PairResult, {**PLAIN, name: value})


def test_a_record_lacks_nothing():
    less = {name: value for name, value in PLAIN.items() if name != "rule"}
    with pytest.raises(TypeError):
        from_plain(PairResult, less)
