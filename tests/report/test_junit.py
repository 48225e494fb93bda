"""The XML by its published schema, whose rules for the elements used stand here in words."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.report import render

ALLOWED: dict[str, tuple[set[str], set[str], set[str]]] = {
    # element: attributes it must have, those it may have, elements it may hold (junit-10.xsd)
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name"},
        {"time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
    "skipped": (set(), {"type", "message"}, set()),
    "system-out": (set(), set(), set()),
}


def read(report: Any) -> ElementTree.Element:
    """The suite, after it has been checked."""
    top = ElementTree.fromstring(render(report, "junit").encode())
    assert top.tag == "testsuites"
    for element in top.iter():
        required, optional, children = ALLOWED[element.tag]
        assert required <= set(element.attrib) <= required | optional
        assert {child.tag for child in element} <= children
    (suite,) = top
    counts = {"tests": "testcase", "failures": ".//failure", "errors": ".//error"}
    for name, path in counts.items():
        assert int(suite.attrib[name]) == int(top.attrib[name]) == len(suite.findall(path))
    assert int(suite.attrib["skipped"]) == len(suite.findall(".//skipped"))
    return suite


@pytest.mark.parametrize("name", ["small", "empty", "within", "unreadable", "stale", "many"])
def test_samples_fulfil_the_schema(samples, name):
    read(samples[name])


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_report_fulfils_the_schema(reports, data):
    report = data.draw(reports)
    suite = read(report)
    assert len(suite.findall("testcase")) == max(1, len(report.pairs) + len(report.unreadable))


def test_what_fails_what_is_accepted_and_what_was_not_checked(samples, build):
    suite = read(samples["small"])
    kinds = [case[0].tag for case in suite.findall("testcase")]
    assert kinds == ["failure"] * 4 + ["skipped"]
    message = suite.findall("testcase")[-1][0].attrib["message"]
    assert message.endswith("; accepted: a phantom, in both on purpose (until 2027-01-31)")
    assert len(read(samples["unreadable"]).findall("testcase/error")) == 3
    skipped = read(build.sixty()).findall("testcase[@classname='dvdup.same-subject']/skipped")
    assert len(skipped) == 20


def test_a_clean_report_is_a_test_that_passes(samples):
    (case,) = read(samples["empty"]).findall("testcase")
    assert len(case) == 0
    assert case.attrib["name"] == "No copy of the 41 test cases found in train."


def test_odd_names_stay_apart(build):
    names = [case.attrib["name"] for case in read(build.odd()).findall("testcase")]
    assert len(set(names)) == len(names) == 2 * len(build.ODD)
    assert names[8] == "test/<script>alert(1)</script> copy and train/<script>alert(1)</script>"
