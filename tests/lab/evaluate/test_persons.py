"""Persons from a table, a sum, a regular expression."""

from __future__ import annotations

import pytest

from dvdup.errors import InputError
from dvdup.lab.evaluate.persons import persons
from dvdup.records import Case


def cases(*names: str) -> list[Case]:
    return [Case("", name, (f"{name}.nii.gz",)) for name in names]


def test_a_sum_makes_consecutive_numbers_one_person():
    found = persons(cases("hippocampus_001", "hippocampus_002", "hippocampus_003"), "(id + 1) // 2")
    assert found == ("1", "1", "2")


def test_a_regular_expression_takes_its_first_group():
    assert persons(cases("sub-07_ses-1_T1w", "sub-08_T1w"), r"sub-(\d+)") == ("07", "08")


def test_without_a_group_the_whole_match_counts():
    assert persons(cases("sub-07_ses-1", "sub-07_ses-2"), "sub-[0-9]+") == ("sub-07", "sub-07")


def test_who_is_not_named_is_a_person_of_his_own():
    assert persons(cases("sub-07_a", "phantom"), "sub-[0-9]+") == ("sub-07", "phantom")


def test_a_table(tmp_path):
    file = tmp_path / "persons.csv"
    file.write_text("case,group\na,x\nb,x\n", encoding="utf-8")
    assert persons(cases("a", "b", "c"), str(file)) == ("x", "x", "c")


def test_declared_groups_are_the_default():
    declared = [Case("", "a", ("a.nii",), group="x"), Case("", "b", ("b.nii",))]
    assert persons(declared, None) == ("x", "b")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("sub-(", "regular expression"),
        ("missing.csv", "cannot read"),
        ("nobody-[0-9]+", "finds no person"),
        ("id // 0", "divides by zero"),
    ],
)
def test_rules_that_cannot_be_used_are_told(rule, message):
    with pytest.raises(InputError, match=message):
        persons(cases("scan_1"), rule)


def test_a_table_without_the_columns_is_told(tmp_path):
    file = tmp_path / "persons.csv"
    file.write_text("name,person\na,x\n", encoding="utf-8")
    with pytest.raises(InputError, match="columns case and group"):
        persons(cases("a"), str(file))


def test_code_in_a_rule_is_not_run():
    with pytest.raises(InputError, match="finds no person"):
        persons(cases("scan_1"), "__import__('os').getcwd() + id")
