from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from dvdup.records import RefInfo, Report, Unreadable
from dvdup.report.headline import headline, next_steps, summary
from dvdup.report.totals import comparisons, totals


@pytest.fixture
def between(build):
    """A report of train and test with findings given as (train case, test case, verdict)."""

    def make(*pairs, refs=None, **changes):
        findings = [
            build.finding(build.member("train", a), build.member("test", b), verdict)
            for a, b, verdict in pairs
        ]
        return build.report(refs or (build.TRAIN, build.TEST), findings, **changes)

    return make


def broken(split: str, *cases: str) -> tuple[Unreadable, ...]:
    return tuple(Unreadable(case, split, (), "broken") for case in cases)


def test_a_case_counts_once_however_many_partners(between):
    report = between(
        ("a", "x", "identical"), ("b", "x", "near"), ("c", "x", "partial"), ("c", "y", "near")
    )
    assert headline(report) == ("2 of 41 test cases are already in train (4.9 %).",)
    assert totals(report).pairs == 4


def test_singular(between):
    report = between(("a", "x", "partial"))
    assert headline(report) == ("1 of 41 test cases is already in train (2.4 %).",)


def test_a_copy_is_not_counted_again_as_same_subject(between):
    report = between(("a", "x", "near"), ("b", "x", "same-subject"), ("b", "y", "same-subject"))
    assert headline(report)[1:] == (
        "1 more of 41 test cases is of a subject that is also in train.",
    )


def test_same_subject_alone(between):
    report = between(("b", "x", "same-subject"), ("b", "y", "same-subject"))
    assert headline(report) == (
        "2 of 41 test cases are of a subject that is also in train.",
        "No scan itself was found twice.",
    )


def test_nothing_found(between):
    assert headline(between()) == ("No copy of the 41 test cases found in train.",)
    assert next_steps(between()) == ()


def test_accepted_pairs_are_left_out_and_said(build):
    pair = build.finding(build.member("train", "a"), build.member("test", "x"), accepted=True)
    report = build.report((build.TRAIN, build.TEST), [pair])
    assert headline(report) == (
        "No copy of the 41 test cases found in train apart from accepted pairs.",
        "1 accepted pair does not count.",
    )
    assert totals(report).pairs == 0
    assert totals(report).accepted == 1
    assert totals(report).verdicts["identical"] == 0


@pytest.mark.parametrize(
    ("unreadable", "expected"),
    [
        (
            broken("test", "p", "q"),
            "could not check 2 of 41 test cases."
            "|No copy of the 39 other test cases found in train.",
        ),
        (
            broken("train", "p"),
            "could not check 1 of 100 train cases."
            "|No copy of the 41 test cases found in the rest of train.",
        ),
        (
            broken("test", *map(str, range(41))),
            "could not check 41 of 41 test cases.|No test case was compared.",
        ),
        (
            broken("train", *map(str, range(100))),
            "could not check 100 of 100 train cases."
            "|Nothing was compared, for lack of train cases.",
        ),
    ],
)
def test_an_incomplete_check_never_sounds_clean(between, unreadable, expected):
    report = between(unreadable=unreadable)
    assert "|".join(headline(report)) == f"Incomplete: {expected}"
    assert f"{len(unreadable)} could not be checked" in summary(report)


def test_an_incomplete_check_with_findings_says_both(between):
    report = between(("a", "x", "near"), unreadable=broken("test", "p"))
    assert headline(report) == (
        "1 of 41 test cases is already in train (2.4 %).",
        "Incomplete: could not check 1 of 41 test cases.",
    )


def test_one_split_against_itself(samples):
    assert headline(samples["within"]) == (
        "5 of 160 train cases have a copy within train (3.1 %).",
    )


@pytest.mark.parametrize("refs", [1, 2])
def test_one_clean_split_against_itself(build, refs):
    report = build.report((build.TRAIN,) * refs, [])
    assert headline(report) == ("No copies found within the 100 train cases.",)
    assert totals(report).cases == {"train": 100}


def asked_within(report):
    return dataclasses.replace(report, settings={**report.settings, "within": True})


def test_splits_and_what_is_inside_them(build):
    """That it was looked inside the splits is said, whatever is found and where."""
    one, other = build.member("train", "a"), build.member("train", "b")
    refs, leak = (build.TRAIN, build.TEST), build.finding(one, build.member("test", "x"))
    clean = asked_within(build.report(refs, []))
    assert headline(clean) == (
        "No copy found among 141 cases in 2 splits, neither between splits nor within one.",
    )
    assert headline(asked_within(build.report(refs, [leak]))) == (
        "1 of 41 test cases is already in train (2.4 %).",
        "No copies found within train and test.",
    )
    assert headline(asked_within(build.report(refs, [build.finding(one, other)]))) == (
        "2 of 100 train cases have a copy within train (2.0 %).",
        "No copy found between splits.",
        "No copies found within test.",
    )


def test_several_splits(between):
    refs = (RefInfo("train", "train", 100), RefInfo("val", "val", 9), RefInfo("test", "test", 41))
    assert headline(between(("a", "x", "near"), refs=refs)) == (
        "1 of 41 test cases is already in train (2.4 %).",
        "No copy found between the other 2 pairs of splits.",
    )
    assert headline(between(refs=refs)) == ("No copy found among 150 cases in 3 splits.",)
    assert headline(between(refs=refs, unreadable=broken("val", "p"))) == (
        "Incomplete: could not check 1 of 9 val cases.",
        "No copy found among the rest of 150 cases in 3 splits.",
    )


def test_sides_count_by_split_not_by_position(build):
    """A pair whose side a lies in the later ref is counted where it belongs."""
    pair = build.finding(build.member("test", "x"), build.member("train", "a"))
    report = build.report((build.TRAIN, build.TEST), [pair])
    assert headline(report) == ("1 of 41 test cases is already in train (2.4 %).",)


def test_two_versions_of_one_split(build):
    refs = (RefInfo("train@v1", "train", 90), build.TRAIN)
    pairs = [build.finding(build.member("train", "old"), build.member("train", "new"))]
    report = build.report(refs, pairs)
    assert headline(report) == ("1 of 100 train cases is already in train@v1 (1.0 %).",)
    assert totals(report).cases == {"train@v1": 90, "train": 100}


def test_files_given_by_hand(build):
    refs = (build.TRAIN, build.TEST, RefInfo("scan.nii.gz", "", 1))
    scan = build.member("", "scan", "scan.nii.gz")
    found = build.report(refs, [build.finding(build.member("train", "a"), scan)])
    assert headline(found) == (
        "scan.nii.gz is already in train.",
        "No copy found between the other pair of splits.",
    )
    assert headline(build.report(refs, [])) == ("No copy of scan.nii.gz found in train and test.",)
    files = (RefInfo("a.nii", "", 1), RefInfo("b.nii", "", 1))
    pair = build.finding(build.member("", "a"), build.member("", "b"))
    assert headline(build.report(files, [pair])) == ("a.nii is the same scan as b.nii.",)
    assert headline(build.report(files, [])) == ("a.nii is no copy of b.nii.",)


def test_empty_index():
    report = Report({}, (), (), (), ())
    assert headline(report) == ("Nothing to compare: the index holds no case.",)
    assert comparisons(report) == ()


@pytest.mark.parametrize(
    ("verdict", "step"),
    [("near", "Keep each scan in one split only"), ("same-subject", "Keep all scans of one subj")],
)
def test_next_steps_fit_the_findings(between, verdict, step):
    steps = next_steps(between(("a", "x", verdict)))
    assert steps[0].startswith(step)
    assert steps[-1] == "Then run the same command again."


def test_summary_adds_up(samples):
    assert summary(samples["small"]) == (
        "4 pairs: 1 identical, 1 near, 1 partial, 1 same-subject; 1 accepted. "
        "Cases: 41 test, 100 train."
    )


def test_same_subject_within_a_split_and_of_a_file(build):
    a, b = build.member("train", "a"), build.member("train", "b")
    within = build.report((build.TRAIN,), [build.finding(a, b, "same-subject")])
    assert headline(within)[0] == (
        "2 of 100 train cases share the subject with another case of train."
    )
    scan = RefInfo("scan.nii.gz", "", 1)
    pair = build.finding(a, build.member("", "scan", "scan.nii.gz"), "same-subject")
    assert headline(build.report((build.TRAIN, scan), [pair]))[0] == (
        "scan.nii.gz shows a subject that is also in train."
    )


def test_next_steps_for_rows_of_arrays(build):
    rows = [
        build.member(split, f"X_{split}.npy#00000{n}", f"data/X_{split}.npy")
        for n, split in enumerate(("train", "test", "train"))
    ]
    file = build.member("test", "a#1")
    refs = (build.TRAIN, build.TEST)
    alone = build.report(refs, [build.finding(rows[0], rows[1])])
    assert "move one row of every pair" in next_steps(alone)[0]
    mixed = build.report(refs, [build.finding(rows[0], rows[1]), build.finding(rows[0], file)])
    assert "move one file or row of every pair" in next_steps(mixed)[0]
    within = build.report((build.TRAIN,), [build.finding(rows[0], rows[2])])
    assert "remove the other rows of every pair" in next_steps(within)[0]
    kin = build.report(refs, [build.finding(rows[0], rows[1], "same-subject")])
    assert "row" not in next_steps(kin)[0]


def test_next_steps_for_files_and_within(build):
    a, b = build.member("train", "a"), build.member("train", "b")
    within = build.report((build.TRAIN,), [build.finding(a, b)])
    assert next_steps(within)[0] == "Keep each scan once: remove the other files of every pair."
    refs = (build.TRAIN, RefInfo("scan.nii.gz", "", 1))
    pair = build.finding(a, build.member("", "scan", "scan.nii.gz"))
    assert next_steps(build.report(refs, [pair])) == ("Leave out what is already there.",)


def look_alikes(withheld: int) -> dict:
    told = {"refs": ["test", "train"], "threshold": 7.07, "pairs": 812, "withheld": withheld}
    return {"thresholds": {"voxels": {"copy": 5.0}}, "look_alikes": [told]}


@pytest.mark.parametrize("withheld", [0, 440])
def test_look_alikes_are_told(between, withheld):
    report = replace(between(("a", "x", "near")), settings=look_alikes(withheld))
    told = headline(report)
    assert told[1] == (
        "Scans of test and train resemble one another, as scans brought to one template do: a "
        "copy among them has a strength of 7.1, not 5.0, which 812 pairs told."
    )
    assert told[2:] == (("440 pairs below it are not called copies.",) if withheld else ())


def test_candidates_that_may_have_been_missed_are_told(between):
    pairs = [["train", "test"], ["train", "val"]]
    report = replace(between(("a", "x", "near")), settings={"approximate": pairs})
    assert headline(report)[1:] == (
        "Candidates of test and train and val were searched approximately, as there are so many "
        "cases: strongly changed copies can be missed.",
    )


def test_settings_of_another_version_are_no_error(between):
    voxels = {"voxels": {"copy": 5.0}}
    alike = {"refs": ["train"], "threshold": 6.0, "pairs": 2, "withheld": 1}
    for settings in (
        {},
        {"approximate": 3},
        {"look_alikes": 3},
        {"look_alikes": [{}]},
        {"look_alikes": [{**alike, "refs": None}], "thresholds": voxels},
        {"look_alikes": [{**alike, "threshold": 10**400}], "thresholds": voxels},
        {"look_alikes": [alike], "thresholds": {"voxels": {"copy": 10**400}}},
        {"limited_to": [{"how": "came after", "since": "v1", "cases": 1e999, "left_out": 0}]},
    ):
        assert len(headline(replace(between(), settings=settings))) == 1, settings
