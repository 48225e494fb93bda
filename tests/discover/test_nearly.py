"""What is told about declarations with a fault, where a folder is laid out in no known way."""

from __future__ import annotations

import pytest

from dvdup.errors import InputError

_LIST = '{"training": [{"image": "a.nii.gz"}, %s], "testing": ["b.nii.gz"]}'


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "path,label\nscans/a.nii.gz,1\n", "a.csv has no column for the split of a scan"),
        ("a.csv", "what,split\n1,train\n2,test\n", "a.csv has no column for the path of a scan"),
        ("d.json", _LIST % '{"label": "a.nii.gz"}', r"d.json: training\[1\] has no image; give"),
        ("d.json", _LIST % '[{"image": "c.nii.gz"}]', r"d.json: training\[1\] has no image; give"),
        ("a.jsonl", '{"path": "scans/a.nii.gz", "split": "train"}\nno\n', "a.jsonl"),
        ("d.json", _LIST % "", "d.json is not valid JSON"),
    ],
)
def test_a_declaration_with_a_fault(touch, detect, name, text, told):
    (touch("scans/a.nii.gz") / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"laid out in no way .*But .*{told}"):
        detect()


def test_two_tables(touch, detect):
    top = touch("scans/a.nii.gz", "scans/b.nii.gz")
    for name in ("one.csv", "two.csv"):
        (top / name).write_text("path,split\nscans/a.nii.gz,train\nscans/b.nii.gz,test\n")
    with pytest.raises(InputError, match=r"one\.csv and two\.csv are tables of scans and splits"):
        detect()


def test_tables_and_objects_of_other_things_are_not_spoken_of(touch, detect):
    top = touch("scans/a.nii.gz")
    (top / "people.csv").write_text("age,height\n3,100\n")
    (top / "settings.json").write_text('{"version": 1}')
    with pytest.raises(InputError, match=r"add \. --split all`$"):
        detect()
