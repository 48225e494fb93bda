"""Bad input never passes as clean: each kind has its own message and exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest


def truncated(folder):
    whole = (folder / "p14.nii.gz").read_bytes()
    (folder / "bad.nii.gz").write_bytes(whole[: len(whole) // 2])
    return "truncated"


def zero_bytes(folder):
    (folder / "bad.nii.gz").touch()
    return "empty"


def text_file(folder):
    (folder / "bad.nii").write_text("see the other folder\n" * 30)
    return "text file"


def wrong_magic(folder):
    header = bytearray(352 + 1000)
    header[:4] = (348).to_bytes(4, "little")
    header[344:348] = b"abcd"
    header[40:42] = (3).to_bytes(2, "little")
    (folder / "bad.nii").write_bytes(header)
    return "not a NIfTI"


def pointer(folder):
    (folder / "bad.nii.gz").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n"
    )
    return "git lfs pull"


def broken_link(folder):
    (folder / "bad.nii.gz").symlink_to("nowhere.nii.gz")
    return "broken symbolic link"


def all_constant(folder):
    nib.save(nib.Nifti1Image(np.full((20, 20, 20), 7, np.int16), np.eye(4)), folder / "bad.nii")
    return "no informative slice"


def not_numbers(folder):
    values = np.full((20, 20, 20), np.nan, np.float32)
    nib.save(nib.Nifti1Image(values, np.eye(4)), folder / "bad.nii")
    return "no informative slice"


BAD = [
    *(truncated, zero_bytes, text_file, wrong_magic, pointer, broken_link),
    *(all_constant, not_numbers),
]


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_an_unreadable_case_is_never_clean(dataset, dvdup, make):
    words = make(dataset.root / "test")
    done = dvdup(dataset.root, "check", "-f", "json")
    assert done.code == 2
    (case,) = done.json["unreadable"]
    assert (case["split"], case["case"]) == ("test", "bad")
    assert words in case["reason"]
    assert str(dataset.root) not in done.stdout
    assert done.json["totals"]["unreadable"] == 1
    table = dvdup(dataset.root, "check")
    assert table.code == 2
    assert table.stdout.startswith("Incomplete")
    assert dvdup(dataset.root, "check", "--allow-unreadable").code == 0
    assert dvdup(dataset.root, "sync").code == 2
    assert dvdup(dataset.root, "diff", "train", "test").code == 2


def test_it_is_read_again_when_mended(dataset, dvdup):
    truncated(dataset.root / "test")
    assert dvdup(dataset.root, "check").code == 2
    dataset.put("test/bad.nii.gz", 20)
    assert dvdup(dataset.root, "check").code == 0


def test_a_finding_goes_before_what_could_not_be_read(dataset, dvdup):
    truncated(dataset.root / "test")
    dataset.put("test/leak.nii.gz", 3)
    assert dvdup(dataset.root, "check").code == 1


def test_an_index_keeps_its_case_when_the_file_turns_bad(dataset, dvdup):
    """What was known stays out of the comparison, but is named."""
    dvdup(dataset.root, "sync", "-q")
    (dataset.root / "test/p14.nii.gz").write_bytes(b"")
    done = dvdup(dataset.root, "check", "-f", "json")
    assert done.code == 2
    assert done.json["unreadable"][0]["case"] == "p14"


@pytest.mark.parametrize("kind", ["one slice", "4D", "eight channels", "anisotropic", "nan", "rgb"])
def test_odd_volumes_are_found_again(dataset, dvdup, phantom, kind):
    values = phantom(70)
    odd = {
        "one slice": values[:, :, 18:19],
        "4D": np.stack([values, phantom(71), phantom(72)], axis=-1),
        "eight channels": np.stack([phantom(n) for n in range(72, 80)], axis=-1),
        "anisotropic": values[:, :, ::4],
        "nan": np.where(np.arange(36) % 9 == 0, np.nan, values).astype(np.float32),
        "rgb": values[:, :, 10:20],
    }[kind]
    affine = np.diag([3.0, 3, 12 if kind == "anisotropic" else 3, 1])
    for target in ("train/odd.nii.gz", "test/odd2.nii.gz"):
        if kind == "rgb":
            rgb = np.zeros(odd.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
            for number, name in enumerate("RGB"):
                rgb[name] = (odd >> (number + 3)).astype(np.uint8)
            image = nib.Nifti1Image(rgb, affine)
        else:
            image = nib.Nifti1Image(odd, affine)
        if target.startswith("test") and kind != "rgb":
            image = image.as_reoriented(np.array([[1, -1.0], [0, 1], [2, 1]]))
        nib.save(image, dataset.root / target)
    report = dvdup(dataset.root, "check", "-f", "json")
    assert [(p["a"]["case"], p["b"]["case"], p["verdict"]) for p in report.json["pairs"]] == [
        ("odd", "odd2", "identical")
    ], report.stderr


def test_one_channel_of_a_4d_scan_is_identical(dataset, dvdup, phantom, save):
    save(
        dataset.root / "train/four.nii.gz",
        np.stack([phantom(n) for n in range(80, 84)], axis=-1),
    )
    save(dataset.root / "test/single.nii.gz", phantom(82))
    report = dvdup(dataset.root, "check", "-f", "json").json
    assert [(p["a"]["case"], p["verdict"]) for p in report["pairs"]] == [("four", "identical")]


def test_files_that_differ_in_their_suffix_are_two_cases(dataset, dvdup, phantom, save):
    save(dataset.root / "test/p14.nii", phantom(3))
    done = dvdup(dataset.root, "check", "-q", "-f", "json")
    assert done.code == 1
    cases = json.loads(done.stdout)["totals"]["cases"]
    (dataset.root / "test/p14.nii").unlink()
    fewer = json.loads(dvdup(dataset.root, "check", "-q", "-f", "json").stdout)["totals"]["cases"]
    assert cases["test"] == fewer["test"] + 1


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("tset", "there are train, test"),
        ("train@v9", "no tag 'v9'"),
        ("train@999", "no version 999"),
        ("train@", "no version"),
    ],
)
def test_unknown_refs(dataset, dvdup, ref, words):
    dvdup(dataset.root, "sync", "-q")
    done = dvdup(dataset.root, "diff", ref, "test")
    assert (done.code, done.stdout) == (2, "")
    assert words in done.stderr


def test_no_index_yet(dataset, dvdup):
    done = dvdup(dataset.root, "diff", "train", "test")
    assert done.code == 2
    assert "dvdup sync" in done.stderr


def test_other_slicing_is_refused_and_rebuild_is_the_way_out(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    dvdup(dataset.root, "tag", "v1")
    dvdup(dataset.root, "add", "--split", "extra", dataset.pool / "p22.nii.gz")
    (dataset.root / "dvdup.toml").write_text(
        '[dataset]\nlayout = "folders"\n[slicing]\nplanes = ["axial"]\n'
    )
    done = dvdup(dataset.root, "check")
    assert done.code == 2
    assert "--rebuild" in done.stderr
    asked = dvdup(dataset.root, "sync", "--rebuild")
    assert (asked.code, "the tags v1" in asked.stderr) == (2, True)
    done = dvdup(dataset.root, "sync", "--rebuild", "--yes")
    assert done.code == 0, done.stderr
    assert "21 embedded" in done.stderr  # the one added by hand too
    assert dvdup(dataset.root, "check").code == 0
    # "cache" is there only if the scans were old enough to be trusted by now
    assert {p.name for p in (dataset.root / ".dvdup").iterdir()} - {"cache"} == {
        ".gitignore", "dvdup-index.json", "index", "key", "lock", "results",
    }  # fmt: skip


def test_other_embedder_is_refused(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    done = dvdup(dataset.root, "sync", "--embedder", "dinov2")
    assert done.code == 2
    assert "thumbnail" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_missing_weights_are_one_sentence(dataset, dvdup):
    done = dvdup(dataset.root, "sync", "--embedder", "dinov2")
    assert done.code == 2
    assert len(done.stderr.splitlines()) == 1
    assert "dinov2" in done.stderr


def test_a_damaged_index_is_told_and_rebuilt(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    assert dvdup(dataset.root, "status", "--verify").code == 0
    files = sorted((dataset.root / ".dvdup/index/slices.lance/data").iterdir())
    data = bytearray(files[0].read_bytes())
    data[len(data) // 2] ^= 0xFF
    files[0].write_bytes(data)
    done = dvdup(dataset.root, "status", "--verify")
    assert done.code == 2
    assert "damaged" in done.stderr
    for path in files:
        path.unlink()
    done = dvdup(dataset.root, "diff", "train", "test")
    assert done.code == 2
    assert "--rebuild" in done.stderr
    assert dvdup(dataset.root, "sync", "--rebuild", "--yes").code == 0
    assert dvdup(dataset.root, "diff", "train", "test").code == 0


def test_a_damaged_cases_table(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    for path in (dataset.root / ".dvdup/index/cases.lance/data").iterdir():
        path.write_bytes(path.read_bytes()[:40])
    done = dvdup(dataset.root, "check")
    assert (done.code, done.stdout) == (2, "")
    assert "--rebuild" in done.stderr
    done = dvdup(dataset.root, "sync", "--rebuild", "--yes")
    assert done.code == 0, done.stderr
    assert dvdup(dataset.root, "check").code == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_permission_denied(dataset, dvdup):
    file = dataset.root / "test/p14.nii.gz"
    file.chmod(0)
    done = dvdup(dataset.root, "check", "-f", "json")
    file.chmod(0o644)
    assert done.code == 2
    assert "permission denied" in done.json["unreadable"][0]["reason"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_folder(dataset, dvdup):
    (dataset.root / "test").chmod(0)
    done = dvdup(dataset.root, "check")
    (dataset.root / "test").chmod(0o755)
    assert (done.code, done.stdout) == (2, "")
    assert "test" in done.stderr


def test_empty_dataset(tmp_path, dvdup):
    done = dvdup(tmp_path, "check")
    assert (done.code, done.stdout) == (2, "")
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    assert dvdup(tmp_path, "check").code == 2


@pytest.mark.parametrize(
    "args",
    [
        ("diff", "train"),
        ("diff", "train", "test", "--format", "pdf"),
        ("diff", "train", "test", "--fail-on", "nothing"),
        ("nonsense",),
        ("add", "--split", "train", "missing.nii.gz"),
        ("rm", "train/none"),
        ("query", "missing.nii.gz"),
        ("compare", "train/p00.nii.gz", "missing.nii.gz"),
        ("compare", "train/p00.nii.gz", "train/p00.nii.gz"),
        ("compare", "train", "test"),
        ("tag", "bad name!"),
    ],
    ids=" ".join,
)
def test_usage_errors_are_one_message_and_code_2(dataset, dvdup, args):
    dvdup(dataset.root, "sync", "-q")
    done = dvdup(dataset.root, *args)
    assert (done.code, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_unknown_configuration_key(dataset, dvdup):
    (dataset.root / "dvdup.toml").write_text("embeder = 'thumbnail'\n")
    done = dvdup(dataset.root, "check")
    assert done.code == 2
    assert "did you mean embedder" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the folder of a process")
@pytest.mark.parametrize("command", ["status", "check", "init"])
def test_a_working_folder_that_is_gone_is_told(tmp_path, command):
    """Failed before: a traceback, and the wish to be told of a bug."""
    gone = tmp_path / "gone"
    gone.mkdir()
    code = f"import os; os.rmdir(os.getcwd()); from dvdup.cli import app; app(['{command}'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=gone, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"the working folder is gone" in done.stderr
    assert b"Traceback" not in done.stderr
