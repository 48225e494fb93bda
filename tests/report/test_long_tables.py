"""Tables of 3, 30 and 300 findings at 80 and 120 columns, against kept files that were looked at.

`UPDATE_GOLDEN=1 pytest tests/report/test_long_tables.py` rewrites them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvdup.records import VERDICTS, Group, RefInfo, Unreadable
from dvdup.report.table import render

KEPT = Path(__file__).parent / "tables"
REFS = (RefInfo("train", "train", 1000), RefInfo("test", "test", 600))
VERDICT = ("near", "identical", "near", "partial", "same-subject")
DONE = ("rotated 15 degrees, resampled", "noise added", "rotated 15 degrees, resampled", "cropped")


def pairs(build, n: int):
    """Of all verdicts, in the order that a report has."""
    found = []
    for i in range(n):
        path = f"train/sub-{i:04}/anat/sub-{i:04}_ses-1_T1w.nii.gz"
        one = build.member("train", f"sub-{i:04}_ses-1_T1w", path)
        verdict = VERDICT[i % 5]
        reason = (
            f"{DONE[i % 4]}; local correlation 0.998, of fine structures 0.988; axial slices 6-36 "
            "match 6-36, offset +1 mm, scale 0.99"
        )
        said = {"reason": reason} if verdict in ("near", "partial") else {}
        found.append(build.finding(one, build.member("test", f"case_{i:03}"), verdict, **said))
    return sorted(found, key=lambda each: (VERDICTS.index(each.verdict), each.b.case))


def findings(build, n: int):
    return build.report(REFS, pairs(build, n))


def copies(build):
    """One scan, 50 times in train and 6 times in test."""
    train = [build.member("train", f"a{i:02}") for i in range(50)]
    test = [build.member("test", f"x{i}") for i in range(6)]
    found = [build.finding(a, b) for a in train for b in test]
    labels = tuple(sorted(case.label for case in (*train, *test)))
    return build.report(REFS, found, groups=(Group("g", labels, "identical"),))


def pointers(build):
    """2,000 cases that are not here, and one that cannot be read."""
    why = "git-lfs pointer, the content is not here: run `git lfs pull`"
    cases = [Unreadable(f"p{i:04}", "test", (f"test/p{i:04}.nii.gz",), why) for i in range(2000)]
    cases.append(Unreadable("cut", "train", ("train/cut.nii.gz",), "cut off after 1,024 bytes"))
    return build.report((build.TRAIN, RefInfo("test", "test", 2000)), [], unreadable=tuple(cases))


MADE = {
    "3": lambda build: findings(build, 3),
    "30": lambda build: findings(build, 30),
    "300": lambda build: findings(build, 300),
    "copies": copies,
    "pointers": pointers,
}
LINES = {"3": 32, "30": 92, "300": 105, "copies": 35, "pointers": 20}
"""At most so many, at both widths."""


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", MADE)
def test_the_table_is_the_kept_one(build, name, width):
    text = render(MADE[name](build), width, False)
    file = KEPT / f"{name}.{width}.txt"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text.encode())
    assert text == file.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= LINES[name]
    assert max(map(len, lines)) <= width


def test_what_is_cut_is_counted_and_a_command_shows_it(build):
    assert "... and 260 more findings." in render(findings(build, 300), 80, False)
    assert "... and 42 more" in render(copies(build), 80, False)
    assert "... and 1,995 more cases, all of them:" in render(pointers(build), 80, False)
    for name in ("30", "300", "copies"):
        text = " ".join(render(MADE[name](build), 80, False).split())
        assert "-f concise tells all, with -o report.html shows it." in text


def test_a_side_that_is_longer_by_one_is_not_cut(build):
    """The line that says so would take as much room."""
    train = [build.member("train", f"a{i}") for i in range(9)]
    x = build.member("test", "x")
    labels = tuple(sorted(case.label for case in (*train, x)))
    groups = (Group("g", labels, "identical"),)
    found = [build.finding(a, x) for a in train]
    text = render(build.report(REFS, found, groups=groups), 80, False)
    assert "more" not in text
    assert all(f"train/a{i}.nii.gz" in text for i in range(9))


def test_a_cause_is_told_again_where_another_one_stood_between(build):
    text = render(findings(build, 30), 120, False)
    rows = [line for line in text.splitlines() if line.startswith(VERDICTS)]
    assert len(rows) == 30
    by_verdict = [line for line in rows if line.startswith("near ")]
    causes = [next((d for d in {*DONE} if d in line), "") for line in by_verdict]
    reasons = [DONE[i % 4] for i in range(30) if VERDICT[i % 5] == "near"]
    before = [None, *reasons[:-1]]
    assert causes == [r if r != b else "" for r, b in zip(reasons, before, strict=True)]
