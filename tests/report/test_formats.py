"""What holds for every format: the table of formats, same bytes, nothing said less loudly."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.errors import ConfigError
from dvdup.report import FORMATS, render


@pytest.mark.parametrize("row", FORMATS.values(), ids=FORMATS)
def test_every_row_loads_and_describes_itself(row):
    module, _, function = row.target.partition(":")
    assert callable(getattr(import_module(module), function))
    assert row.suffix.startswith(".")


def test_unknown_format_lists_the_choices(samples):
    with pytest.raises(ConfigError, match=r"'xml': choose one of table, json, .*, jsonl$"):
        render(samples["empty"], "xml")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["small", "many", "unreadable"])
def test_same_report_same_text_whatever_the_terminal(samples, monkeypatch, name, format):
    first = render(samples[name], format)
    for key, value in {"COLUMNS": "33", "FORCE_COLOR": "1", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(key, value)
    assert render(samples[name], format) == first
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    assert render(samples[name], format) == first


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_names_what_could_not_be_checked(samples, format):
    text = render(samples["unreadable"], format)
    for said in ("cut_off", "pointer", "empty", "cut off after 1,024 bytes", "the file is empty"):
        assert said in text


@pytest.mark.parametrize("format", FORMATS)
def test_absolute_paths_are_never_shown(build, format):
    outside = build.member("test", "x", "/home/somebody/private/x.nii.gz")
    windows = build.member("train", "y", r"C:\Users\somebody\private\y.nii.gz")
    report = build.report((build.TRAIN, build.TEST), [build.finding(windows, outside)])
    text = render(report, format)
    assert "somebody" not in text
    assert "x.nii.gz" in text
    assert "y.nii.gz" in text


@pytest.mark.parametrize("format", FORMATS)
def test_the_default_suffix_is_of_the_first_format_that_has_it(format):
    from dvdup.commands.output import outputs_of

    first = next(name for name, row in FORMATS.items() if row.suffix == FORMATS[format].suffix)
    (output,) = outputs_of(None, [f"x{FORMATS[format].suffix.upper()}"])
    assert output.format == first


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_report_renders_to_encodable_text(reports, data):
    report = data.draw(reports)
    for format in FORMATS:
        text = render(report, format)
        assert text.encode().endswith(b"\n")
        assert render(report, format) == text
        assert not [c for c in text if not c.isprintable() and c != "\n"]


def test_a_format_loads_nothing_that_others_need():
    code = (
        "import sys; from dvdup.records import Report; from dvdup.report import render\n"
        "report = Report({}, (), (), (), ())\n"
        "from dvdup.report import FORMATS\n"
        "[render(report, format) for format in FORMATS if format not in ('table', 'html')]\n"
        "print(sorted({'rich', 'numpy', 'click', 'torch', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
