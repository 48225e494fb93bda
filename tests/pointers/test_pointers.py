"""What stands for files that are not here, by hand: no tool of theirs is needed."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup import pointers
from dvdup.pointers import annex, lfs

SHA = "4d7a" * 16
MD5 = "0123456789abcdef" * 2
links = pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")


def lfs_text(oid=f"sha256:{SHA}", more=""):
    return f"version https://git-lfs.github.com/spec/v1\n{more}oid {oid}\nsize 12345\n"


@pytest.fixture
def put(tmp_path):
    """Write a text below a folder."""

    def write(name, text=""):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def find(tmp_path):
    """What stands for a file: its tool, command, hash and size."""

    def run(name):
        found = pointers.find(tmp_path / name, tmp_path)
        return found and (found.tool, found.command, found.recorded, found.size)

    return run


def test_git_lfs(put, find):
    put("train/a.nii.gz", lfs_text())
    command = "git lfs pull -I train/a.nii.gz"
    assert find("train/a.nii.gz") == ("git-lfs", command, f"sha256:{SHA}", 12345)


@pytest.mark.parametrize(
    "text", [lfs_text("sha256:4d7a"), lfs_text(more="ext-0-x sha256:1\n"), lfs_text()[:60]]
)
def test_a_git_lfs_pointer_without_a_hash_to_go_by(put, find, text):
    put("a.nii.gz", text)
    assert find("a.nii.gz")[2:] == ("", 0)


@pytest.mark.parametrize("name", ["a,b.nii", "a*.nii", "[a].nii"])
def test_names_that_git_lfs_would_take_for_patterns(put, find, name):
    put(name, lfs_text())
    assert find(name)[1] == "git lfs pull"


def test_a_name_with_a_blank_can_be_pasted(put, find):
    put("train/my scan.nii", lfs_text())
    assert find("train/my scan.nii")[1] == "git lfs pull -I 'train/my scan.nii'"


def test_git_lfs_takes_names_from_the_top_of_the_repository(tmp_path, put):
    path = put("data/train/a.nii", lfs_text())
    (tmp_path / ".git").mkdir()
    found = pointers.find(path, tmp_path / "data")
    assert found.command == "git lfs pull -I data/train/a.nii"
    assert found.folder_command == "git lfs pull -I data/train"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (lfs_text(), "git -C train/site lfs pull -I a.nii"),
        (f"/annex/objects/MD5E-s1--{MD5}.nii\n", "git -C train/site annex get a.nii"),
    ],
)
def test_a_repository_inside_the_dataset(tmp_path, put, find, text, command):
    put("train/site/a.nii", text)
    (tmp_path / ".git").mkdir()
    (tmp_path / "train/site/.git").touch()  # that of a submodule is a file
    assert find("train/site/a.nii")[1] == command


@pytest.mark.parametrize(
    ("key", "recorded", "size"),
    [
        (f"SHA256E-s77--{SHA}.nii.gz", f"sha256:{SHA}", 77),
        (f"SHA256-s77--{SHA}", f"sha256:{SHA}", 77),
        (f"MD5E-s5--{MD5}.nii", f"md5:{MD5}", 5),
        (f"MD5E--{MD5}.nii", f"md5:{MD5}", 0),
        (f"BLAKE2B256E-s9--{SHA}.nii", f"blake2b256:{SHA}", 9),
        ("WORM-s77-m1700000000--a.nii", "", 0),
        (f"WORM-s77-m1700000000--{MD5}", "", 0),
        ("URL--http&c%%example.org%a.nii", "", 0),
        ("SHA256E-s123--4d7a.nii.gz", "", 0),
    ],
)
@links
def test_git_annex(tmp_path, put, find, key, recorded, size):
    put("a.nii", f"/annex/objects/{key}\n")  # unlocked
    put("train/.keep")
    (tmp_path / "train/b.nii").symlink_to(f"../.git/annex/objects/XX/YY/{key}/{key}")
    put("train/c.nii", f"../.git/annex/objects/XX/YY/{key}/{key}")  # without links on the disk
    for name in ("a.nii", "train/b.nii", "train/c.nii"):
        assert find(name) == ("git-annex", f"git annex get {name}", recorded, size)


@links
def test_links_and_files_that_are_no_pointers(tmp_path, put, find):
    (tmp_path / "nowhere.nii").symlink_to("gone.nii")
    put("text.nii", "some text\n")
    put("long.nii", lfs_text() + "x" * 5000)
    (tmp_path / "binary.nii").write_bytes(b"/annex/objects/\xff\xfe")
    for name in ("nowhere.nii", "text.nii", "long.nii", "binary.nii", "missing.nii", "."):
        assert find(name) is None


OUT = f"outs:\n- md5: {MD5}\n  size: 9\n  hash: md5\n  path: a.nii\n"


def test_dvc(put, find):
    put("train/a.nii.dvc", OUT)
    assert find("train/a.nii") == ("DVC", "dvc pull train/a.nii", f"md5:{MD5}", 9)
    put("train/a.nii", "is here")
    assert find("train/a.nii") is None


def test_a_folder_of_dvc_and_a_file_in_it(put, find):
    put("train.dvc", f"outs:\n- md5: {MD5}.dir\n  size: 9\n  nfiles: 2\n  path: train\n")
    assert find("train") == ("DVC", "dvc pull train", f"md5:{MD5}.dir", 9)
    assert find("train/a.nii") == ("DVC", "dvc pull train/a.nii", "", 0)


@pytest.mark.parametrize(
    "text", ["", "outs: 3", "outs:\n- path: b\n- 3", "\t", "a: &a [*a]", "- 1"]
)
def test_a_dvc_file_that_says_little(put, find, text):
    put("a.nii.dvc", text)
    assert find("a.nii") == ("DVC", "dvc pull a.nii", "", 0)


LOCK = f"""schema: '2.0'
stages:
  prepare:
    cmd: x
    outs:
    - path: test
      md5: {MD5}.dir
      size: 4
      nfiles: 1
    - path: train/made.nii
      md5: {MD5}
      size: 9
  each@1:
    outs:
    - path: out.nii
      md5: {MD5}
"""
YAML = """stages:
  each:
    foreach: [1]
    do: {cmd: x, outs: ["${item}"]}
    wdir: val
  later:
    cmd: x
    outs:
    - train/later.nii: {cache: true}
    - deep/er/x.nii
"""


def test_the_lock_of_a_pipeline(tmp_path, put, find):
    put("dvc.lock", LOCK)
    put("dvc.yaml", YAML)
    put("train/here.nii")
    (tmp_path / ".git").mkdir()
    assert find("test") == ("DVC", "dvc pull test", f"md5:{MD5}.dir", 4)
    assert find("train/made.nii") == ("DVC", "dvc pull train/made.nii", f"md5:{MD5}", 9)
    assert find("val/out.nii") == ("DVC", "dvc pull val/out.nii", f"md5:{MD5}", 0)
    assert find("train/later.nii") == ("DVC", "dvc repro later", "", 0)
    assert find("test/one.nii") == ("DVC", "dvc pull test/one.nii", "", 0)
    assert find("deep") == ("DVC", "dvc repro later", "", 0)
    assert find("train/other.nii") is None
    assert pointers.absent_outs(tmp_path) == ("deep", "test", "val")
    assert pointers.absent_outs(tmp_path / "train") == ("later.nii", "made.nii")
    assert pointers.is_absent(tmp_path / "test")
    assert not pointers.is_absent(tmp_path / "train")


def test_a_lock_that_changes_is_read_again(tmp_path, put, find):
    put("dvc.lock", LOCK)
    assert find("test") is not None
    put("dvc.lock", "stages: {}\n")
    assert find("test") is None
    put("dvc.lock", LOCK.replace("path: test", "path: more"))
    assert pointers.absent_outs(tmp_path) == ("more", "out.nii", "train")


def test_pipelines_of_folders_below_and_above(tmp_path, put, find):
    (tmp_path / ".git").mkdir()
    put("sub/dvc.yaml", "stages: {make: {cmd: x, outs: [x.nii, ../y.nii]}}")
    assert find("sub/x.nii")[1] == "dvc repro sub/dvc.yaml:make"
    (tmp_path / "sub/.dvc").mkdir()
    assert find("sub/x.nii")[1] == "dvc --cd sub repro make"


@given(st.binary(max_size=200))
def test_no_text_makes_it_fail(tmp_path_factory, data):
    root = tmp_path_factory.getbasetemp()
    for start in (b"", b"version https://git-lfs.github.com/spec/v1\n", b"/annex/objects/"):
        for read in (lfs.of_text, annex.of_text):
            found = read(start + data, root / "a.nii", root)
            assert found is None or found.command
