"""A new index in the place of the old one: a kill at any step leaves one of the two, whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dvdup import store
from dvdup.errors import StoreError
from dvdup.store import REBUILD, Index, Writer, discard, finish_swap, place, swap_in


@pytest.fixture
def both(folder, write, rows, case, meta) -> Path:
    """An index with the case `old`, and a finished one with `new` in `rebuild`."""
    write((case("old"), rows(0)))
    store.claim(folder / REBUILD, folder.parent)
    store.create(folder / REBUILD, meta)
    writer = Writer(Index(folder / REBUILD), "sync")
    writer.put(case("new"), rows(1), "embedded")
    writer.flush()
    (folder / "results").mkdir()
    return folder


def names(folder: Path) -> list[str]:
    index = Index(folder)
    assert store.find_damage(index) == ()
    return [case.case_id for case in index.cases]


def test_the_new_one_takes_the_place(both):
    swap_in(both)
    assert names(both) == ["new"]
    assert {path.name for path in both.iterdir() if path.is_dir()} == {"index", "results"}


def test_it_works_without_an_old_one(both):
    shutil.rmtree(both / "index")
    swap_in(both)
    assert names(both) == ["new"]


class Killed(BaseException):
    """Stands for `kill -9`: no handler of the program runs for it."""


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int, *, after: bool) -> None:
    """Stop at the given move or deletion of a folder, just before or just after it."""
    done = iter(range(99))

    def killed(function):
        def run(*args, **kwargs):
            at = next(done)
            if at == step and not after:
                raise Killed
            result = function(*args, **kwargs)
            if at == step:
                raise Killed
            return result

        return run

    monkeypatch.setattr(Path, "rename", killed(Path.rename))
    monkeypatch.setattr(place, "remove_table", killed(place.remove_table))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(8))
def test_a_kill_at_any_step(both, step, after):
    """Steps: clear left-overs (2), move the old one away, move the new one in, tidy up (4)."""
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, step, after=after)
        with pytest.raises(Killed):
            swap_in(both)
    finish_swap(both)
    moved = step > 3 or (step == 3 and after)
    assert names(both) == (["new"] if moved else ["old"])
    assert not (both / "index.old").exists()
    if not moved:
        swap_in(both)
        assert names(both) == ["new"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_while_bringing_the_old_one_back(both, after):
    (both / "index").rename(both / "index.old")
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, 0, after=after)
        with pytest.raises(Killed):
            finish_swap(both)
    finish_swap(both)
    assert names(both) == ["old"]


def test_nothing_to_finish(both):
    finish_swap(both)
    assert names(both) == ["old"]
    assert names(both / REBUILD) == ["new"]


def test_a_move_that_fails_leaves_the_old_one(both, monkeypatch):
    rename = Path.rename

    def refuse(self, target):
        if self.parent.name == REBUILD:
            raise PermissionError(13, "in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StoreError, match="in use; close what uses it"):
        swap_in(both)
    assert names(both) == ["old"]


def test_discard(both):
    discard(both / REBUILD)
    assert not store.exists(both / REBUILD)
    discard(both / REBUILD)
    assert names(both) == ["old"]
    assert os.path.isdir(both / "results")


FOREIGN = ("thesis.tex", "data/thesis.tex", "_versions/notes.txt", "deep/er/x.lance")


@pytest.mark.parametrize("table", ["cases.lance", "slices.lance"])
def test_what_lance_did_not_write_is_not_deleted(both, table):
    for name in FOREIGN:
        (both / "index" / table / name).parent.mkdir(parents=True, exist_ok=True)
        (both / "index" / table / name).write_text("precious")
    swap_in(both)
    assert names(both) == ["new"]
    found = [
        path for path in both.rglob("*") if path.is_file() and path.read_bytes() == b"precious"
    ]
    assert len(found) == len(FOREIGN)
    assert not list((both / "index.old").rglob("*.manifest"))


def test_an_old_index_whose_place_is_taken_is_told(both):
    """It ended with a traceback."""
    (both / "index").rename(both / "index.old")
    (both / "index").mkdir()
    (both / "index/thesis.tex").write_text("precious")
    with pytest.raises(StoreError, match="move away what you have put into"):
        finish_swap(both)
    (both / "index/thesis.tex").unlink()
    finish_swap(both)
    assert names(both) == ["old"]


def test_a_creation_that_did_not_end_makes_room_for_the_old_one(both):
    (both / "index").rename(both / "index.old")
    (both / "index/slices.lance/_versions").mkdir(parents=True)
    finish_swap(both)
    assert names(both) == ["old"]
