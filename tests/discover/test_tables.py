"""Tables with the path and the split of each scan."""

from __future__ import annotations

import pytest

from dvdup.errors import ConfigError, InputError


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("path,split", ","),
        ("File Path;Set", ";"),
        ("image_path\tfold", "\t"),
        ("\ufeffFilename,Partition", ","),
        ("nifti|subset", "|"),
    ],
)
def test_headers_and_delimiters_people_use(touch, tmp_path, found, header, delimiter):
    touch("scans/a.nii.gz", "scans/b.nii.gz")
    rows = [header, f"scans/a.nii.gz{delimiter}train", f"scans/b.nii.gz{delimiter}test", ""]
    (tmp_path / "list.csv").write_text("\n".join(rows), encoding="utf-8")
    cases, _ = found()
    assert cases == {("train", "a"): ("scans/a.nii.gz",), ("test", "b"): ("scans/b.nii.gz",)}


def test_case_and_group_columns(touch, tmp_path, declared):
    touch("a.nii.gz", "b.nii.gz")
    (tmp_path / "list.csv").write_text(
        'Patient_ID,path,case id,split\np1,a.nii.gz,"first, scan",train\np1,b.nii.gz,,test\n'
    )
    assert [(case.key, case.group) for case in declared(csv="list.csv").cases] == [
        (("test", "b"), "p1"),
        (("train", "first, scan"), "p1"),
    ]


def test_ids_begin_below_what_holds_the_split(touch, tmp_path, found):
    touch("x/p1/a.nii.gz", "x/p2/a.nii.gz", "y/b.nii.gz")
    (tmp_path / "list.csv").write_text(
        "path,split\nx/p1/a.nii.gz,train\nx/p2/a.nii.gz,train\ny/b.nii.gz,test\n"
    )
    assert list(found()[0]) == [("test", "b"), ("train", "p1/a"), ("train", "p2/a")]


def test_a_missing_file_is_a_case_all_the_same(touch, tmp_path, found):
    touch("a.nii.gz")
    (tmp_path / "list.csv").write_text("path,split\na.nii.gz,train\ngone.nii.gz,test\n")
    assert ("test", "gone") in found()[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,colour\na.nii.gz,red\n", "no column for the split"),
        ("colour,split\nred,train\n", "no column for the path"),
        ("", "no column for the path"),
    ],
)
def test_tables_without_the_columns(touch, tmp_path, found, text, words):
    touch("a.nii.gz")
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(ConfigError, match=words):
        found(csv="list.csv")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a.nii.gz,", "line 2: split '' is empty"),
        ("a.nii.gz,a@b", "line 2: split 'a@b'"),
        (",train", "line 2 has no path"),
    ],
)
def test_rows_that_cannot_be_used(touch, tmp_path, found, row, words):
    touch("a.nii.gz")
    (tmp_path / "list.csv").write_text(f"path,split\n{row}\n")
    with pytest.raises(InputError, match=words):
        found(csv="list.csv")


def test_no_table_of_that_name(touch, found):
    touch("a.nii.gz")
    with pytest.raises(ConfigError, match="no such file"):
        found(csv="list.csv")


def test_not_text(touch, tmp_path, found):
    touch("a.nii.gz")
    (tmp_path / "list.csv").write_bytes(b"path,split\n\xff\xfe,train\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        found(csv="list.csv")


def test_the_same_row_twice_counts_once(touch, tmp_path, found):
    touch("a.nii.gz", "b.nii.gz")
    (tmp_path / "list.csv").write_text(
        "path,split\na.nii.gz,train\na.nii.gz,train\nb.nii.gz,test\n"
    )
    assert list(found()[0]) == [("test", "b"), ("train", "a")]


def test_excluded_rows_are_left_out(touch, tmp_path, found):
    touch("a.nii.gz", "b.nii.gz", "c_seg.nii.gz")
    (tmp_path / "list.csv").write_text(
        "path,split\na.nii.gz,train\nb.nii.gz,test\nc_seg.nii.gz,train\n"
    )
    cases, left = found(csv="list.csv", exclude=("a.nii.gz",))
    assert list(cases) == [("test", "b"), ("train", "c_seg")]
    assert left["a.nii.gz"] == "excluded by a.nii.gz"
    with pytest.raises(InputError, match="split test has no scan"):
        found(csv="list.csv", exclude=("b.nii.gz",))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.json", '{"training": [{"image": "secret.nii.gz"}]}'),
        ("list.csv", '[{"image": "secret.nii.gz", "split": "train"}]'),
        ("train.txt", "secret.nii.gz\nb.nii.gz\n"),
    ],
)
def test_other_texts_are_told_in_one_sentence(touch, tmp_path, found, name, text):
    touch("a.nii.gz")
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=r"(not a table|one column only).*columns path") as told:
        found(csv=name)
    assert ("secret" in str(told.value), "\n" in str(told.value)) == (False, False)


def test_init_tells_columns_and_files_that_are_away(touch, tmp_path, detect):
    touch("a.nii.gz", "b.mat")
    (tmp_path / "list.csv").write_text(
        "path,split,MRN,age\na.nii.gz,train,1,9\nb.mat,test,2,9\ngone.nii.gz,test,3,9\n"
    )
    notes = "\n".join(detect().notes)
    assert "1 scan (0 in test, 1 in train)" in notes
    assert "MRN for the group; not used: age" in notes
    assert "not here: gone.nii.gz" in notes
    assert "not read: b.mat" in notes
