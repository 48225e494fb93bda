"""Stats and hashes of files: what counts as unchanged, and when a stat is not to be trusted."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from dvdup import files
from dvdup.errors import ReadError
from dvdup.files import RACY, Verified, fingerprint, hash_files, stat_files, unchanged
from dvdup.records import FileStat
from dvdup.sealed import SealedFiles

OLD_NS = 1_600_000_000_000_000_000


def make(root: Path, name: str, data: bytes = b"voxels", mtime_ns: int = OLD_NS) -> FileStat:
    path = root / name
    path.write_bytes(data)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    (stat,) = stat_files(root, [name]) or ()
    return stat


def test_stat(tmp_path):
    found = make(tmp_path, "a.nii")
    status = (tmp_path / "a.nii").stat()
    assert found == FileStat("a.nii", 6, OLD_NS, "", status.st_ctime_ns, status.st_ino)
    assert stat_files(tmp_path, ["a.nii", "gone.nii"]) is None
    assert stat_files(tmp_path, []) == ()


def test_hash(tmp_path):
    one, same = make(tmp_path, "a.nii"), make(tmp_path, "b.nii")
    other = make(tmp_path, "c.nii", b"voxelz")
    a, b, c = hash_files(tmp_path, (one, same, other))
    assert a.file_hash == b.file_hash != c.file_hash
    assert len(a.file_hash) == 32
    assert (a.path, a.size, a.mtime_ns) == (one.path, one.size, one.mtime_ns)


@pytest.mark.parametrize(
    ("age_s", "racy"), [(0.0, True), (1.9, True), (2.1, False), (3600.0, False), (-3600.0, True)]
)
def test_an_mtime_within_two_seconds_of_now_is_not_trusted(tmp_path, monkeypatch, age_s, racy):
    """Nor one from the future: the clock of a file server may be ahead."""
    stat = make(tmp_path, "a.nii")
    monkeypatch.setattr(time, "time_ns", lambda: OLD_NS + int(age_s * 1e9))
    (hashed,) = hash_files(tmp_path, (stat,))
    assert hashed.mtime_ns == (RACY if racy else OLD_NS)
    assert unchanged((hashed,), (stat,)) == (not racy)
    assert files.plausibly_unchanged((hashed,), (stat,))


def test_a_file_that_changes_while_it_is_hashed_is_told(tmp_path, monkeypatch):
    stat = make(tmp_path, "a.nii")

    def slow(path: Path) -> str:
        path.write_bytes(b"other voxels")
        return "hash"

    monkeypatch.setattr(files, "file_hash", slow)
    with pytest.raises(ReadError, match=r"a.nii changed while it was read; run it again"):
        hash_files(tmp_path, (stat,))


def test_a_file_that_vanishes_is_told(tmp_path):
    with pytest.raises(ReadError, match=r"gone.nii: no such file"):
        hash_files(tmp_path, (FileStat("gone.nii", 1, 1),))


@pytest.mark.parametrize(
    ("now", "same"),
    [
        ((FileStat("a", 1, 5),), True),
        ((FileStat("a", 1, 5, "a hash does not matter"),), True),
        ((FileStat("a", 2, 5),), False),
        ((FileStat("a", 1, 6),), False),
        ((FileStat("a", 1, 5, "", 9, 3),), True),
        ((FileStat("a", 1, 5, "", 0, 0),), True),
        ((FileStat("a", 1, 5, "", 8, 3),), False),
        ((FileStat("a", 1, 5, "", 9, 4),), False),
        ((FileStat("b", 1, 5),), False),
        ((FileStat("a", 1, 5), FileStat("b", 1, 5)), False),
        ((), False),
    ],
)
def test_unchanged(now, same):
    """An inode and its time that are not known, on either side, prove nothing."""
    stored = (FileStat("a", 1, 5, "h", 9, 3),)
    assert unchanged(stored, now) == same
    assert files.plausibly_unchanged(stored, now) == same


def test_plausibly_unchanged_still_sees_size_and_number():
    stored = (FileStat("a", 1, RACY),)
    assert files.plausibly_unchanged(stored, (FileStat("a", 1, 77),))
    assert not files.plausibly_unchanged(stored, (FileStat("a", 2, 77),))
    assert not files.plausibly_unchanged(stored, (FileStat("a", 1, 77), FileStat("b", 1, 1)))


# Another file of the same size and mtime


def replaced(root: Path, how: str) -> None:
    """Put other bytes where a.nii was, with its size and its mtime."""
    (root / "new").write_bytes(b"vOxels")
    if how == "moved there":
        os.utime(root / "new", ns=(OLD_NS, OLD_NS))
        os.replace(root / "new", root / "a.nii")
    else:
        (root / "a.nii").write_bytes(b"vOxels")
        os.utime(root / "a.nii", ns=(OLD_NS, OLD_NS))


@pytest.mark.parametrize("how", ["moved there", "written over"])
def test_another_file_of_equal_size_and_mtime_is_not_unchanged(tmp_path, how):
    stored = hash_files(tmp_path, [make(tmp_path, "a.nii")])
    assert files.holds_what_was_indexed(tmp_path, stored, ["a.nii"])
    replaced(tmp_path, how)
    now = stat_files(tmp_path, ["a.nii"])
    assert not unchanged(stored, now)
    assert files.same_times(stored, now)
    assert not files.holds_what_was_indexed(tmp_path, stored, ["a.nii"])


def test_a_copy_with_its_times_is_hashed_once_and_then_believed(tmp_path, monkeypatch):
    stored = hash_files(tmp_path, [make(tmp_path, "a.nii")])
    os.replace(tmp_path / "a.nii", tmp_path / "old")
    make(tmp_path, "a.nii")
    known = Verified(SealedFiles(tmp_path, bytes))
    assert files.holds_what_was_indexed(tmp_path, stored, ["a.nii"], known)
    known.save()
    monkeypatch.setattr(files, "file_hash", lambda path: pytest.fail(f"{path} is hashed again"))
    known = Verified(SealedFiles(tmp_path, bytes))
    assert files.holds_what_was_indexed(tmp_path, stored, ["a.nii"], known)


@pytest.mark.parametrize("mtime_ns", [OLD_NS, OLD_NS + 5])
def test_a_touched_file_still_holds_what_was_indexed(tmp_path, mtime_ns):
    stored = hash_files(tmp_path, [make(tmp_path, "a.nii")])
    make(tmp_path, "a.nii", mtime_ns=mtime_ns)
    assert files.holds_what_was_indexed(tmp_path, stored, ["a.nii"])
    make(tmp_path, "a.nii", b"voxelz", mtime_ns=mtime_ns)
    assert not files.holds_what_was_indexed(tmp_path, stored, ["a.nii"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
@pytest.mark.parametrize("target", ["pipe", "/dev/zero"])
def test_what_is_no_regular_file_is_not_waited_for(tmp_path, target):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.nii").symlink_to(target)
    with pytest.raises(ReadError, match=r"a.nii is not a regular file"):
        hash_files(tmp_path, stat_files(tmp_path, ["a.nii"]))


def test_missing(tmp_path):
    make(tmp_path, "a.nii")
    assert not files.is_missing(tmp_path, "a.nii")
    assert files.is_missing(tmp_path, "b.nii")
    assert files.is_missing(tmp_path, "a.nii/below-a-file")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_to_nothing_is_there(tmp_path):
    """As those of git-annex and DVC whose content has not been fetched."""
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert not files.is_missing(tmp_path, "dangling")


def stat(path: str, digest: str) -> FileStat:
    return FileStat(path, 1, 1, digest)


def test_the_fingerprint_is_of_bytes_suffix_and_series():
    one = fingerprint((stat("x/a.nii.gz", "h"),), None)
    assert one == fingerprint((stat("y/b.NII.GZ", "h"),), None)
    others = [
        fingerprint((stat("x/a.nii", "h"),), None),
        fingerprint((stat("x/a.nii.gz", "g"),), None),
        fingerprint((stat("x/a.nii.gz", "h"),), "1.2.3"),
        fingerprint((stat("x/a.nii.gz", "h"), stat("x/b.nii.gz", "h")), None),
    ]
    assert len({one, *others}) == 5
    assert fingerprint((stat("a", "h"), stat("b", "g")), None) == fingerprint(
        (stat("c", "g"), stat("d", "h")), None
    )


def test_without_every_hash_there_is_no_fingerprint():
    assert fingerprint((), None) is None
    assert fingerprint((stat("a", "h"), stat("b", "")), None) is None


# Files that were too young and have been hashed again


@pytest.fixture
def remembered(tmp_path) -> Verified:
    """Knows that `a` of 1 byte, mtime 5, ctime 8 and inode 2 has the hash h."""
    known = Verified(SealedFiles(tmp_path, bytes))
    known.add((FileStat("a", 1, 5, "h", 8, 2),))
    known.save()
    return Verified(SealedFiles(tmp_path, bytes))


@pytest.mark.parametrize(
    ("stored", "now", "same"),
    [
        (FileStat("a", 1, RACY, "h"), FileStat("a", 1, 5), True),
        (FileStat("a", 1, RACY, "h"), FileStat("a", 1, 6), False),
        (FileStat("a", 1, RACY, "h"), FileStat("a", 2, 5), False),
        (FileStat("a", 1, RACY, "another"), FileStat("a", 1, 5), False),
        (FileStat("a", 2, RACY, "h"), FileStat("a", 2, 5), False),
        (FileStat("b", 1, RACY, "h"), FileStat("b", 1, 5), False),
        (FileStat("b", 1, 7, "h"), FileStat("b", 1, 7), True),
        (FileStat("a", 1, 7, "h"), FileStat("a", 1, 5), True),
        (FileStat("a", 1, 5, "h", 9, 3), FileStat("a", 1, 5, "", 8, 2), True),
        (FileStat("a", 1, 5, "h", 9, 3), FileStat("a", 1, 5, "", 9, 3), True),
        (FileStat("a", 1, 5, "h", 9, 3), FileStat("a", 1, 5, "", 7, 2), False),
        (FileStat("a", 1, 5, "g", 9, 3), FileStat("a", 1, 5, "", 8, 2), False),
        (FileStat("a", 1, 5, "", 9, 3), FileStat("a", 1, 5, "", 8, 2), False),
    ],
)
def test_what_was_hashed_again_is_trusted(remembered, stored, now, same):
    assert remembered.unchanged((stored,), (now,)) == same


def test_what_is_still_young_is_not_remembered(tmp_path):
    known = Verified(SealedFiles(tmp_path, bytes))
    known.add((FileStat("a", 1, RACY, "h"),))
    known.save()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "damage",
    [b"", b"[1]", b"{", b"\xff", b"7", b'{"a": 1}', b'[{"path": []}]', b'[["a"]]', b"null"],
)
def test_a_damaged_memory_costs_hashing_only(remembered, tmp_path, damage):
    (tmp_path / "cache/verified.json").write_bytes(damage)
    known = Verified(SealedFiles(tmp_path, bytes))
    assert not known.unchanged((FileStat("a", 1, RACY, "h"),), (FileStat("a", 1, 5),))
    known.add((FileStat("a", 1, 5, "h"),))
    known.save()
    again = Verified(SealedFiles(tmp_path, bytes))
    assert again.unchanged((FileStat("a", 1, RACY, "h"),), (FileStat("a", 1, 5),))


def store(root: Path) -> Path:
    """A folder of files that is one scan."""
    folder = root / "a.zarr"
    (folder / "c/0").mkdir(parents=True)
    for name in ("zarr.json", "c/0/0", "c/0/1"):
        make(folder, name)
    return folder


def _written(folder: Path) -> None:
    make(folder, "c/0/0", b"VOXELS")


def _added(folder: Path) -> None:
    make(folder, "c/0/2", b"")


def _removed(folder: Path) -> None:
    (folder / "c/0/1").unlink()


def _renamed(folder: Path) -> None:
    (folder / "c/0/1").rename(folder / "c/0/7")


@pytest.mark.parametrize("change", [_written, _added, _removed, _renamed])
def test_a_folder_changes_with_what_is_in_it(tmp_path, monkeypatch, change):
    monkeypatch.setattr(files, "_BELIEVED", 0.0)
    folder = store(tmp_path)
    before = stat_files(tmp_path, ["a.zarr"]) or ()
    hashed = hash_files(tmp_path, before)
    assert before[0].size == 18
    time.sleep(0.02)  # file systems tell times to some milliseconds
    change(folder)
    after = stat_files(tmp_path, ["a.zarr"]) or ()
    assert not unchanged(before, after)
    assert hash_files(tmp_path, after)[0].file_hash != hashed[0].file_hash


def test_a_folder_that_was_copied_has_the_same_hash(tmp_path):
    folder = store(tmp_path)
    shutil.copytree(folder, tmp_path / "b.zarr")
    a, b = hash_files(tmp_path, stat_files(tmp_path, ["a.zarr", "b.zarr"]) or ())
    assert a.file_hash == b.file_hash
    assert fingerprint([a], None) == fingerprint([b], None)


def test_a_folder_is_not_walked_for_each_of_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_BELIEVED", 1e9)
    store(tmp_path)
    first = stat_files(tmp_path, ["a.zarr"])
    monkeypatch.setattr(files, "files_below", lambda path: pytest.fail("walked again"))
    assert stat_files(tmp_path, ["a.zarr"]) == first


@pytest.mark.skipif(os.name == "nt", reason="no FIFOs")
def test_a_pipe_in_a_folder_holds_nobody(tmp_path):
    os.mkfifo(store(tmp_path) / "c/0/9")
    with pytest.raises(ReadError, match="not a regular file"):
        hash_files(tmp_path, stat_files(tmp_path, ["a.zarr"]) or ())
