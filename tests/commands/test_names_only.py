"""What names alone tell is told without reading a scan, and before a check reads one."""

from __future__ import annotations

import re

import numpy as np
import pytest
from reader_dicom import write_series

CONFIG = "[dataset]\nlayout = 'folders'\ngroup = '(sub-[0-9]+)'\n"
NAMES_ONLY = ("check", "--names-only", "-q")


@pytest.fixture
def named(tmp_path):
    """Files with names and nothing in them: named("train/sub-01_T1w", ...)."""

    def make(*names, config=CONFIG):
        (tmp_path / "dvdup.toml").write_text(config, encoding="utf-8")
        for name in names:
            path = tmp_path / f"{name}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"no scan at all")
        return tmp_path

    return make


def found(ran):
    return {
        (pair["a"]["case"], pair["b"]["case"], pair["verdict"], pair["basis"])
        for pair in ran.json["pairs"]
    }


def test_a_subject_in_two_splits_needs_no_scan_and_no_index(named, dvdup):
    root = named(
        "train/sub-01_ses-1_T1w", "train/sub-02_T1w", "test/sub-01_ses-2_T1w", "test/sub-03_T1w"
    )
    ran = dvdup(root, *NAMES_ONLY, "-f", "json")
    assert ran.code == 1
    expected = ("sub-01_ses-1_T1w", "sub-01_ses-2_T1w", "same-subject", "declared")
    assert found(ran) == {expected}
    assert ran.json["settings"]["names_only"] is True
    assert not (root / ".dvdup").exists()
    table = dvdup(root, *NAMES_ONLY).stdout
    assert "1 of 2 test cases is of a subject that is also in train." in table
    assert "No scan was looked at." in table
    assert dvdup(root, *NAMES_ONLY, "--fail-on", "partial").code == 0


def test_a_pattern_that_finds_no_subject_is_no_clean_answer(named, dvdup):
    config = CONFIG.replace("sub-", "patient-")
    root = named("train/sub-01_T1w", "test/sub-01_T2w", config=config)
    ran = dvdup(root, *NAMES_ONLY)
    assert ran.code == 2
    assert "dataset.group '(patient-[0-9]+)' finds no subject in the id or path" in ran.stderr
    assert "sub-01_T2w (test/sub-01_T2w.nii.gz)" in ran.stderr


def test_cases_without_a_subject_are_told(named, dvdup):
    root = named("train/sub-01_T1w", "train/phantom", "test/sub-02_T1w", "test/noise")
    ran = dvdup(root, "check", "--names-only")
    assert ran.code == 0
    assert "note: dataset.group finds no subject in 2 cases of 4, such as test/noise" in ran.stderr


@pytest.mark.parametrize("indexed", [False, True])
def test_a_file_that_is_listed_in_two_splits(dataset, dvdup, indexed):
    """It is identical by its name; that says more than the subject, if one is declared."""
    rows = "train/p03.nii.gz,train,3\n./train/p03.nii.gz,test,\ntest/p15.nii.gz,test,5\n"
    (dataset.root / "splits.csv").write_text(f"path,split,subject\n{rows}", encoding="utf-8")
    config = "embedder = 'thumbnail'\n[dataset]\ncsv = 'splits.csv'\n"
    (dataset.root / "dvdup.toml").write_text(config, encoding="utf-8")
    if indexed:
        assert dvdup(dataset.root, "sync").code == 0
    ran = dvdup(dataset.root, *NAMES_ONLY, "-f", "json")
    assert ran.code == 1
    (pair,) = ran.json["pairs"]
    assert (pair["verdict"], pair["basis"]) == ("identical", "same-file")
    assert "the same file is declared in both" in dvdup(dataset.root, *NAMES_ONLY).stdout


def test_nothing_found_never_reads_as_a_clean_check(named, dvdup):
    root = named("train/sub-01_T1w", "test/sub-02_T1w")
    ran = dvdup(root, *NAMES_ONLY)
    assert ran.code == 0
    assert (
        "No subject and no file lies in two splits by names alone; no scan was looked at."
        in ran.stdout
    )
    assert "No copy" not in ran.stdout


def test_a_thousand_fresh_names(named, dvdup, monkeypatch):
    """Nothing that embeds or reads is asked for a single one of them."""
    from dvdup import readers, workspace

    def refuse(*args, **kwargs):
        raise AssertionError("a scan was looked at")

    monkeypatch.setattr(readers, "read_volume", refuse)
    monkeypatch.setattr(workspace.LazyEmbedder, "_embedder", refuse)
    names = [f"{split}/sub-{n:04}_T1w" for split, start in (("train", 0), ("test", 790))
             for n in range(start, start + (800 if split == "train" else 200))]  # fmt: skip
    ran = dvdup(named(*names), *NAMES_ONLY, "-f", "json")
    assert ran.code == 1
    assert len(ran.json["pairs"]) == 10


def test_a_check_tells_it_before_it_reads(dataset, dvdup, monkeypatch):
    from dvdup.errors import InputError
    from dvdup.sync.run import Run

    dataset.put("train/p15_again.nii.gz", 3)
    with (dataset.root / "dvdup.toml").open("a", encoding="utf-8") as stream:
        stream.write("group = '(p[0-9]+)'\n")
    note = "note: 1 subject lies in more than one split by names alone, such as p15"

    def reached(*args):
        raise InputError("now scans would be read")

    with monkeypatch.context() as patched:
        patched.setattr(Run, "carry_out", reached)
        lines = dvdup(dataset.root, "check").stderr.splitlines()
    assert lines[0].startswith(note)
    assert lines[-1].endswith("now scans would be read")
    assert note in dvdup(dataset.root, "check").stderr
    assert note not in dvdup(dataset.root, "check").stderr  # nothing is new


def test_accepted_pairs_stay_accepted(dataset, dvdup):
    with (dataset.root / "dvdup.toml").open("a", encoding="utf-8") as stream:
        stream.write("group = '(p[0-9]+)'\n")
    dataset.put("test/p03_b.nii.gz", 20)
    assert dvdup(dataset.root, "check", "-q").code == 1
    args = ("accept", "train/p03", "test/p03_b", "--reason", "twins")
    assert dvdup(dataset.root, *args).code == 0
    assert dvdup(dataset.root, *NAMES_ONLY).code == 0


def test_patients_of_dicom_without_an_index(tmp_path, phantom, dvdup, monkeypatch):
    """Nobody can try numbers of patients on what is printed, and it stays what it is."""
    monkeypatch.setenv("DVDUP_EMBEDDER", "thumbnail")
    for number, folder in enumerate(("train/a", "test/b", "test/c")):
        (tmp_path / folder).mkdir(parents=True)
        write_series(
            tmp_path / folder,
            phantom(number, (20, 20, 6)).astype(np.int16),
            SeriesInstanceUID=f"1.2.826.0.1.3680043.8.498.{number + 10}",
            PatientID="P-18" if number == 2 else "P-17",
        )
    (tmp_path / "dvdup.toml").write_text("[dataset]\nlayout = 'folders'\n", encoding="utf-8")
    ran = dvdup(tmp_path, *NAMES_ONLY, "-f", "json")
    assert found(ran) == {("a", "b", "same-subject", "declared")}
    from dvdup.hashing import seal

    guessed = seal(b"", "person", b"\0P-17")[:16]
    assert guessed not in ran.stdout
    assert "P-17" not in ran.stdout

    assert {path.name for path in (tmp_path / ".dvdup").iterdir()} <= {
        "dvdup-index.json", "key", ".gitignore",
    }  # fmt: skip
    status = dvdup(tmp_path, "status")
    assert status.code == 2
    assert "dvdup sync" in status.stderr
    assert dvdup(tmp_path, *NAMES_ONLY, "-f", "json").stdout == ran.stdout
    checked = dvdup(tmp_path, "check", "-f", "json", "-q")
    groups = {pair[side]["group"] for pair in checked.json["pairs"] for side in "ab"}
    assert groups == {pair["a"]["group"] for pair in ran.json["pairs"]}


def test_what_does_not_go_with_it(named, dvdup):
    root = named("train/sub-01_T1w", "test/sub-02_T1w")
    for flag in (("--full",), ("--committed",), ("--give-up", "5")):
        ran = dvdup(root, *NAMES_ONLY, *flag)
        assert ran.code == 2
        assert "reads no scan" in ran.stderr


def test_through_the_console_script(named, console):
    root = named("train/sub-01_a", "test/sub-01_b")
    ran = console(root, *NAMES_ONLY)
    assert ran.code == 1
    assert re.search(r"same-subject +sub-01_b +sub-01_a", ran.stdout)
