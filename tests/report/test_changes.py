"""What happened between two versions, in words and as JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest
from jsonschema import Draft202012Validator, ValidationError

from dvdup.errors import InputError
from dvdup.records import RefInfo, VersionChange
from dvdup.report import FORMATS, render
from dvdup.report.headline import headline
from dvdup.report.json import from_json, schema, to_json


@pytest.fixture(scope="module")
def validator():
    return Draft202012Validator(schema())


@pytest.fixture
def versions(build):
    """A change of each kind; one of what came is a copy of what is there, one of what is gone."""
    a, b, c, d = (build.member("train", name) for name in "abcd")
    moved = build.member("test", "d")
    gone = dataclasses.replace(a, case="gone")
    told = (
        VersionChange("added", None, a, copy_of=gone, verdict="near", reason="cropped to 90 %"),
        VersionChange("added", None, moved),
        VersionChange("removed", gone, None),
        VersionChange("renamed", b, c),
        VersionChange("moved", d, moved, ("subject",)),
        VersionChange("changed", c, c, ("voxels", "files")),
    )
    refs = (RefInfo("v1", "*", 10), RefInfo("v2", "*", 11))
    pair = build.finding(build.member("train", "x"), moved)
    return build.report(refs, [pair], changes=told)


def test_headline(versions):
    assert headline(versions) == (
        "From v1 to v2: 2 added, 1 removed, 1 renamed, 1 moved to another split, 1 changed.",
        "1 of 3 new scans was there before.",
        "1 is a copy of what is gone.",
    )
    none = dataclasses.replace(versions, pairs=())
    assert headline(none)[1] == "None of the 3 new scans is a copy of what is still there."
    quiet = dataclasses.replace(versions, pairs=(), changes=())
    assert headline(quiet) == ("Nothing changed between v1 and v2.",)


@pytest.mark.parametrize("format_", ["table", "markdown"])
def test_every_change_is_listed(versions, format_):
    text = " ".join(render(versions, format_).split())
    for said in (
        *("train/b -> train/c", "train/d -> test/d", "another subject"),
        "near copy of train/gone, which is gone: cropped to 90 %",
        "other voxels; other files of the same content",
    ):
        assert said in text.replace("-&gt;", "->")


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_holds_the_copy(versions, format_):
    text = render(versions, format_)
    assert "train/x" in text
    assert "test/d" in text


def test_json_and_back(versions, validator):
    text = to_json(versions)
    validator.validate(json.loads(text))
    assert from_json(text).changes == versions.changes
    assert to_json(from_json(text)) == text
    assert "changes" not in json.loads(to_json(dataclasses.replace(versions, changes=None)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("change", "stolen"), ("differences", ["colour"]), ("verdict", "maybe"), ("reason", 3)),
        *(("before", {"case": 1}), ("after", "train/a"), ("copy_of", [])),
    ],
)
def test_what_no_version_has_written_is_refused(versions, validator, key, value):
    document = json.loads(to_json(versions))
    document["changes"][3][key] = value
    with pytest.raises(ValidationError):
        validator.validate(document)
    with pytest.raises(InputError, match="damaged dvdup report"):
        from_json(json.dumps(document))


def test_names_from_outside_stay_on_their_line(versions, build):
    evil = build.member("train", "a\x1b[1m\n| x")
    told = (VersionChange("added", None, evil, copy_of=evil, verdict="near", reason="\n# x"),)
    report = dataclasses.replace(versions, changes=told)
    for format_ in ("table", "markdown"):
        text = render(report, format_)
        assert "\x1b" not in text
        assert "\n# x" not in text
        assert "\n| x" not in text


def test_limits_are_told(build):
    note = {"how": "came after", "since": "v1", "cases": 2, "left_out": 1}
    report = build.report((build.TRAIN, build.TEST), [])
    limited = dataclasses.replace(report, settings={**report.settings, "limited_to": [note]})
    first, second = headline(limited)
    assert first.endswith("among what is new.")
    assert second == (
        "Only pairs with one of the 2 cases that came after v1 count; 1 other pair is left out."
    )
    for odd in (3, [3], [{"how": 1}], [{**note, "cases": "many"}]):
        settings = {**report.settings, "limited_to": odd}
        assert len(headline(dataclasses.replace(report, settings=settings))) == 1
