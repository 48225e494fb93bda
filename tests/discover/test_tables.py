"""Tables with the path and the split of each scan."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from pyarrow import parquet

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


def rows(path, table):
    """Write a table as its suffix says."""
    header, *cells = table
    if path.suffix == ".parquet":
        parquet.write_table(
            pa.Table.from_pylist([dict(zip(header, c, strict=True)) for c in cells]), path
        )
    elif path.suffix == ".jsonl":
        lines = (json.dumps(dict(zip(header, c, strict=True))) for c in cells)
        path.write_text("\n".join(lines) + "\n")
    else:
        path.write_text("\n".join(",".join(map(str, row)) for row in table) + "\n")


@pytest.mark.parametrize("name", ["list.parquet", "list.jsonl", "list.csv"])
def test_every_kind_of_file_says_the_same(touch, tmp_path, declared, detect, name):
    touch("a.nii.gz", "b.nii.gz")
    rows(
        tmp_path / name,
        [("file_name", "split", "MRN"), ("a.nii.gz", "train", 1), ("b.nii.gz", "test", 1)],
    )
    assert [(case.key, case.group) for case in declared().cases] == [
        (("test", "b"), "1"), (("train", "a"), "1"),
    ]  # fmt: skip
    assert (
        detect().notes[1]
        == "columns: file_name for the path, split for the split, MRN for the group"
    )


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        (("path", "is_train"), (True, False)),
        (("path", "train"), (1, 0)),
        (("path", "is_test"), ("no", "yes")),
        (("path", "train", "test"), ((1, 0), (0, 1))),
    ],
)
def test_columns_of_yes_and_no(touch, tmp_path, found, header, cells):
    touch("a.nii.gz", "b.nii.gz")
    each = [cell if isinstance(cell, tuple) else (cell,) for cell in cells]
    rows(tmp_path / "list.csv", [header, ("a.nii.gz", *each[0]), ("b.nii.gz", *each[1])])
    assert list(found()[0]) == [("test", "b"), ("train", "a")]


def test_a_column_a_sequence(touch, tmp_path, declared, detect):
    names = [f"{p}_{s}.nii.gz" for p in "ab" for s in ("t1", "t2", "seg")]
    touch(*names)
    rows(tmp_path / "list.csv", [
        ("id", "t1", "t2", "seg", "split"),
        ("A", *names[:3], "train"),
        ("B", *names[3:5], "", "test"),
    ])  # fmt: skip
    assert [case.key for case in declared().cases] == [
        ("test", "B_t1"), ("test", "B_t2"), ("train", "A_t1"), ("train", "A_t2"),
    ]  # fmt: skip
    assert "t1 for a scan each, t2 for a scan each" in detect().notes[1]
    assert "not used: seg" in detect().notes[1]


@pytest.mark.parametrize("header", ["image_id", "SeriesInstanceUID", "patient"])
def test_names_instead_of_paths(touch, tmp_path, found, header):
    touch(
        "scans/case_1.nii.gz", "scans/case_2/t1.nii.gz", "scans/case_2/t2.nii.gz", "other/x.nii.gz"
    )
    rows(
        tmp_path / "list.csv",
        [(header, "set"), ("case_1", "train"), ("case_2", "test"), ("x9", "test")],
    )
    assert found()[0] == {
        ("train", "scans/case_1"): ("scans/case_1.nii.gz",),
        ("test", "scans/case_2/t1"): ("scans/case_2/t1.nii.gz",),
        ("test", "scans/case_2/t2"): ("scans/case_2/t2.nii.gz",),
        ("test", "x9"): ("x9",),
    }


def test_names_that_are_mostly_not_there_are_no_table_of_scans(touch, tmp_path, found):
    touch("case_1.nii.gz")
    rows(tmp_path / "list.csv", [("id", "set"), ("p1", "a"), ("p2", "b"), ("case_1", "b")])
    with pytest.raises(ConfigError, match="laid out in no way"):
        found()


def test_a_file_in_another_folder_if_it_is_the_only_one_so_called(touch, tmp_path, found):
    touch("images/a.png", "images/b.png", "old/b.png")
    rows(tmp_path / "list.csv", [("image", "split"), ("a.png", "train"), ("b.png", "test")])
    assert found()[0] == {("train", "images/a"): ("images/a.png",), ("test", "b"): ("b.png",)}


def test_a_row_that_is_left_out_needs_no_split(touch, tmp_path, found):
    touch("a.nii.gz", "b.nii.gz", "c.nii.gz")
    rows(
        tmp_path / "list.csv",
        [("path", "split"), ("a.nii.gz", "train"), ("b.nii.gz", "test"), ("c.nii.gz", "")],
    )
    with pytest.raises(InputError, match="line 4: split '' is empty"):
        found()
    cases, left = found(exclude=("c.nii.gz",))
    assert len(cases) == 2
    assert left["c.nii.gz"] == "excluded by c.nii.gz"


def test_rows_that_are_no_table(touch, tmp_path, found):
    touch("a.nii.gz")
    (tmp_path / "list.jsonl").write_text("[]\n")
    with pytest.raises(ConfigError, match=r"list\.jsonl, line 1: is no JSON object"):
        found(csv="list.jsonl")
    (tmp_path / "list.parquet").write_text("x")
    with pytest.raises(ConfigError, match=r"list\.parquet is no Parquet file"):
        found(csv="list.parquet")


def test_a_scan_listed_twice_has_one_subject(touch, tmp_path, declared):
    touch("a.nii.gz", "b.nii.gz")
    table = tmp_path / "list.csv"
    table.write_text("path,split,subject\na.nii.gz,train,\na.nii.gz,train,7\nb.nii.gz,test,8\n")
    assert [case.group for case in declared().cases] == ["8", "7"]
    table.write_text("path,split,subject\na.nii.gz,train,6\na.nii.gz,train,7\nb.nii.gz,test,8\n")
    with pytest.raises(InputError, match=r"a\.nii\.gz is declared as of subject 6 and of 7; keep"):
        declared()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "path,split,Split\na.nii.gz,train,test\n",
            "a table.csv has 2 columns split for the split",
        ),
        ("path,Path,split\na.nii.gz,b.nii.gz,test\n", "has 2 columns path for the path of a scan"),
        (
            "path,is_train,is_test\na.nii.gz,0,1\nb.nii.gz,1,1\n",
            "line 3 is in train and in test by",
        ),
    ],
)
def test_columns_that_contradict_one_another(touch, tmp_path, declared, text, told):
    touch("a.nii.gz", "b.nii.gz")
    (tmp_path / "a table.csv").write_text(text, encoding="utf-8")
    with pytest.raises((ConfigError, InputError), match=told):
        declared(csv="a table.csv")


@pytest.mark.parametrize(
    "rows",
    ['a.nii.gz,train,"left\nb.nii.gz,test,right\n', 'a.nii.gz,train,"left" side\nb.nii.gz,test,\n'],
    ids=["an open quote", "text behind a quote"],
)
def test_a_quote_swallows_no_rows(touch, tmp_path, declared, rows):
    """Failed before: what stood behind an open quote was part of its cell, and of no split."""
    touch("a.nii.gz", "b.nii.gz")
    (tmp_path / "list.csv").write_text("path,split,note\n" + rows)
    with pytest.raises(ConfigError, match=r"table list\.csv: .* a quote is open, or text follows"):
        declared(csv="list.csv")


def test_cells_of_several_lines_are_read(touch, tmp_path, found):
    touch("a.nii.gz", "b.nii.gz")
    (tmp_path / "list.csv").write_text(
        'path,split,note\na.nii.gz,train,"two\nlines, ""quoted"""\nb.nii.gz,test,\n'
    )
    assert list(found()[0]) == [("test", "b"), ("train", "a")]
