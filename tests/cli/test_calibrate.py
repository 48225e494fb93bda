"""`dvdup calibrate` as a user runs it, and what comparisons make of it."""

from __future__ import annotations

import os
import tomllib
import zlib

import numpy as np
import pytest
from needs import needs_bench

from dvdup.compare.pair import Seen

TINY = (20, 22, 18)


@pytest.fixture(scope="module")
def scans(tmp_path_factory, phantom, save):
    """Scans of 31 persons."""
    folder = tmp_path_factory.mktemp("scans")
    for number in range(31):
        save(folder / f"s{number:02}.nii.gz", phantom(number, TINY))
    return folder


@pytest.fixture(autouse=True)
def with_voxels(monkeypatch):
    """Calibration is about comparing voxels."""
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")
    monkeypatch.setenv("DVDUP_EMBEDDER", "thumbnail")
    monkeypatch.setenv("DVDUP_JOBS", "1")


@pytest.fixture
def made_up(monkeypatch):
    """Strengths that cost nothing: 2 to 3 for strangers, 8.5 for s03 and its leak."""

    def strangers(order):
        names = {name for _, name in order.pair}
        value = 8.5 if names == {"s03", "leak"} else 2 + zlib.crc32(str(names).encode()) % 97 / 97
        return Seen(value)

    monkeypatch.setattr("dvdup.lab.calibrate.run.measure_pair", strangers)
    monkeypatch.setattr("dvdup.compare.engine.verify_pairs", lambda *args, **options: {})
    monkeypatch.setattr("dvdup.lab.calibrate.work.copies", lambda order: (6.0, 6.5, 7.0, 7.5))


@needs_bench
def test_voxels_to_a_threshold(dvdup, scans, tmp_path, monkeypatch):
    """Nothing made up; few persons and edits, because voxels take their time."""
    monkeypatch.setattr("dvdup.lab.calibrate.pairs.EDITS_EACH", 1)
    monkeypatch.setattr("dvdup.lab.calibrate.pairs.MIN_GROUPS", 5)
    monkeypatch.setattr("dvdup.lab.calibrate.run._LEAST", 5)
    files = sorted(scans.iterdir())[:5]
    assert dvdup(tmp_path, "add", *files, "--split", "train").code == 0
    ran = dvdup(tmp_path, "calibrate", "--budget", "0.25", "--plot", "plot.png")
    assert ran.code == 0, ran.stderr
    assert "1 in 4 cases" in ran.stdout
    assert "5 cases of 5 groups in an index of 5 cases, 10 edited copies" in ran.stdout
    table = tomllib.loads((tmp_path / "dvdup.toml").read_text())["calibration"]
    assert 0 < table["threshold"] < 8
    assert (tmp_path / "plot.png").stat().st_size > 10_000
    monkeypatch.setattr("dvdup.verify.measure", None)  # what was measured is remembered
    again = dvdup(tmp_path, "calibrate", "--dry-run")
    assert again.code == 0, again.stderr
    assert "EXTRAPOLATED" in again.stdout


def calibrated(dvdup, scans, root, *args):
    """An index by hand and its calibration: (the run, the table)."""
    assert dvdup(root, "add", scans, "--split", "train").code == 0
    ran = dvdup(root, "calibrate", *args)
    assert ran.code == 0, ran.stderr
    return ran, tomllib.loads((root / "dvdup.toml").read_text())["calibration"]


def test_the_table_in_the_terminal_and_in_the_file(dvdup, scans, tmp_path, made_up):
    ran, table = calibrated(dvdup, scans, tmp_path)
    assert [line for line in ran.stdout.splitlines() if len(line) > 80] == []
    assert "EXTRAPOLATED" in ran.stdout
    assert f"{table['threshold']:.2f}" in ran.stdout
    assert "wrote [calibration] into dvdup.toml" in ran.stderr
    assert (table["budget"], table["embedder"]) == (0.001, "thumbnail")
    assert (table["cases"], table["null_cases"]) == (31, 31)
    written = (tmp_path / "dvdup.toml").read_bytes()
    assert calibrated(dvdup, scans, tmp_path)[1] == table
    assert (tmp_path / "dvdup.toml").read_bytes() == written


def test_comparisons_go_by_it(dvdup, scans, tmp_path, made_up, phantom, save):
    _, table = calibrated(dvdup, scans, tmp_path)
    rng, values = np.random.default_rng(0), phantom(3, TINY)
    noisy = np.where(values > 0, values + rng.normal(0, 15, TINY), 0)
    save(tmp_path / "leak.nii.gz", noisy.astype(np.int16))
    assert dvdup(tmp_path, "add", "leak.nii.gz", "--split", "test").code == 0
    for args in (("diff", "train", "test"), ("query", "leak.nii.gz")):
        settings = dvdup(tmp_path, *args, "-f", "json").json["settings"]
        assert settings["thresholds"]["voxels"]["copy"] == table["threshold"]
    found = dvdup(tmp_path, "calibrate", "--dry-run")
    assert "1 pair of two groups is called a copy" in found.stdout
    assert "  8.50  test/leak  train/s03" in found.stdout
    assert "nothing was written" in found.stderr


def test_the_file_alone_declares_no_dataset(dvdup, scans, tmp_path, made_up, save, phantom):
    calibrated(dvdup, scans, tmp_path)
    save(tmp_path / "train" / "other.nii.gz", phantom(40, TINY))
    assert dvdup(tmp_path, "sync").stderr.strip() == "cases: 31 unchanged"


def test_what_does_not_fit_is_refused_and_what_has_grown_is_told(dvdup, scans, tmp_path, made_up):
    _, table = calibrated(dvdup, scans, tmp_path)
    file = tmp_path / "dvdup.toml"
    text = file.read_text()
    file.write_text(text.replace(table["recipe"], "0" * 32))
    refused = dvdup(tmp_path, "diff", "train", "train")
    assert refused.code == 2
    assert "run `dvdup calibrate` again, or remove [calibration]" in refused.stderr
    assert dvdup(tmp_path, "calibrate", "--dry-run").code == 0
    file.write_text(text.replace("cases = 31", "cases = 15", 1))
    grown = dvdup(tmp_path, "query", sorted(scans.iterdir())[0], "--candidates", "0")
    assert "grown from 15 to 31 cases" in grown.stderr


def test_few_groups_are_refused_in_one_sentence(dvdup, dataset):
    assert dvdup(dataset.root, "sync", "-q").code == 0
    before = (dataset.root / "dvdup.toml").read_bytes()
    ran = dvdup(dataset.root, "calibrate")
    assert ran.code == 2
    assert "at least 30 groups (subjects), here are 20" in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1
    assert (dataset.root / "dvdup.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--youden", "--budget", "0.01"), "exclude each other"),
        (("--budget", "0"), "budget"),
        (("--plot", "plot.jpg"), "ends in .png"),
        (("--plot", os.path.join("no", "plot.png")), "make it first"),
        ((), "no index"),
    ],
)
def test_mistakes_are_told_before_any_work(dvdup, tmp_path, args, words):
    ran = dvdup(tmp_path, "calibrate", *args)
    assert ran.code == 2
    assert words in ran.stderr
    assert not (tmp_path / "dvdup.toml").exists()


def test_without_the_extra_no_plot_is_begun(dvdup, tmp_path, monkeypatch):
    monkeypatch.setattr("dvdup.extras.is_installed", lambda package: False)
    done = dvdup(tmp_path, "calibrate", "--plot", "plot.png")
    assert done.code == 2
    assert "needs matplotlib" in done.stderr
    assert "pip install 'dvdup[bench]'" in done.stderr
