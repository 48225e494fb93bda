"""Files and folders named on the command line."""

from __future__ import annotations

import pytest

from dvdup.errors import InputError


def test_files_folders_and_patterns(touch, by_hand):
    touch("a.nii.gz", "more/b.nii.gz", "more/deep/c.nrrd", "x1.nii", "x2.nii")
    cases = by_hand("a.nii.gz", "more", "x?.nii")
    assert [case.case_id for case in cases] == ["a", "b", "deep/c", "x1", "x2"]
    assert {case.origin for case in cases} == {"added"}
    assert cases[1].files == ("more/b.nii.gz",)


def test_a_file_outside_the_root_keeps_its_path(touch, by_hand, tmp_path):
    touch("in/a.nii.gz")
    outside = tmp_path.parent / "outside.nii.gz"
    outside.touch()
    (case,) = by_hand(outside)
    assert case.files == (outside.as_posix(),)
    outside.unlink()


def test_case_and_group_by_hand(touch, by_hand):
    touch("a.nii.gz", "b.nii.gz")
    (case,) = by_hand("a.nii.gz", case="mine", group="p7")
    assert (case.case_id, case.group) == ("mine", "p7")
    with pytest.raises(InputError, match="--case names one scan"):
        by_hand("a.nii.gz", "b.nii.gz", case="mine")


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["gone.nii.gz"], "there is no gone"),
        (["*.mgz"], r"there is no \*\.mgz"),
        (["empty"], "holds no scan"),
        (["a.nii.gz", "sub/a.nii.gz"], "both are case a"),
    ],
)
def test_what_cannot_be_added(touch, by_hand, paths, words):
    touch("a.nii.gz", "sub/a.nii.gz", "empty/notes.txt")
    with pytest.raises(InputError, match=words):
        by_hand(*paths)


def test_a_named_label_map_is_taken_an_excluded_file_is_not(touch, by_hand):
    touch("a_seg.nii.gz", "old/b.nii.gz")
    assert [case.case_id for case in by_hand("a_seg.nii.gz")] == ["a_seg"]
    with pytest.raises(InputError, match="left out"):
        by_hand("old/b.nii.gz", exclude=("old/",))
    with pytest.raises(InputError, match="left out"):
        by_hand("old", exclude=("old/",))


def test_a_split_needs_a_name_that_refs_can_have(touch, by_hand):
    touch("a.nii.gz")
    with pytest.raises(InputError, match="a@b"):
        by_hand("a.nii.gz", split="a@b")


def test_a_file_no_reader_claims_is_a_case_that_tells(touch, by_hand):
    touch("notes.txt")
    assert [case.files for case in by_hand("notes.txt")] == [("notes.txt",)]
