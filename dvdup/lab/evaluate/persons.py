"""Which scans are of one person: by a table, a regular expression or a sum over the case number."""

from __future__ import annotations

import ast
import csv
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dvdup.errors import InputError
from dvdup.records import Case

_OPERATORS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def persons(cases: Sequence[Case], rule: str | None) -> tuple[str, ...]:
    """The person of each case.

    Args:
        cases: As declared.
        rule: A CSV file with the columns `case` and `group`; or a sum over `id`, the last number
            in the case id, such as `(id + 1) // 2`; or a regular expression, searched in the case
            id, whose first group (or all of it) names the person. None: the group that the
            declaration names.

    Returns:
        One name a case; a case of which nothing names the person is a person of its own.

    Raises:
        InputError: The rule cannot be used, or finds nobody in any case.
    """
    if rule is None:
        return tuple(case.group or case.case_id for case in cases)
    find = _finder(rule)
    found = [find(case.case_id) for case in cases]
    if cases and not any(found):
        raise InputError(
            f"--groups {rule!r} finds no person in a case id such as {cases[0].case_id}"
        )
    return tuple(person or case.case_id for person, case in zip(found, cases, strict=True))


def _finder(rule: str) -> Callable[[str], str | None]:
    if rule.lower().endswith(".csv"):
        table = _table(Path(rule))
        return table.get
    total = _sum(rule)
    if total is not None:
        return _by_number(rule, total)
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise InputError(
            f"--groups {rule!r} is no CSV file, no sum over id, and no regular expression: {error}"
        ) from error
    return lambda case_id: _matched(pattern, case_id)


def _matched(pattern: re.Pattern[str], case_id: str) -> str | None:
    found = pattern.search(case_id)
    if found is None:
        return None
    return found.group(1) if pattern.groups else found.group()


def _table(file: Path) -> dict[str, str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"--groups: cannot read {file}: {error}") from error
    if not rows or not {"case", "group"} <= rows[0].keys():
        raise InputError(f"--groups: {file} needs a header with the columns case and group")
    return {row["case"]: row["group"] for row in rows if row["group"]}


def _by_number(rule: str, total: ast.expr) -> Callable[[str], str | None]:
    def find(case_id: str) -> str | None:
        numbers = re.findall(r"\d+", case_id)
        try:
            return str(_evaluate(total, int(numbers[-1]))) if numbers else None
        except ZeroDivisionError as error:
            raise InputError(f"--groups {rule!r} divides by zero for {case_id}") from error

    return find


def _sum(rule: str) -> ast.expr | None:
    """The rule as a sum over `id`, or None if it is none."""
    try:
        body = ast.parse(rule.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    names = [node.id for node in ast.walk(body) if isinstance(node, ast.Name)]
    return body if names and set(names) == {"id"} and _is_sum(body) else None


def _is_sum(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return type(node.op) in _OPERATORS and _is_sum(node.left) and _is_sum(node.right)
    if isinstance(node, ast.Constant):
        return type(node.value) is int
    return isinstance(node, ast.Name)


def _evaluate(node: ast.expr, number: int) -> int:
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left, number), _evaluate(node.right, number)
        return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    return number
