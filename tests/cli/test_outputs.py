"""Where reports go: several at once, the summary of a step, saved reports drawn again, pictures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from dvdup.commands import adhoc, output
from dvdup.commands.output import Output, outputs_of
from dvdup.errors import ConfigError, InputError
from dvdup.report import FORMATS
from dvdup.report.json import schema


@pytest.fixture
def leaky(dataset, dvdup):
    """A dataset with one copy and one file that is no scan, in the index."""
    dataset.put("test/two words%20.nii.gz", 3)
    (dataset.root / "test/broken.nii.gz").write_bytes(b"no scan")
    assert dvdup(dataset.root, "sync", "-q").code == 2
    return dataset


@pytest.mark.parametrize(
    ("name", "targets", "expected"),
    [
        (None, [], [("table", None)]),
        ("sarif", [], [("sarif", None)]),
        (None, ["-"], [("table", None)]),
        (None, ["github=-", "a/b.SARIF"], [("github", None), ("sarif", "a/b.SARIF")]),
        (None, ["x.html", "x.xml"], [("html", "x.html"), ("junit", "x.xml")]),
        (None, ["md=x", "gitlab=q.json"], [("markdown", "x"), ("gitlab", "q.json")]),
        ("csv", ["x.json"], [("csv", "x.json")]),
        ("csv", ["json=a", "b"], [("json", "a"), ("csv", "b")]),
        (None, ["./json=a", "strange=b"], [("table", "./json=a"), ("table", "strange=b")]),
        ("SARIF", ["HTML=x", "-"], [("html", "x"), ("sarif", None)]),
        (None, ["x.HTM", "x.markdown"], [("html", "x.HTM"), ("markdown", "x.markdown")]),
        (
            None,
            ["x.sarif.json", "x.json.html"],
            [("sarif", "x.sarif.json"), ("html", "x.json.html")],
        ),
    ],
)
def test_formats_are_found_out(name, targets, expected):
    wanted = tuple(Output(format, file and Path(file)) for format, file in expected)
    assert outputs_of(name, targets) == wanted


@pytest.mark.parametrize(
    ("name", "targets", "said"),
    [
        ("pdf", [], "unknown report format 'pdf'"),
        ("csv", ["a", "b"], "write -o csv=FILE"),
        ("csv", ["json=a"], "write -o csv=FILE"),
        (None, ["json="], "names no file"),
        (None, [""], "names no file"),
        (None, ["-", "json=-"], "two reports for stdout"),
        (None, ["a.json", "sarif=./a.json"], "two reports for"),
        (None, ["s3://bucket/a.json"], "cannot write s3://bucket/a.json: name a file"),
    ],
)
def test_what_is_not_clear_is_refused(name, targets, said):
    with pytest.raises((ConfigError, InputError), match=re.escape(said)):
        outputs_of(name, targets)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("gone/x.html", "there is no folder gone; make it first"),
        ("train", "train: it is a folder|.train. is a directory"),
        ("x.nii.gz", "x.nii.gz is the name of a scan"),
        ("s3://bucket/x.html", "cannot write s3:.*/bucket/x.html: name a file"),
        ("dvdup.toml", "is a file that dvdup itself reads"),
    ],
)
@pytest.mark.parametrize("command", [("check",), ("diff", "train", "test"), ("bench", "train")])
def test_a_place_that_cannot_be_written_is_told_before_any_work(
    dataset, dvdup, command, target, said
):
    ran = dvdup(dataset.root, *command, "-o", target, "-v")
    assert (ran.code, ran.stdout) == (2, "")
    assert re.search(said, ran.stderr)
    assert not (dataset.root / ".dvdup").exists()


def test_a_folder_that_may_not_be_written_is_told_before_any_work(dataset, dvdup, monkeypatch):
    (dataset.root / "sealed").mkdir(mode=0o555)
    monkeypatch.setattr(os, "access", lambda *_, **__: False)  # whoever runs this may be root
    ran = dvdup(dataset.root, "check", "-o", "sealed/x.html")
    assert (ran.code, ran.stdout) == (2, "")
    assert "the folder sealed may not be written" in ran.stderr


def test_one_place_that_fails_costs_no_other(leaky, dvdup, monkeypatch):
    """As where one disk is full."""
    kept = Path(leaky.root, "a.json")

    def fail(path, data):
        if path.name == "a.html":
            raise InputError(f"cannot write {path}: No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(output, "write_file", fail)
    flags = ["--no-pictures", "-o", "a.html", "-o", "-", "-o", "a.json"]
    ran = dvdup(leaky.root, "diff", "train", "test", "-q", *flags)
    assert ran.code == 2
    assert ran.stderr == "dvdup: cannot write a.html: No space left on device\n"
    assert "1 of 8 test cases" in ran.stdout
    assert json.loads(kept.read_text(encoding="utf-8"))["schema"] == "dvdup/report@1"


def test_a_reader_who_stops_reading_costs_no_file(leaky):
    """As `dvdup diff ... | head` does."""
    reader, writer = os.pipe()
    os.close(reader)
    script = Path(sys.executable).with_name("dvdup")
    command = [script, "diff", "train", "test", "-q", "-o", "-", "-o", "a.json"]
    try:
        done = subprocess.run(command, cwd=leaky.root, stdout=writer, check=False)
    finally:
        os.close(writer)
    assert done.returncode == 2
    assert (leaky.root / "a.json").exists()


@pytest.mark.parametrize("suffix", sorted({row.suffix for row in FORMATS.values()}))
def test_a_report_that_lies_in_a_split_is_no_case(dataset, dvdup, suffix):
    target = f"train/report{suffix}"
    assert dvdup(dataset.root, "check", "-q", "-o", target).code == 0
    assert (dataset.root / target).exists()
    ran = dvdup(dataset.root, "check", "-q")
    assert (ran.code, ran.stderr) == (0, "")


def test_a_suffix_that_says_nothing_is_told(leaky, dvdup):
    ran = dvdup(leaky.root, "diff", "train", "test", "-o", "a.xlsx")
    assert "wrote a.xlsx as a table: no format has its suffix" in ran.stderr


def test_one_run_writes_every_format(leaky, dvdup):
    flags = [f"--output={name}=out.{name}" for name in FORMATS]
    ran = dvdup(leaky.root, "diff", "train", "test", "-q", "--no-pictures", *flags, "-o", "-")
    assert ran.code == 1
    assert ran.stdout.startswith("Incomplete") or ran.stdout.startswith("1 of 8 test cases")
    for name in FORMATS:
        text = (leaky.root / f"out.{name}").read_text(encoding="utf-8")
        assert "two words" in text, name
        assert "broken" in text, name
    document = json.loads((leaky.root / "out.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema()).validate(document)
    before = {name: (leaky.root / f"out.{name}").read_bytes() for name in FORMATS}
    assert dvdup(leaky.root, "diff", "train", "test", "-q", "--no-pictures", *flags).code == 1
    assert {name: (leaky.root / f"out.{name}").read_bytes() for name in FORMATS} == before


def test_what_goes_into_files_alone_is_said_in_short(leaky, dvdup, tmp_path):
    files = (str(tmp_path / "r.json"), str(tmp_path / "r.html"))
    ran = dvdup(leaky.root, "check", "-o", files[0], "-o", files[1])
    assert (ran.code, ran.stdout) == (1, "")
    assert "already in train (12.5 %)" in ran.stderr
    assert ran.stderr.splitlines()[-2:] == [f"wrote {each}" for each in files]
    ran = dvdup(leaky.root, "check", "-q", "-o", files[0])
    assert (ran.code, ran.stdout, ran.stderr) == (1, "", "")


def test_a_saved_report_is_drawn_again(leaky, dvdup, console):
    flags = ["-q", "-o", "a.json", "-o", "a.sarif", "-o", "a.html"]
    assert dvdup(leaky.root, "diff", "train", "test", *flags).code == 1
    html = (leaky.root / "a.html").read_text(encoding="utf-8")
    assert html.count("<img ") == 10
    assert "train/p03" in html
    ran = console(leaky.root, "render", "a.json", "-q", "-o", "b.sarif", "-o", "b.html", "-o", "-")
    assert (ran.code, ran.stderr) == (0, "")
    assert "two words%20" in ran.stdout
    for suffix in ("sarif", "html"):
        assert (leaky.root / f"b.{suffix}").read_bytes() == (
            leaky.root / f"a.{suffix}"
        ).read_bytes()


def test_pictures_are_of_the_scans_of_the_report(leaky, dvdup):
    """What has changed or gone since is told in its row."""
    assert dvdup(leaky.root, "diff", "train", "test", "-q", "-o", "a.json").code == 1
    leaky.put("test/two words%20.nii.gz", 21)
    assert dvdup(leaky.root, "sync", "-q").code == 2
    assert dvdup(leaky.root, "render", "a.json", "-q", "-o", "a.html").code == 0
    html = (leaky.root / "a.html").read_text(encoding="utf-8")
    assert "no picture: one of the scans is not as it was when the report was made" in html
    assert "<img " not in html
    (leaky.root / "elsewhere").mkdir()
    (leaky.root / "elsewhere/dvdup.toml").write_text("", encoding="utf-8")
    place = leaky.root / "elsewhere"
    assert dvdup(place, "render", "../a.json", "-q", "-o", "a.html").code == 0
    html = (place / "a.html").read_text(encoding="utf-8")
    assert "no picture: there is no index here that holds the scans" in html


@pytest.mark.parametrize("path", ["s3://bucket/a.nii.gz", "//host/share/a.nii", "/elsewhere/a.nii"])
def test_nothing_is_fetched_because_a_saved_report_names_it(leaky, dvdup, monkeypatch, path):
    """Whoever wrote the report would hear of it."""
    assert dvdup(leaky.root, "diff", "train", "test", "-q", "-o", "a.json").code == 1
    document = json.loads((leaky.root / "a.json").read_text(encoding="utf-8"))
    document["pairs"][0]["a"] |= {"split": "", "paths": [path]}
    (leaky.root / "a.json").write_text(json.dumps(document), encoding="utf-8")
    asked = []
    monkeypatch.setattr(adhoc, "one_scan", lambda *about: asked.append(about))
    assert dvdup(leaky.root, "render", "a.json", "-q", "-o", "a.html").code == 0
    html = (leaky.root / "a.html").read_text(encoding="utf-8")
    assert "nothing is fetched because a saved report names it" in html
    assert asked == []


def test_two_files_by_hand_have_pictures(leaky, dvdup):
    files = ("train/p03.nii.gz", "test/two words%20.nii.gz")
    assert dvdup(leaky.root, "compare", *files, "-q", "-o", "c.html").code == 1
    assert (leaky.root / "c.html").read_text(encoding="utf-8").count("<img ") == 10
    assert dvdup(leaky.root, "compare", *files, "--no-pictures", "-o", "c.html").code == 1
    assert "<img " not in (leaky.root / "c.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is not JSON"),
        (b"\xff\xfe", "it is not UTF-8"),
        (b"[1, 2]", "its schema is None"),
        (b'{"schema": "dvdup/report@0"}', "a report of another version of dvdup"),
        (b'{"schema": "dvdup/audit@1"}', "its schema is 'dvdup/audit@1', expected"),
        (b'{"schema": "dvdup/report@1"}', "damaged dvdup report"),
        (b'{"a":' * 100_000, "not a dvdup report"),
    ],
)
def test_what_is_no_report_is_an_input_error(dvdup, tmp_path, content, said):
    (tmp_path / "r.json").write_bytes(content)
    ran = dvdup(tmp_path, "render", "r.json", "-f", "html")
    assert (ran.code, ran.stdout) == (2, "")
    assert "r.json: " in ran.stderr
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_report_that_is_missing_or_a_folder_is_told(dvdup, tmp_path):
    assert "cannot read none.json" in dvdup(tmp_path, "render", "none.json").stderr
    assert dvdup(tmp_path, "render", ".").code == 2


def test_the_step_summary_is_added_to(dataset, dvdup, monkeypatch):
    summary = dataset.root / "summary.md"
    summary.write_text("# before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert dvdup(dataset.root, "check", "-q").code == 0
    assert summary.read_text(encoding="utf-8") == "# before\n"
    assert dvdup(dataset.root, "check", "-q", "--step-summary").code == 0
    assert summary.read_text(encoding="utf-8").startswith("# before\n## dvdup: No copy of")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(dataset.root / "none" / "summary.md"))
    ran = dvdup(dataset.root, "check", "-q", "--step-summary")
    assert ran.code == 2
    assert "cannot write the summary" in ran.stderr
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    ran = dvdup(dataset.root, "check", "-q", "--step-summary")
    assert ran.code == 0
    assert "GITHUB_STEP_SUMMARY is not set" in ran.stderr
