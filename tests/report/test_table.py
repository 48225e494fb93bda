from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from dvdup.records import Directed, Group, RefInfo, Unreadable
from dvdup.report.table import NAME_LINES, fold_name, fold_words, render

ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("name", ["small", "within", "unreadable", "many"])
def test_no_line_is_wider_than_asked(samples, name):
    for width in range(60, 201):
        lines = render(samples[name], width, False).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert not [line for line in lines if line != line.rstrip()]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), width=st.integers(10, 220))
def test_no_line_of_any_report_is_too_wide(reports, data, width):
    text = render(data.draw(reports), width, False)
    assert max(map(cell_len, text.splitlines())) <= max(width, 40)


@pytest.mark.parametrize("name", ["small", "many", "unreadable"])
@pytest.mark.parametrize("width", [60, 80, 160])
def test_colour_adds_styles_and_nothing_else(samples, name, width):
    colored = render(samples[name], width, True)
    assert "\x1b[" in colored
    assert ANSI.sub("", colored) == render(samples[name], width, False)


def test_names_inject_neither_styles_nor_lines(build):
    hostile = "[red]x[/red]\n\x1b[31my\r\t\u202ez:smile:\udc80"
    pair = build.finding(
        build.member("train", hostile, f"train/{hostile}"), build.member("test", "t"), "near"
    )
    report = build.report((build.TRAIN, build.TEST), [pair])
    text = render(report, 160, False)
    assert r"[red]x[/red]\n\x1b[31my\r\t\u202ez:smile:\udc80" in text
    plain = build.finding(build.member("train", "a"), build.member("test", "t"), "near")
    other = render(build.report((build.TRAIN, build.TEST), [plain]), 160, False)
    assert text.count("\n") == other.count("\n")
    colored = render(report, 160, True)
    assert "\x1b[31my" not in colored


def test_reasons_and_refs_are_made_printable_too(build):
    pair = build.finding(
        build.member("train", "a"), build.member("test", "t"), reason="one\ntwo \x1b[1mthree"
    )
    refs = (RefInfo("train@\x1b[1m", "train", 3), build.TEST)
    text = render(build.report(refs, [pair]), 80, False)
    assert "\x1b" not in text
    assert r"one\ntwo" in text


def test_a_cause_is_told_once_and_many_are_cut(build):
    cases = [
        Unreadable(f"p{i:04}", "test", (f"test/p{i:04}.nii",), "a pointer: fetch it")
        for i in range(2000)
    ]
    cases += [Unreadable(f"z{i}", "test", (), f"reason {i}") for i in range(20)]
    report = build.report((build.TRAIN, build.TEST), [], unreadable=tuple(cases))
    lines = render(report, 80, False).splitlines()
    assert len(lines) < 60
    assert sum("a pointer: fetch it" in line for line in lines) == 1
    assert "  ... and 1,995 more cases, all of them:" in lines
    assert any(line.startswith("... and 9 more cases for other reasons.") for line in lines)


def test_a_clean_report_is_one_line(samples):
    text = render(samples["empty"], 80, False)
    assert text == "No copy of the 41 test cases found in train.\n"


def test_copies_of_one_scan_are_one_block(build):
    train = [build.member("train", f"a{i}") for i in range(5)]
    test = [build.member("test", f"x{i}") for i in range(2)]
    pairs = [build.finding(a, b) for a in train for b in test]
    labels = tuple(sorted(case.label for case in [*train, *test]))
    refs = (build.TRAIN, build.TEST)
    grouped = build.report(refs, pairs, groups=(Group("g", labels, "identical"),))
    text = render(grouped, 80, False)
    assert text.count("identical  ") == 1
    assert "7 cases of one group, 10 pairs: 10 identical" in text
    for member in [*train, *test]:
        assert text.count(member.paths[0]) == 1
    assert render(build.report(refs, pairs), 80, False).count("identical  ") == 10


def test_a_pair_outside_the_group_of_its_cases_keeps_its_own_block(build):
    members = [build.member("train", "a"), build.member("train", "b"), build.member("test", "x")]
    a, b, x = members
    subject = build.finding(a, build.member("test", "y"), "same-subject")
    group = Group("g", tuple(sorted(case.label for case in members)), "near")
    pairs = [build.finding(a, x, "near"), build.finding(b, x, "near"), subject]
    text = render(build.report((build.TRAIN, build.TEST), pairs, groups=(group,)), 80, False)
    assert "3 cases of one group, 2 pairs: 2 near" in text
    assert "same-subject  y" in text


def test_accepted_pairs_are_listed_apart(samples):
    text = render(samples["small"], 80, False)
    findings, _, apart = text.partition("\nAccepted\n")
    assert "phantom" not in findings
    assert apart.startswith(
        "  test/phantom, train/hippocampus_005 (near)\n"
        "    a phantom, in both on purpose (until 2027-01-31)\n"
    )
    assert "1 accepted pair does not count." in text


def test_many_accepted_pairs_are_cut_and_counted(build):
    pairs = [
        build.finding(build.member("train", f"a{i}"), build.member("test", f"x{i}"), accepted=True)
        for i in range(1000)
    ]
    text = render(build.report((build.TRAIN, build.TEST), pairs), 80, False)
    assert len(text.splitlines()) < 60
    assert "\n... and 960 more accepted pairs; -f json and -f csv list all.\n" in text
    assert "0 pairs; 1,000 accepted." in text


def test_scores_are_seen_from_the_left_case(build):
    pair = build.finding(
        build.member("train", "a"),
        build.member("test", "x"),
        "near",
        shared_score=Directed(a_to_b=0.25, b_to_a=1.0),
        count_score=None,
        similarity=Directed(a_to_b=0.8, b_to_a=0.9),
        confidence=0.999,
    )
    text = render(build.report((build.TRAIN, build.TEST), [pair]), 80, False)
    assert "shared 100 % / 25 %, similarity 0.90 / 0.80\n" in text
    assert "(confidence 0.99)" in text


def test_a_long_name_keeps_head_and_tail():
    name = "head_" + "m" * 400 + "_tail.nii.gz"
    lines = fold_name(name, 20)
    assert len(lines) == NAME_LINES
    joined = "".join(lines)
    assert joined.startswith("head_")
    assert joined.endswith("_tail.nii.gz")
    assert "..." in joined


@given(st.text(max_size=300), st.integers(6, 90))
def test_folded_names_fit(name, width):
    lines = fold_name(name, width)
    assert all(cell_len(line) <= width for line in lines)
    if "..." not in "".join(lines):
        assert "".join(lines) == name


@given(st.text(max_size=300), st.integers(6, 90))
def test_folded_sentences_fit_and_lose_nothing(text, width):
    lines = fold_words(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
