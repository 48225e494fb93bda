"""GitLab's code quality report, lines of JSON, and one line a finding."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dvdup.report import render
from dvdup.report.json import schema, to_document

SEVERITIES = {"info", "minor", "major", "critical", "blocker"}


def demand_entry(entry: Any) -> None:
    """What GitLab's documentation asks of an entry."""
    assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}
    assert entry["severity"] in SEVERITIES
    assert all(isinstance(entry[key], str) and entry[key] for key in entry if key != "location")
    assert entry["location"]["path"]
    assert not entry["location"]["path"].startswith("./")
    assert isinstance(entry["location"]["lines"]["begin"], int)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_report_is_a_code_quality_report(reports, data):
    report = data.draw(reports)
    entries = json.loads(render(report, "gitlab"))
    for entry in entries:
        demand_entry(entry)
    open_pairs = [pair for pair in report.pairs if not pair.accepted]
    assert len(entries) == len(open_pairs) + len(report.unreadable)


@pytest.mark.parametrize("make", ["sixty", "odd"])
def test_each_fingerprint_is_given_once(build, make):
    entries = json.loads(render(getattr(build, make)(), "gitlab"))
    assert len({entry["fingerprint"] for entry in entries}) == len(entries) >= 28


def test_paths_are_those_of_the_files(build):
    entries = json.loads(render(build.odd(), "gitlab"))
    for entry, name in zip(entries, build.ODD, strict=False):
        assert entry["location"]["path"] == f"test/{name} copy.nii.gz"
        assert entry["description"].isprintable()


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_lines_of_json_hold_the_whole_report(reports, data):
    report = data.draw(reports)
    head, *rest = [json.loads(line) for line in render(report, "jsonl").splitlines()]
    assert head.pop("kind") == "report"
    pairs = [line for line in rest if line["kind"] == "pair"]
    groups = [line for line in rest if line["kind"] == "group"]
    unreadable = [line for line in rest if line["kind"] in ("unreadable", "stale")]
    notes = [line for line in rest if line["kind"] == "note"]
    for line in [*pairs, *groups, *notes]:
        del line["kind"]
    document = {**head, "pairs": pairs, "groups": groups, "unreadable": unreadable}
    document |= {"notes": notes} if notes else {}
    assert document == json.loads(json.dumps(to_document(report)))
    Draft202012Validator(schema()).validate(document)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_one_line_a_finding(reports, data):
    report = data.draw(reports)
    open_pairs = [pair for pair in report.pairs if not pair.accepted]
    lines = render(report, "concise").splitlines()
    assert len(lines) == len(open_pairs) + len(report.unreadable) + 1
    for line, pair in zip(lines, open_pairs, strict=False):
        assert line.startswith(f"{pair.verdict}: ")


def test_a_line_names_both_cases_and_their_files(samples):
    lines = render(samples["small"], "concise").splitlines()
    assert lines[1] == (
        "near: test/exported_7 (test/exported_7.nrrd) is a processed copy of train/hippocampus_002 "
        "(train/hippocampus_002.nii.gz): slices agree throughout (confidence 0.99)"
    )
    assert lines[2].startswith("partial: test/slab (test/slab/ (60 files)) shares a part with ")
    assert lines[-1].startswith("4 pairs: 1 identical, 1 near, 1 partial, 1 same-subject; 1 accep")
