"""Datasets on an object store: the same findings as of local ones, and what must not be fetched."""

from __future__ import annotations

import errno
import gzip
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from layout_variants import VARIANTS, Scan, findings
from object_server import BUCKET, SECRET, ObjectServer, needs_server
from reader_dicom import write_series
from reader_scans import save as save_as

from dvdup.objects import ObjectFolder

pytestmark = needs_server


@pytest.fixture(scope="module")
def scans(_pool, tmp_path_factory):
    """Six persons for training, three for tests, and a copy of two of the former."""
    made = [
        Scan(f"h{n:03}", "train" if n < 6 else "test", _pool / f"p{n:02}.nii.gz") for n in range(9)
    ]
    again = tmp_path_factory.mktemp("copies") / "again.nii.gz"
    again.write_bytes(gzip.compress(gzip.decompress(made[1].file.read_bytes()), 1, mtime=1))
    return [*made, Scan("h009", "test", made[0].file), Scan("h010", "test", again)]


@pytest.fixture
def there(object_server, address) -> Path:
    """The folder whose files are the objects below `address`."""
    folder = object_server.folder / BUCKET / address.rpartition("/")[2]
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def work(tmp_path) -> Path:
    """An empty working folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def configured(work: Path, text: str) -> None:
    """Write a configuration with the small embedder."""
    (work / "dvdup.toml").write_text(f'embedder = "thumbnail"\njobs = 1\n{text}')


def on_store(work: Path, address: str, more: str = "") -> None:
    """Configure split folders at an address."""
    configured(work, f'[dataset]\npath = "{address}"\nlayout = "folders"\n{more}')


LEAKS = {
    ("identical", "voxel-hash", ("h000", "h009")),
    ("identical", "voxel-hash", ("h001", "h010")),
}


@pytest.mark.parametrize("name", list(VARIANTS))
def test_every_layout_is_told_and_finds_the_same(scans, there, address, work, dvdup, name):
    VARIANTS[name](there, scans)
    said = dvdup(work, "init", address)
    assert said.code == 0, said.stderr
    assert ": 11 scans (" in said.stderr
    text = (work / "dvdup.toml").read_text()
    (work / "dvdup.toml").write_text(f'embedder = "thumbnail"\n{text}')
    ran = dvdup(work, "check", "-f", "json", "-q")
    assert ran.code == 1, ran.stderr
    assert findings(ran.json) == LEAKS


def test_init_fetches_no_scan(scans, there, address, work, dvdup, object_server):
    for name in ("bids", "nnunet", "monai"):
        VARIANTS[name](there / name, scans)
        assert dvdup(work, "init", f"{address}/{name}", "--force").code == 0
    fetched = object_server.fetched(there.name)
    assert fetched
    assert not [name for name in fetched if name.endswith(".nii.gz")]


def test_reports_are_those_of_local_files(scans, there, address, work, dvdup):
    VARIANTS["folders"](there, scans)
    here = work.parent / "here"
    shutil.copytree(there, here)
    configured(here, '[dataset]\nlayout = "folders"\n')
    on_store(work, address)
    for how in ("json", "csv", "markdown"):
        local, remote = (dvdup(place, "check", "-q", "-f", how) for place in (here, work))
        assert (local.code, remote.code) == (1, 1)
        assert remote.stdout.replace(f"{address}/", "") == local.stdout


def write_pairs(folder: Path, kind: str) -> None:
    """Two persons for training, and one of them again for tests, each in several files."""
    for name, seed in {"train/a": 1, "train/b": 2, "test/c": 1}.items():
        rng = np.random.default_rng(seed)
        values = np.kron(rng.integers(0, 900, (8, 8, 6)), np.ones((4, 4, 4))).astype(np.int16)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if kind == "dicom":
            (folder / name).mkdir()
            write_series(folder / name, values.astype(np.uint16), f"{seed}{name[-1]}")
        elif kind == "hdr":
            save_as(folder / f"{name}.hdr", values, np.diag([3.0, 3.0, 3.0, 1.0]))
        else:
            save_as(folder / f"{name}.mhd", values, np.diag([3.0, 3.0, 3.0, 1.0]))


@pytest.mark.parametrize("kind", ["dicom", "hdr", "mhd"])
def test_cases_of_several_files(there, address, work, dvdup, object_server, kind):
    write_pairs(there, kind)
    on_store(work, address)
    ran = dvdup(work, "check", "-f", "json", "-q")
    assert ran.code == 1, ran.stderr + ran.stdout
    assert {name for _, _, names in _found(ran.json) for name in names} == {"a", "c"}
    n = len(object_server.fetched(there.name))
    assert dvdup(work, "check", "-f", "json", "-q").stdout == ran.stdout
    assert len(object_server.fetched(there.name)) == n


def _found(report):
    return [
        (pair["verdict"], pair["basis"], (pair["a"]["case"], pair["b"]["case"]))
        for pair in report["pairs"]
    ]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_a_local_table_of_addresses(scans, there, address, work, dvdup, suffix):
    VARIANTS["folders"](there, scans[:9])
    shutil.copy(scans[1].file, work / "mine.nii.gz")
    rows = [(f"{address}/{s.split}/{s.name}.nii.gz", s.split) for s in scans[:9]]
    rows.append(("mine.nii.gz", "test"))
    if suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        columns = list(zip(*rows, strict=True))
        parquet.write_table(pa.table({"path": columns[0], "split": columns[1]}), work / "t.parquet")
    else:
        mark = "," if suffix == ".csv" else "\t"
        text = "".join(f"{mark.join(row)}\n" for row in [("path", "split"), *rows])
        (work / f"t{suffix}").write_text(text)
    configured(work, f'[dataset]\ncsv = "t{suffix}"\n')
    ran = dvdup(work, "check", "-f", "json", "-q")
    assert ran.code == 1, ran.stderr
    ((_, _, names),) = _found(ran.json)
    assert set(names) == {"mine", "h001"}  # ids begin below what the kind shares


def test_lists_of_addresses_one_a_split(scans, there, address, work, dvdup):
    VARIANTS["folders"](there, scans)
    for split in ("train", "test"):
        names = [f"{address}/{s.split}/{s.name}.nii.gz\n" for s in scans if s.split == split]
        (work / f"{split}.txt").write_text("".join(names))
    configured(work, '[dataset]\n[dataset.splits]\ntrain = "train.txt"\ntest = "test.txt"\n')
    ran = dvdup(work, "check", "-f", "json", "-q")
    assert ran.code == 1, ran.stderr
    assert findings(ran.json) == LEAKS


def test_what_has_not_changed_is_not_fetched_again(
    scans, there, address, work, dvdup, object_server, monkeypatch
):
    VARIANTS["folders"](there, scans)
    on_store(work, address)
    first = dvdup(work, "check", "-q", "-f", "json")
    assert sorted(object_server.fetched(there.name)) == sorted(
        f"{scan.split}/{scan.name}.nii.gz" for scan in scans
    )  # each once
    monkeypatch.setenv("XDG_CACHE_HOME", str(work / "another"))  # nothing is kept there
    again = dvdup(work, "check", "-q", "-f", "json")
    assert again.stdout == first.stdout
    assert len(object_server.fetched(there.name)) == len(scans)
    shutil.copy(scans[3].file, there / "test/h007.nii.gz")
    changed = dvdup(work, "check", "-q", "-f", "json")
    assert object_server.fetched(there.name)[len(scans) :] == ["test/h007.nii.gz"]
    assert findings(changed.json) == LEAKS | {("identical", "voxel-hash", ("h003", "h007"))}


def test_the_same_content_written_again_is_no_change(scans, there, address, work, dvdup):
    VARIANTS["folders"](there, scans)
    on_store(work, address)
    dvdup(work, "sync", "-q")
    shutil.copy(scans[6].file, there / "test/h006.nii.gz")  # another time, the same ETag
    assert "11 unchanged" in dvdup(work, "sync").stderr


def test_an_object_that_is_gone_is_told(scans, there, address, work, dvdup):
    VARIANTS["folders"](there, scans)
    rows = "".join(f"{address}/{s.split}/{s.name}.nii.gz,{s.split}\n" for s in scans)
    (work / "t.csv").write_text(f"path,split\n{rows}")
    configured(work, '[dataset]\ncsv = "t.csv"\n')
    assert dvdup(work, "check", "-q").code == 1
    (there / "test/h007.nii.gz").unlink()
    diff = dvdup(work, "diff", "train", "test", "-q", "-f", "json")
    assert [case["kind"] for case in diff.json["unreadable"]] == ["stale"]
    ran = dvdup(work, "check", "-q", "-f", "json")
    assert ran.code == 1  # the leaks go first
    (missing,) = ran.json["unreadable"]
    assert missing["reason"] == (
        f"{address}/test/h007.nii.gz: there is no such object; put it back, or leave it out of "
        "the dataset"
    )


def test_the_cache_keeps_its_bound(scans, there, address, work, dvdup, object_server, tmp_path):
    VARIANTS["folders"](there, scans)
    size = max(scan.file.stat().st_size for scan in scans)
    on_store(work, address, f"[read]\ncache_bytes = {3 * size}\n")
    cache = _cache()
    ran = dvdup(work, "check", "-q", "-f", "json")
    assert findings(ran.json) == LEAKS
    kept = [file.stat().st_size for file in cache.glob("objects/*")]
    assert kept
    assert sum(kept) <= 3 * size
    assert len(object_server.fetched(there.name)) == len(scans)


def test_the_cache_gives_way_where_the_disk_is_full(
    scans, there, address, work, dvdup, monkeypatch
):
    fetch = ObjectFolder.fetch

    def tight(self, name, target):
        if len(list(Path(os.environ["XDG_CACHE_HOME"]).glob("dvdup/data/objects/*"))) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return fetch(self, name, target)

    monkeypatch.setattr(ObjectFolder, "fetch", tight)
    VARIANTS["folders"](there, scans)
    on_store(work, address)
    ran = dvdup(work, "check", "-q", "-f", "json")
    assert (ran.code, ran.json["unreadable"], findings(ran.json)) == (1, [], LEAKS)


def test_what_is_larger_than_the_cache_is_read_once_and_removed(
    scans, there, address, work, dvdup, object_server
):
    VARIANTS["folders"](there, scans)
    on_store(work, address, "[read]\ncache_bytes = 1000\n")
    assert findings(dvdup(work, "check", "-q", "-f", "json").json) == LEAKS
    assert len(object_server.fetched(there.name)) == len(scans)
    files = [path for path in _cache().rglob("*.nii.gz") if path.stat().st_size]
    assert [*files, *_cache().glob("objects/*")] == []


def _cache() -> Path:
    import os

    return Path(os.environ["XDG_CACHE_HOME"]) / "dvdup/data"


def started(folder: Path, *args: str) -> subprocess.Popen[str]:
    """Start the console script and do not wait for it."""
    script = Path(sys.executable).with_name("dvdup")
    return subprocess.Popen(
        [script, *args], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _once(condition) -> None:
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")


def test_a_kill_leaves_nothing_that_reads_as_sound(
    scans, there, address, work, console, object_server
):
    VARIANTS["folders"](there, scans)
    on_store(work, address)
    running = started(work, "sync", "-q")
    _once(lambda: len(object_server.fetched(there.name)) > 2)
    running.kill()
    running.communicate()
    sizes = {scan.file.stat().st_size for scan in scans}
    assert {file.stat().st_size for file in _cache().glob("objects/*")} <= sizes
    assert list(_cache().glob("desks/*.lock"))
    ran = console(work, "check", "-q", "-f", "json")
    assert findings(ran.json) == LEAKS, ran.stderr
    assert list(_cache().glob("desks/*")) == []  # what the killed one left has gone as well


def test_two_at_once_share_the_cache(scans, there, address, tmp_path, object_server):
    VARIANTS["folders"](there, scans)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        on_store(folder, address, "[read]\ncache_bytes = 300000\n")
    running = [started(folder, "check", "-q", "-f", "json") for folder in folders]
    said = [each.communicate(timeout=600) for each in running]
    assert [each.returncode for each in running] == [1, 1], said
    assert said[0][0] == said[1][0]
    assert sum(file.stat().st_size for file in _cache().glob("objects/*")) <= 300_000


def test_a_server_that_goes_away_in_the_middle(scans, work, console, tmp_path, monkeypatch):
    server = ObjectServer(tmp_path / "objects")
    server.start()
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    VARIANTS["folders"](server.folder / BUCKET / "data", scans)
    on_store(work, f"s3://{BUCKET}/data")
    running = started(work, "check", "-q", "-f", "json")
    _once(lambda: len(server.fetched("data")) > 1)
    server.kill()
    stdout, stderr = running.communicate(timeout=600)
    assert running.returncode == 2, stdout + stderr
    assert "Traceback" not in stderr
    assert "it cannot be reached" in stdout + stderr
    down = console(work, "check", "-q")
    assert down.code == 2
    assert f"cannot list s3://{BUCKET}/data: it cannot be reached" in down.stderr
    server.start()
    ran = console(work, "check", "-q", "-f", "json")
    server.kill()
    assert findings(ran.json) == LEAKS, ran.stderr


SECRETS = {
    "s3://me:hidden-word@bucket/x.nii.gz": "no address",
    "s3://bucket/x.nii.gz?X-Amz-Signature=hidden-word": "no address",
    "https://host/x.nii.gz?sig=hidden-word": "of a kind that dvdup does not read",
    "https://me:hidden-word@host/x.nii.gz": "of a kind that dvdup does not read",
}


@pytest.mark.parametrize("uri", list(SECRETS))
def test_an_address_with_a_secret_is_refused(work, dvdup, object_server, uri):
    (work / "t.csv").write_text(f"path,split\n{uri},train\n")
    ran = []
    configured(work, '[dataset]\ncsv = "t.csv"\n')
    ran.append(dvdup(work, "check", "-vv"))
    configured(work, f'[dataset]\npath = "{uri}"\n')
    ran.append(dvdup(work, "check", "-vv"))
    configured(work, "")
    ran += [dvdup(work, "init", uri, "--force"), dvdup(work, "add", uri, "--split", "train")]
    ran += [dvdup(work, "query", uri), dvdup(work, "compare", uri, uri)]
    for each in ran:
        assert each.code == 2, each
        assert "hidden-word" not in each.stdout + each.stderr
    assert SECRETS[uri] in ran[0].stderr
    files = [path for path in work.rglob("*") if path.is_file() and path.suffix in (".json", "")]
    assert not [path for path in files if b"hidden-word" in path.read_bytes()]


def test_credentials_are_nowhere(scans, there, address, work, dvdup, tmp_path):
    VARIANTS["folders"](there, scans)
    on_store(work, address)
    for args in (("check", "-vv", "-f", "json", "-o", "report.json"), ("status",), ("log",)):
        done = dvdup(work, *args)
        assert done.code in (0, 1), done.stderr
        assert SECRET not in done.stdout + done.stderr
    files = [path for top in (tmp_path, _cache()) for path in top.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_by_hand_and_two_files(scans, there, address, work, dvdup):
    VARIANTS["folders"](there, scans)
    configured(work, "")
    assert dvdup(work, "add", f"{address}/train", "--split", "train", "-q").code == 0
    queried = dvdup(work, "query", f"{address}/test/h009.nii.gz", "-q", "-f", "json")
    assert queried.code == 1, queried.stderr
    assert queried.json["pairs"][0]["verdict"] == "identical"
    one, other = (f"{address}/{name}.nii.gz" for name in ("train/h001", "test/h010"))
    assert dvdup(work, "compare", one, other, "-q").code == 1
    missing = dvdup(work, "add", f"{address}/train/no.nii.gz", "--split", "train")
    assert (missing.code, "there is no" in missing.stderr) == (2, True)


def test_what_makes_no_sense_says_so(scans, there, address, work, dvdup):
    VARIANTS["folders"](there, scans)
    on_store(work, address)
    since = dvdup(work, "check", "--since", "main")
    assert (since.code, "git knows nothing of an object store" in since.stderr) == (2, True)
    for args in (
        ("groups", "--resplit", "-f", "csv", "-o", f"{address}/new.csv"),
        ("check", "-f", "json", "-o", f"{address}/report.json"),
    ):
        ran = dvdup(work, *args)
        assert (ran.code, "a file of this machine" in ran.stderr) == (2, True), ran.stderr
    assert re.search(r"s3://", dvdup(work, "groups", "--resplit", "-q", "-f", "list").stdout)
