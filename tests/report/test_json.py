from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from dvdup.errors import InputError
from dvdup.records import Directed
from dvdup.report import FORMATS, render
from dvdup.report.json import from_json, schema, to_json


@pytest.fixture(scope="module")
def validator():
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_round_trip_gives_the_same_bytes(reports, validator, data):
    text = to_json(data.draw(reports))
    assert to_json(from_json(text)) == text
    validator.validate(json.loads(text))
    assert text.isascii()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["small", "within", "unreadable", "many"])
def test_a_stored_result_renders_as_the_fresh_one(samples, name, format):
    stored = from_json(to_json(samples[name]))
    assert render(stored, format) == render(samples[name], format)


def test_floats_have_four_places_and_no_minus_zero(build):
    pair = build.finding(
        build.member("train", "a"),
        build.member("test", "x"),
        "near",
        confidence=0.123456,
        similarity=Directed(-0.00001, 2 / 3),
        alignment={"offset": -9.00004, "failed": float("nan"), "far": float("inf")},
    )
    document = json.loads(to_json(build.report((build.TRAIN, build.TEST), [pair])))
    written = document["pairs"][0]
    assert written["confidence"] == 0.1235
    assert str(written["similarity"]) == "{'a_to_b': 0.0, 'b_to_a': 0.6667}"
    assert written["alignment"] == {"failed": None, "far": None, "offset": -9.0}


def test_a_score_that_is_no_number_is_a_bug(build):
    pair = build.finding(
        build.member("train", "a"), build.member("test", "x"), confidence=float("nan")
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(build.report((build.TRAIN, build.TEST), [pair]))


def test_numpy_numbers_and_key_order_do_not_matter(build):
    np = pytest.importorskip("numpy")
    pair = [build.member("train", "a"), build.member("test", "x")]
    refs = (build.TRAIN, build.TEST)
    one = build.finding(*pair, voxel={"n": np.int64(3), "r": np.float32(0.5), "t": (1, 2)})
    two = build.finding(*pair, voxel={"t": [1, 2], "r": 0.5, "n": 3})
    assert to_json(build.report(refs, [one])) == to_json(build.report(refs, [two]))


def test_other_objects_have_no_place_in_settings(build):
    report = build.report((build.TRAIN, build.TEST), [])
    report.settings["bad"] = object()
    try:
        with pytest.raises(TypeError, match="object has no place in a report"):
            to_json(report)
    finally:
        del report.settings["bad"]


def test_totals_leave_out_accepted_pairs(samples):
    sums = json.loads(to_json(samples["small"]))["totals"]
    assert sums == {
        "cases": {"train": 100, "test": 41},
        **{"pairs": 4, "identical": 1, "near": 1, "partial": 1, "same-subject": 1},
        **{"accepted": 1, "unreadable": 0},
    }


def at(document, path):
    for key in path:
        document = document[key]
    return document


BROKEN = {
    "other schema": (("schema",), "dvdup/report@2"),
    "negative count": (("totals", "pairs"), -1),
    "float count": (("refs", 0, "cases"), 1.5),
    "unknown verdict": (("pairs", 0, "verdict"), "maybe"),
    "confidence above 1": (("pairs", 0, "confidence"), 1.1),
    "score above 1": (("pairs", 1, "shared_score", "a_to_b"), 1.2),
    "similarity below -1": (("pairs", 1, "similarity", "b_to_a"), -1.2),
    "text score": (("pairs", 1, "count_score", "a_to_b"), "0.5"),
    "absolute path": (("pairs", 0, "a", "paths", 0), "/home/x.nii"),
    "absolute Windows path": (("pairs", 0, "a", "paths", 0), "C:\\x.nii"),
    "alignment as list": (("pairs", 0, "alignment"), []),
    "accepted as text": (("pairs", 0, "accepted"), "no"),
    "accepted for a text": (("pairs", 4, "acceptance", "expired"), "no"),
    "accepted until never": (("pairs", 4, "acceptance", "until"), 7),
    "accepted without a reason": (("pairs", 4, "acceptance", "reason"), ""),
    "strength as text": (("pairs", 2, "voxel", "strength"), "high"),
    "overlap of one side": (("pairs", 2, "voxel", "overlap"), [0.5]),
    "extra key": (("extra",), 1),
    "extra pair key": (("pairs", 0, "extra"), 1),
    "extra member key": (("pairs", 0, "a", "patient_name"), "x"),
    "extra totals key": (("totals", "leaks"), 1),
    "group of one": (("groups",), [{"id": "g", "members": ["train/a"], "verdict": "near"}]),
    "no fingerprint": (("pairs", 0, "fingerprint"), ""),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_schema_refuses_broken_documents(samples, validator, change):
    document = json.loads(to_json(samples["small"]))
    (*path, key), value = change
    at(document, path)[key] = value
    with pytest.raises(ValidationError):
        validator.validate(document)


def test_schema_asks_for_every_key(samples, validator):
    """Taking away any key of the contract, at any depth, is refused."""
    document = json.loads(to_json(samples["small"]))
    document["unreadable"] = [{"case": "c", "split": "s", "paths": [], "reason": "r"}]
    document["groups"] = [{"id": "g", "members": ["a/a", "a/b"], "verdict": "near"}]
    owners = [(), ("refs", 0), ("totals",), ("groups", 0), ("unreadable", 0), ("pairs", 1)]
    owners += [("pairs", 1, key) for key in ("a", "count_score", "shared_score", "similarity")]
    validator.validate(document)
    for path in owners:
        for key in at(document, path):
            less = copy.deepcopy(document)
            del at(less, path)[key]
            with pytest.raises(ValidationError):
                validator.validate(less)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is not JSON"),
        ("[]", "its schema is None"),
        ("{}", "its schema is None"),
        ('{"schema": "dvdup/bench@1"}', "its schema is 'dvdup/bench@1'"),
        ('{"schema": "dvdup/report@0"}', "a report of another version of dvdup"),
        ('{"schema": "dvdup/report@12"}', "a report of another version of dvdup"),
        ('{"schema": "dvdup/report@1"}', "damaged dvdup report .KeyError: 'settings'"),
    ],
)
def test_other_text_is_refused_in_one_line(text, message):
    with pytest.raises(InputError, match=message) as caught:
        from_json(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("pairs",), None),
        (("pairs", 0, "verdict"), "maybe"),
        (("pairs", 0, "a"), "x"),
        (("pairs", 0, "a", "paths"), "x"),
        (("pairs", 0, "confidence"), "high"),
        (("refs", 0, "ref"), 3),
        (("settings",), 3),
        (("pairs", 0, "accepted"), "no"),
        (("pairs", 4, "acceptance"), "a phantom"),
        (("pairs", 4, "acceptance", "reason"), None),
        (("pairs", 4, "acceptance", "until"), "tomorrow"),
        (("pairs", 4, "acceptance", "expired"), 0),
    ],
)
def test_damaged_documents_are_refused(samples, path, value):
    document = json.loads(to_json(samples["small"]))
    at(document, path[:-1])[path[-1]] = value
    with pytest.raises(InputError, match="damaged dvdup report"):
        from_json(json.dumps(document))


def nested(levels):
    """Lists in lists: what is read by one more function than it is written by."""
    value: list = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("pairs", 0, "confidence"), float("nan")),
        (("pairs", 0, "confidence"), True),
        (("pairs", 0, "confidence"), 10**400),
        (("pairs", 1, "similarity", "a_to_b"), "0.5"),
        (("pairs", 0, "voxel"), [1]),
        (("pairs", 0, "voxel"), {"x": float("inf")}),
        (("refs", 0, "cases"), -1),
        (("refs", 0, "cases"), 1.5),
        (("settings",), [["a", 1]]),
        (("settings", "embedder"), nested(40)),
        (("settings", "embedder"), nested(700)),
        (("pairs", 0, "alignment"), {"slices": nested(40)}),
    ],
)
def test_values_that_could_not_be_written_again_are_refused(samples, place, value):
    document = json.loads(to_json(samples["small"]))
    *path, last = place
    target = document
    for step in path:
        target = target[step]
    target[last] = value
    with pytest.raises(InputError, match="damaged dvdup report"):
        from_json(json.dumps(document))
