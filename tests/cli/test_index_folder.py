"""The index folder: dvdup deletes what it made and nothing else, and heals what was damaged."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from pathlib import Path

import pytest

from dvdup import store
from dvdup.records import Hooks
from dvdup.store import Index

N = 6


@pytest.fixture
def small(tmp_path, dataset):
    """Four train and two test scans, one of them a copy."""
    root = tmp_path / "small"
    for number in range(4):
        copy(dataset.pool / f"p{number:02}.nii.gz", root / f"train/p{number}.nii.gz")
    copy(dataset.pool / "p01.nii.gz", root / "test/copy.nii.gz")
    copy(dataset.pool / "p05.nii.gz", root / "test/p5.nii.gz")
    (root / "dvdup.toml").write_text('embedder = "thumbnail"\n')
    return root


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("command", ["sync", "check", "sync --rebuild --yes", "tag v1", "rm x/*"])
@pytest.mark.parametrize("index", [".", "..", "mine", "train"])
def test_a_folder_of_the_user_is_left_as_it_is(small, dvdup, command, index):
    """All of these were deleted, or ignored by git."""
    for name in ("index/thesis.tex", "rebuild/r.txt", "mine/index/notes.txt", "mine/.gitignore"):
        (small / name).parent.mkdir(parents=True, exist_ok=True)
        (small / name).write_text("precious")
    before = tree(small.parent)
    done = dvdup(small, *command.split(), "--index", index)
    assert (done.code, "not an index folder that dvdup made" in done.stderr) == (2, True)
    assert tree(small.parent) == before


@pytest.mark.parametrize("index", ["/", "../project", "link"])
def test_a_repository_cannot_send_the_index_elsewhere(small, dvdup, index):
    project = small.parent / "project"
    (project / "index").mkdir(parents=True)
    (project / "index/thesis.tex").write_text("precious")
    (small / "link").symlink_to(project)
    (small / "dvdup.toml").write_text(f'embedder = "thumbnail"\nindex = "{index}"\n')
    done = dvdup(small, "check")
    assert (done.code, "--outside-index" in done.stderr) == (2, True)
    assert tree(project) == {"index/thesis.tex": b"precious"}


def test_with_the_users_word_it_may_lie_elsewhere(small, dvdup):
    (small / "dvdup.toml").write_text('embedder = "thumbnail"\nindex = "../elsewhere"\n')
    assert dvdup(small, "sync", "--outside-index").code == 0
    assert store.is_marked(small.parent / "elsewhere")
    assert dvdup(small, "sync").code == 2


def test_what_the_user_put_beside_the_index_survives_a_rebuild(small, dvdup):
    assert dvdup(small, "sync").code == 0
    for name in ("notes.txt", "results/notes.txt", "cache/looks/notes.txt", "index/notes.txt"):
        (small / ".dvdup" / name).parent.mkdir(parents=True, exist_ok=True)
        (small / ".dvdup" / name).write_text("precious")
    dvdup(small, "sync", "--rebuild", "--yes")
    dvdup(small, "check")
    kept = [path.read_text() for path in (small / ".dvdup").rglob("notes.txt")]
    assert kept == ["precious"] * 4


def test_two_datasets_with_one_index(small, dvdup):
    other = small.parent / "other"
    shutil.copytree(small, other)
    assert dvdup(small, "check", "--index", "../i").code == 1
    for command in (["sync"], ["check"], ["diff", "train", "test"], ["status"], ["log"]):
        done = dvdup(other, *command, "--index", "../i")
        assert (done.code, "is that of the dataset in" in done.stderr) == (2, True)
    assert len(Index(small.parent / "i").cases) == N


def test_a_dataset_that_has_moved_takes_its_index_over(small, dvdup):
    assert dvdup(small, "check", "--index", "../i").code == 1
    moved = small.rename(small.with_name("moved"))
    assert dvdup(moved, "sync", "--index", "../i").code == 2
    done = dvdup(moved, "sync", "--adopt", "--index", "../i")
    assert (done.code, f"{N} unchanged" in done.stderr) == (0, True)
    assert dvdup(moved, "check", "--index", "../i").code == 1


@pytest.mark.parametrize("uri", ["http://host/x", "s3://", "file://host/x"])
def test_an_address_of_nothing_is_refused(small, dvdup, uri):
    before = tree(small)
    done = dvdup(small, "check", "--index", uri)
    assert (done.code, uri in done.stderr) == (2, True)
    assert tree(small) == before


def test_tags_and_history_do_not_end_unasked(small, dvdup):
    assert dvdup(small, "sync").code == 0
    assert dvdup(small, "sync", "--rebuild").code == 0  # one entry: nothing is lost
    assert dvdup(small, "tag", "v1").code == 0
    done = dvdup(small, "sync", "--rebuild")
    assert done.code == 2
    assert "--rebuild ends the tags v1 and the history (2 entries" in done.stderr
    assert "v1" in dvdup(small, "tag", "--list").stdout
    assert dvdup(small, "sync", "--rebuild", "--yes").code == 0
    assert dvdup(small, "tag", "--list").stdout == ""


def test_tags_are_listed_and_deleted(small, dvdup):
    dvdup(small, "sync")
    dvdup(small, "tag", "v2")
    dvdup(small, "tag", "v1")
    for command in (["tag", "--list"], ["tag"]):
        listed = dvdup(small, *command).stdout.splitlines()
        assert [line.split("\t")[0] for line in listed] == ["v1", "v2"]
    assert "it was version" in dvdup(small, "tag", "--delete", "v2").stderr
    done = dvdup(small, "tag", "--delete", "v2")
    assert (done.code, "(tags: v1)" in done.stderr) == (2, True)
    for wrong in (["--delete"], ["--list", "v1"]):
        assert dvdup(small, "tag", *wrong).code == 2


@pytest.mark.parametrize("command", [("tag", "v1"), ("rm", "test/p5")])
def test_who_waits_says_so(small, dvdup, command):
    dvdup(small, "sync")
    freed = threading.Event()
    with pytest.MonkeyPatch.context() as patch, store.write_lock(small / ".dvdup", small):
        waiting = Hooks.waiting

        def told(hooks):
            waiting(hooks)
            freed.set()
            raise KeyboardInterrupt

        patch.setattr(Hooks, "waiting", told)
        done = dvdup(small, *command)
    assert freed.is_set()
    assert "waiting for another dvdup command" in done.stderr


def test_a_command_that_fails_leaves_no_folder(small, dvdup):
    shutil.rmtree(small / "test")
    (small / "test").mkdir()
    for command in (["sync"], ["check"], ["tag", "v1"], ["status"], ["rm", "a/b"]):
        assert dvdup(small, *command).code == 2
        assert not (small / ".dvdup").exists(), command


# What is damaged is made anew, and told once


def caches(root: Path) -> list[Path]:
    folder = root / ".dvdup"
    return sorted(
        path
        for part in ("cache", "results")
        for path in (folder / part).rglob("*")
        if path.is_file()
    )


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [flip, cut, empty, replace])
def test_damage_in_any_cache_changes_no_answer_and_is_told(small, dvdup, monkeypatch, harm):
    """With voxels, so that all caches are there; a damaged one ended every later check."""
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")
    first = dvdup(small, "check", "-f", "json")
    assert (first.code, first.json["totals"]["identical"]) == (1, 1)
    files = caches(small)
    assert {path.suffix for path in files} >= {".json", ".lance", ".sqlite"}
    for path in files:
        harm(path)
    again = dvdup(small, "check", "-f", "json")
    assert (again.code, again.stdout) == (1, first.stdout)
    assert "damaged or edited" in again.stderr
    if harm is not replace:
        shutil.rmtree(small / ".dvdup/results")
        third = dvdup(small, "check", "-f", "json")
        assert (third.stdout, "damaged" in third.stderr) == (first.stdout, False)


def test_an_emptied_result_is_not_believed(small, dvdup):
    first = dvdup(small, "check", "-f", "json")
    (result,) = (small / ".dvdup/results").iterdir()
    text = result.read_text()
    start, end = text.index('"pairs": ['), text.index('"groups"')
    result.write_text(text[:start] + '"pairs": [], ' + text[end:])
    again = dvdup(small, "check", "-f", "json")
    assert (again.code, again.stdout) == (1, first.stdout)


def test_a_result_of_another_index_is_not_believed(small, dvdup):
    """Somebody ships a cache that says clean under the name of the answer."""
    dvdup(small, "check")
    (result,) = (small / ".dvdup/results").iterdir()
    foreign = result.read_bytes()
    shutil.rmtree(small / ".dvdup")
    dvdup(small, "check")
    (mine,) = (small / ".dvdup/results").iterdir()
    assert mine.name == result.name
    assert mine.read_bytes() != foreign
    mine.write_bytes(foreign)
    assert "damaged or edited" in dvdup(small, "check").stderr


PARTIAL = {
    "folders": ["index/slices.lance/_versions", "index/cases.lance/_versions"],
    "no manifest": ["index/slices.lance/_versions", "index/cases.lance/_transactions"],
    "empty manifest": ["index/cases.lance/_versions/18446744073709551614.manifest"],
    "nothing": ["index"],
}


@pytest.mark.parametrize("left", PARTIAL)
def test_a_creation_that_a_full_disk_ended_heals_by_itself(small, dvdup, left):
    """It asked for a rebuild for ever."""
    store.claim(small / ".dvdup", small)
    for name in PARTIAL[left]:
        place = small / ".dvdup" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch() if place.suffix == ".manifest" else place.mkdir()
    assert dvdup(small, "check").code == 1
    assert dvdup(small, "status", "--verify").code == 0


def test_an_index_that_lost_its_manifests_is_not_started_over_in_silence(small, dvdup):
    dvdup(small, "sync")
    shutil.rmtree(small / ".dvdup/index/cases.lance/_versions")
    done = dvdup(small, "check")
    assert (done.code, "--rebuild" in done.stderr) == (2, True)


@pytest.mark.parametrize("then", ["nothing", "another sync"])
def test_a_folder_that_goes_while_it_is_written_is_not_written_to(small, dvdup, monkeypatch, then):
    """Both writers had put their rows into the new one, each case twice."""
    from dvdup.store import Writer

    commit, index = Writer._commit, small / ".dvdup"

    def late(writer):
        monkeypatch.setattr(Writer, "_commit", commit)
        shutil.rmtree(index)
        if then == "another sync":
            assert dvdup(small, "sync").code == 0
        return commit(writer)

    monkeypatch.setattr(Writer, "_commit", late)
    done = dvdup(small, "sync")
    assert (done.code, "was deleted or replaced while" in done.stderr) == (2, True)
    assert dvdup(small, "sync").code == 0
    assert len(Index(index).cases) == N
    assert dvdup(small, "status", "--verify").code == 0


# Small copies of scans


def test_without_proxies_the_files_say_the_same(small, dvdup, monkeypatch):
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")
    with_them = dvdup(small, "check", "-f", "json")
    shutil.rmtree(small / ".dvdup")
    monkeypatch.setenv("DVDUP_STORE_PROXIES", "false")
    without = dvdup(small, "check", "-f", "json")
    assert (without.code, without.stdout) == (with_them.code, with_them.stdout)
    index = Index(small / ".dvdup")
    assert {case.proxy for case in index.with_proxies([case.key for case in index.cases])} == {b""}
    shown = dvdup(small, "show", "train/p1", "test/copy")
    assert shown.code == 0, shown.stderr


def test_without_proxies_a_file_that_is_gone_was_not_checked(small, dvdup, monkeypatch):
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")
    monkeypatch.setenv("DVDUP_STORE_PROXIES", "false")
    assert dvdup(small, "sync").code == 0
    (small / "test/p5.nii.gz").unlink()
    done = dvdup(small, "diff", "train", "test", "-f", "json")
    assert done.code in (1, 2)
    assert "test/p5.nii.gz" in {path for each in done.json["unreadable"] for path in each["paths"]}


# What else is written


def test_a_report_leaves_no_other_file_and_follows_links(small, dvdup):
    (small / "leaks.json.part").write_text("precious")
    (small / "real.json").write_text("old")
    (small / "leaks.json").symlink_to("real.json")
    before = set(tree(small))
    assert dvdup(small, "check", "-f", "json", "-o", "leaks.json").code == 1
    assert (small / "leaks.json").is_symlink()
    assert '"dvdup/report@1"' in (small / "real.json").read_text()
    assert (small / "leaks.json.part").read_text() == "precious"
    assert {name for name in tree(small) if not name.startswith(".dvdup")} == before


@pytest.mark.parametrize(
    "name", ["dvdup.toml", "dataset.json", ".dvdup/dvdup-index.json", ".dvdup/new.json"]
)
def test_a_report_takes_the_place_of_nothing_that_is_read(small, dvdup, name):
    dvdup(small, "sync")
    (small / "dataset.json").write_text("{}")
    before = tree(small)
    done = dvdup(small, "check", "-f", "json", "-o", name)
    assert (done.code, "dvdup itself reads" in done.stderr) == (2, True)
    assert tree(small) == before


def test_a_report_does_not_replace_the_table(small, dvdup):
    (small / "splits.csv").write_text("path,split\ntrain/p0.nii.gz,train\ntest/p5.nii.gz,test\n")
    (small / "dvdup.toml").write_text('embedder = "thumbnail"\n[dataset]\ncsv = "splits.csv"\n')
    assert dvdup(small, "check", "-o", "splits.csv").code == 2
    assert (small / "splits.csv").read_text().startswith("path,split")


@pytest.mark.skipif(os.name == "nt", reason="no FIFOs")
def test_a_report_to_a_device_does_not_replace_it(small, dvdup):
    """As root, `-o /dev/null` would have made it a file."""
    os.mkfifo(small / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((small / "pipe").read_text()))
    reader.start()
    assert dvdup(small, "check", "-f", "json", "-o", "pipe").code == 1
    reader.join(10)
    assert stat.S_ISFIFO((small / "pipe").stat().st_mode)
    assert '"dvdup/report@1"' in read[0]
