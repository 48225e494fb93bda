"""Whose folder it is: nothing that dvdup did not make is deleted, overwritten or ignored."""

from __future__ import annotations

import json
import os

import pytest

from dvdup import store
from dvdup.errors import StoreError
from dvdup.store.place import MARKER, adopt, claim, demand, is_marked


def tree(folder) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_new_folder_is_marked_and_kept_out_of_git(tmp_path):
    claim(tmp_path / "deep/.dvdup", tmp_path)
    assert sorted(os.listdir(tmp_path / "deep/.dvdup")) == [".gitignore", MARKER]
    mark = json.loads((tmp_path / "deep/.dvdup" / MARKER).read_text())
    assert (mark["dvdup"], mark["root"]) == ("index", "../..")
    claim(tmp_path / "deep/.dvdup", tmp_path)


def test_an_empty_folder_may_be_used_and_a_kill_before_the_marker_is_no_harm(tmp_path):
    (tmp_path / f"{MARKER}.0a1b2c3d").write_text('{"dvd')
    claim(tmp_path, tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".gitignore", MARKER]


def test_two_commands_may_claim_a_folder_at_once(tmp_path, monkeypatch):
    """The faster one takes what the other has half written for what a kill left."""
    folder, replace = tmp_path / ".dvdup", os.replace

    def late(part, target):
        monkeypatch.setattr(os, "replace", replace)
        claim(folder, tmp_path)
        replace(part, target)

    monkeypatch.setattr(os, "replace", late)
    claim(folder, tmp_path)
    assert is_marked(folder)
    assert sorted(each.name for each in folder.iterdir()) == [".gitignore", MARKER]


@pytest.mark.parametrize(
    "names",
    [
        ["thesis.tex"], ["index/thesis.tex"], ["rebuild/r.txt"], ["index.old/x"], ["lock"],
        [".gitignore"], ["key"], ["cache/x", "results/y"], [MARKER + "/x"],
        ["index/cases.lance/_versions/1.manifest", "lock", ".gitignore"],
    ],
)  # fmt: skip
def test_somebody_elses_folder_stays_as_it_is(tmp_path, names):
    folder = tmp_path / "theirs"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("precious")
    before = tree(folder)
    for attempt in (claim, demand, adopt):
        if attempt is not adopt:
            with pytest.raises(StoreError, match="so nothing in it is touched"):
                attempt(folder, tmp_path)
        adopt(folder, tmp_path)
        assert tree(folder) == before
    with (
        pytest.raises(StoreError, match="so nothing in it is touched"),
        store.write_lock(folder, tmp_path),
    ):
        pass
    assert tree(folder) == before


@pytest.mark.parametrize("text", ["", "{", "[]", '"dvdup"', '{"dvdup": "other"}', "{}"])
def test_a_damaged_marker_is_no_marker(tmp_path, text):
    (tmp_path / MARKER).write_text(text)
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(StoreError, match=r"is damaged|holds"):
        claim(tmp_path, tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(StoreError, match="is no folder"):
        claim(tmp_path / "file", tmp_path)


def test_two_datasets_do_not_share_an_index(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    claim(tmp_path / "index", tmp_path / "a")
    with pytest.raises(StoreError, match=r"is that of the dataset in .*a, not of .*b"):
        demand(tmp_path / "index", tmp_path / "b")
    adopt(tmp_path / "index", tmp_path / "b")
    demand(tmp_path / "index", tmp_path / "b")
    with pytest.raises(StoreError, match="is that of the dataset in"):
        claim(tmp_path / "index", tmp_path / "a")


def test_a_dataset_may_move_together_with_its_index(tmp_path):
    (tmp_path / "a").mkdir()
    claim(tmp_path / "a/.dvdup", tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    demand(tmp_path / "b/.dvdup", tmp_path / "b")


LINKS = (
    "index", "rebuild", "index.old", "cache", "results", "lock", "key",
    "cache/answers.sqlite", "cache/variants.lance", "cache/variants.lance/data",
    "index/cases.lance", "index/slices.lance/data",
    "index/cases.lance/_versions", "rebuild/index",
)  # fmt: skip


@pytest.mark.parametrize("name", LINKS)
def test_no_link_leads_out_of_an_index_folder(tmp_path, name):
    """As somebody could ship one with a dataset."""
    folder, project = tmp_path / ".dvdup", tmp_path / "project"
    project.mkdir()
    (project / "thesis.tex").write_text("precious")
    claim(folder, tmp_path)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(project)
    with pytest.raises(StoreError, match="is a link, and an index folder has none"):
        demand(folder, tmp_path)
    with pytest.raises(StoreError, match="is a link"), store.write_lock(folder, tmp_path):
        pass
    assert tree(project) == {"thesis.tex": b"precious"}


def test_a_marker_that_is_a_link_is_none(tmp_path):
    claim(tmp_path / "real", tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / MARKER).symlink_to(tmp_path / "real" / MARKER)
    assert not is_marked(tmp_path / "other")


def test_a_marked_folder_that_holds_other_files_is_not_kept_out_of_git(tmp_path):
    """A marker may have come with somebody's data."""
    claim(tmp_path / "work", tmp_path)
    (tmp_path / "work/.gitignore").unlink()
    (tmp_path / "work/thesis.tex").write_text("precious")
    claim(tmp_path / "work", tmp_path)
    assert not (tmp_path / "work/.gitignore").exists()
