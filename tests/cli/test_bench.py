"""`dvdup bench` as a user runs it."""

from __future__ import annotations

import json

import jsonschema
import pytest
from needs import needs_bench


@pytest.fixture(scope="module")
def scans(tmp_path_factory, phantom, save):
    folder = tmp_path_factory.mktemp("scans")
    for number in range(1, 9):
        save(folder / f"scan_{number}.nii.gz", phantom(number, (20, 22, 18)))
    return folder


def bench(dvdup, cwd, scans, *args):
    return dvdup(
        cwd, "bench", scans, "--embedder", "thumbnail", "--jobs", 1, "--edits", "noise,slab", *args
    )


def test_a_quick_run_from_scans_to_table(dvdup, scans, tmp_path):
    ran = bench(dvdup, tmp_path, scans, "--quick", "--groups", "(id + 1) // 2")
    assert ran.code == 0, ran.stderr
    assert "8 scans of 4 persons, 2 edits" in ran.stdout
    assert "count-top1" in ran.stdout


@needs_bench
def test_json_to_a_file_and_plots_to_a_folder(dvdup, scans, tmp_path):
    from dvdup.lab.bench import schema

    ran = bench(
        dvdup, tmp_path, scans, "-f", "json", "-o", "out.json", "--plots", "plots", "--no-timing"
    )
    assert ran.code == 0, ran.stderr
    assert ran.stdout == ""
    document = json.loads((tmp_path / "out.json").read_text())
    jsonschema.validate(document, schema())
    assert {row["slices_per_second"] for row in document["rows"]} == {None}
    assert (tmp_path / "plots" / "roc.png").is_file()


def test_the_usual_methods_without_a_choice(dvdup, scans, tmp_path):
    (tmp_path / "dvdup.toml").write_text('embedder = "thumbnail"\n')
    ran = dvdup(tmp_path, "bench", scans, "--jobs", 1, "--edits", "noise", "-f", "json")
    embedders = [row["embedder"] for row in ran.json["rows"]]
    assert list(dict.fromkeys(embedders)) == ["thumbnail", "correlation", "phash3d"]
    made = list((tmp_path / ".dvdup" / "bench").iterdir())
    assert made
    assert all((folder / ".gitignore").read_text() == "*\n" for folder in made)


def test_an_unreadable_scan_is_named_and_makes_the_code_2(dvdup, scans, tmp_path):
    (tmp_path / "bad.nii.gz").write_bytes(b"nothing of the sort")
    ran = bench(dvdup, tmp_path, scans, "bad.nii.gz")
    assert ran.code == 2
    assert "left out: bad" in ran.stderr
    assert "1 scans could not be read" in ran.stdout
    assert bench(dvdup, tmp_path, scans, "bad.nii.gz", "--allow-unreadable").code == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--embedder", "nonsense"), "unknown embedder"),
        (("--edits", "fog"), "there is no edit"),
        (("-f", "html"), "unknown format"),
        (("--groups", "nobody-[0-9]+"), "finds no person"),
    ],
)
def test_mistakes_are_one_line_and_code_2(dvdup, scans, tmp_path, args, message):
    ran = bench(dvdup, tmp_path, scans, *args)
    assert ran.code == 2
    assert message in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


def test_without_the_extra_no_plot_is_begun(dvdup, tmp_path, monkeypatch):
    monkeypatch.setattr("dvdup.extras.is_installed", lambda package: False)
    done = dvdup(tmp_path, "bench", ".", "--plots", "plots")
    assert done.code == 2
    assert "needs matplotlib" in done.stderr
    assert "pip install 'dvdup[bench]'" in done.stderr
