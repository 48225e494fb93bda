"""Whole reports in every format against kept files; `UPDATE_GOLDEN=1 pytest ...` rewrites them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from dvdup.report import FORMATS, render
from dvdup.report.json import schema

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("small", "reviewed", "empty", "within", "unreadable", "stale", "many")
SUFFIXES = {
    "table": ".table.txt",
    "json": ".json",
    "csv": ".csv",
    "markdown": ".md",
    "html": ".html",
    "sarif": ".sarif",
    "junit": ".junit.xml",
    "github": ".github.txt",
    "gitlab": ".gitlab.json",
    "concise": ".concise.txt",
    "jsonl": ".jsonl",
}


@pytest.fixture(autouse=True)
def _fixed_version(monkeypatch):
    for module in ("json", "html", "sarif"):
        monkeypatch.setattr(f"dvdup.report.{module}.__version__", "0.0.0")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_report_is_the_golden_one(samples, name, format):
    text = render(samples[name], format)
    path = GOLDEN / f"{name}{SUFFIXES[format]}"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_bytes(text.encode())
    assert text == path.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over():
    expected = {f"{name}{suffix}" for name in NAMES for suffix in SUFFIXES.values()}
    assert {path.name for path in GOLDEN.iterdir()} == expected


def test_every_format_has_golden_files():
    assert set(SUFFIXES) == set(FORMATS)


@pytest.mark.parametrize("name", NAMES)
def test_golden_json_fulfils_the_schema(name):
    document = json.loads((GOLDEN / f"{name}.json").read_bytes())
    Draft202012Validator(schema()).validate(document)
