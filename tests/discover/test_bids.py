"""BIDS: subjects, sessions, entities, splits in tables, what is left out, what is not there."""

from __future__ import annotations

import pytest

from dvdup.errors import ConfigError, InputError


@pytest.fixture
def bids(touch, tmp_path):
    """A small tree of its real form."""
    touch("dataset_description.json", "README", "CHANGES", ".bidsignore")
    for subject in ("01", "02", "03"):
        for session in ("a", "b"):
            start = f"sub-{subject}/ses-{session}"
            name = f"sub-{subject}_ses-{session}"
            touch(
                f"{start}/anat/{name}_T1w.nii.gz",
                f"{start}/anat/{name}_T1w.json",
                f"{start}/func/{name}_task-rest_run-01_bold.nii.gz",
                f"{start}/func/{name}_task-rest_run-01_events.tsv",
                f"{start}/eeg/{name}_task-rest_eeg.set",
            )
    touch("derivatives/fmriprep/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz")
    touch("sourcedata/sub-01/1.dcm", "code/test/a.nii.gz", "extra/a.nii.gz")
    return tmp_path


def table(folder, text):
    (folder / "participants.tsv").write_text(text.replace(" ", "\t"), encoding="utf-8")


def test_without_a_split_all_is_one(bids, declared):
    declaration = declared()
    assert {case.split for case in declaration.cases} == {"all"}
    assert [case.case_id for case in declaration.cases[:3]] == [
        "sub-01_ses-a_T1w",
        "sub-01_ses-a_task-rest_run-01_bold",
        "sub-01_ses-b_T1w",
    ]
    assert [case.group for case in declaration.cases].count("sub-01") == 4
    left = {path.path: path.reason for path in declaration.ignored}
    assert left["derivatives/"] == "BIDS derivatives/"
    assert left["sourcedata/"] == "BIDS sourcedata/"
    assert left["sub-01/ses-a/eeg/"] == "recording without images"
    assert left["extra/"] == "no subject"


def test_split_column_of_participants(bids, declared, detect):
    table(bids, "participant_id age split\nsub-01 1 train\nsub-02 2 test\nsub-03 3 n/a\n")
    splits = {case.group: case.split for case in declared().cases}
    assert splits == {"sub-01": "train", "sub-02": "test"}
    left = {path.path for path in declared().ignored if path.reason == "in no split"}
    assert "sub-03/ses-a/anat/sub-03_ses-a_T1w.nii.gz" in left
    notes = detect().notes
    assert notes[0] == "found BIDS: 8 scans (4 in test, 4 in train)"
    assert notes[1] == "participants.tsv: split for the split; not used: age"
    assert "in no split: 4" in notes[-1]


def test_labels_without_sub_are_subjects(bids, declared):
    table(bids, "participant_id split\n01 train\n02 test\n03 test\n")
    assert {case.split for case in declared().cases} == {"train", "test"}


def test_sessions_go_before_participants(bids, declared):
    table(bids, "participant_id split\nsub-01 train\nsub-02 train\nsub-03 train\n")
    (bids / "sub-02/sub-02_sessions.tsv").write_text(
        "session_id\tsplit\nses-b\ttest\nses-a\ttrain\n"
    )
    keys = {case.case_id: case.split for case in declared().cases}
    assert keys["sub-02_ses-b_T1w"] == "test"
    assert keys["sub-02_ses-a_T1w"] == "train"
    assert keys["sub-01_ses-b_T1w"] == "train"


def test_scans_go_before_sessions_and_missing_ones_are_cases(bids, declared):
    table(bids, "participant_id split\nsub-01 train\nsub-02 train\nsub-03 train\n")
    (bids / "sub-03/ses-a/sub-03_ses-a_scans.tsv").write_text(
        "filename\tsplit\nanat/sub-03_ses-a_T1w.nii.gz\ttest\nanat/sub-03_ses-a_T2w.nii.gz\ttest\n"
        "func/sub-03_ses-a_task-rest_run-01_bold.nii.gz\ttrain\neeg/sub-03_gone_eeg.set\ttest\n"
    )
    test = {case.case_id: case.files for case in declared().cases if case.split == "test"}
    assert test == {
        "sub-03_ses-a_T1w": ("sub-03/ses-a/anat/sub-03_ses-a_T1w.nii.gz",),
        "sub-03_ses-a_T2w": ("sub-03/ses-a/anat/sub-03_ses-a_T2w.nii.gz",),
    }


def test_a_subject_that_is_not_there_is_a_case(bids, declared):
    table(bids, "participant_id split\nsub-01 train\nsub-02 test\nsub-03 test\nsub-04 test\n")
    (case,) = (case for case in declared().cases if case.group == "sub-04")
    assert (case.split, case.files) == ("test", ("sub-04",))


def test_one_column_and_other_columns(bids, declared):
    table(bids, "participant_id\nsub-01\nsub-02\nsub-03\n")
    assert {case.split for case in declared().cases} == {"all"}
    table(bids, "participant_id phase\nsub-01 1\nsub-02 2\nsub-03 1\n")
    assert {case.split for case in declared().cases} == {"all"}


def test_a_split_that_is_no_name(bids, declared):
    table(bids, "participant_id split\nsub-01 a/b\n")
    with pytest.raises(
        ConfigError, match=r"participants\.tsv, line 2: split 'a/b' has a character"
    ):
        declared()


def test_splits_by_pattern_and_by_table(bids, declared):
    found = declared(layout="bids", splits={"train": ("sub-0[12]",), "test": ("sub-03",)})
    assert {(case.group, case.split) for case in found.cases} == {
        ("sub-01", "train"), ("sub-02", "train"), ("sub-03", "test"),
    }  # fmt: skip
    assert len(found.cases) == 12
    assert found.cases[0].case_id == "sub-03_ses-a_T1w"
    (bids / "splits.csv").write_text("subject,split\n01,train\nsub-02,train\n03,test\n")
    by_table = declared(layout="bids", csv="splits.csv").cases
    assert [(case.split, case.files, case.group is None) for case in by_table] == [
        (case.split, case.files, False) for case in found.cases
    ]


def test_names_that_two_subjects_share_keep_their_folders(touch, declared):
    touch("participants.tsv", "sub-1/anat/T1w.nii.gz", "sub-2/anat/T1w.nii.gz")
    (touch() / "participants.tsv").write_text("participant_id\nsub-1\nsub-2\n")
    assert [case.case_id for case in declared().cases] == ["sub-1/anat/T1w", "sub-2/anat/T1w"]


def test_a_tree_in_rawdata(touch, declared, detect):
    touch("rawdata/sub-1/anat/sub-1_T1w.nii.gz", "rawdata/dataset_description.json")
    touch("derivatives/a/sub-1/anat/sub-1_T1w.nii.gz")
    assert [case.files for case in declared().cases] == [("rawdata/sub-1/anat/sub-1_T1w.nii.gz",)]
    assert (detect().dataset.layout, detect().dataset.path) == ("bids", "rawdata")


def test_subjects_without_images(touch, declared):
    touch("sub-1/eeg/sub-1_eeg.set", "dataset_description.json")
    with pytest.raises(InputError, match="split all has no scan"):
        declared()


def test_no_subjects(touch, declared):
    touch("a.nii.gz")
    with pytest.raises(ConfigError, match=r"no subjects such as sub-01/"):
        declared(layout="bids")


def test_subjects_beside_split_folders_are_no_bids(touch, detect):
    touch("train/a.nii.gz", "test/b.nii.gz", "sub-01/a.nii.gz")
    assert detect().dataset.layout == "folders"


@pytest.mark.parametrize("label", ["sub-01", "01"])
def test_a_subject_in_two_splits_by_two_lines(bids, declared, label):
    table(bids, f"participant_id split\nsub-01 train\nsub-02 test\n{label} test\n")
    with pytest.raises(ConfigError, match=r"line 4: sub-01 is in split test, and in train by a li"):
        declared(layout="bids")


def test_a_line_without_a_split_takes_none_away(bids, declared):
    table(bids, "participant_id split\nsub-01 train\nsub-02 test\n01 n/a\n")
    assert {case.group: case.split for case in declared().cases}["sub-01"] == "train"
