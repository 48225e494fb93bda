"""The table of variant rows is believed under its seal, and heals where it is harmed."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import lance
import pyarrow as pa
import pytest

from dvdup.hashing import seal
from dvdup.sealed import SealedFiles, nowhere
from dvdup.store.variants import NAME, VariantTable

KEY = b"k" * 32
ROWS = {f"name {i}": bytes([i]) * (20 + i) for i in range(6)}


POOL = ThreadPoolExecutor(2)


def read(table, names):
    return table.read(names, bytes, POOL)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / NAME


def opened(tmp_path, key=KEY):
    sealed = SealedFiles(tmp_path, lambda: key)
    return VariantTable(sealed), sealed


@pytest.fixture
def filled(tmp_path):
    opened(tmp_path)[0].add(ROWS)
    return tmp_path


def test_what_was_added_is_read_back(filled):
    table, sealed = opened(filled)
    assert table.keys() == set(ROWS)
    assert dict(read(table, ROWS)) == ROWS
    assert dict(read(table, ["name 2", "name 4", "nobody"])) == {
        name: ROWS[name] for name in ("name 2", "name 4")
    }
    assert dict(read(table, [])) == {}
    assert sealed.damaged == set()


def test_more_is_appended(filled):
    table, _ = opened(filled)
    table.add({})
    table.add({"more": b"x"})
    assert dict(read(opened(filled)[0], [*ROWS, "more"])) == {**ROWS, "more": b"x"}


def test_a_row_that_is_there_twice_is_given_once(filled):
    """As two commands at once leave it."""
    opened(filled)[0].add(ROWS)
    assert [name for name, _ in read(opened(filled)[0], ["name 1"])] == ["name 1"]


def test_without_a_folder_rows_last_for_the_command():
    table = VariantTable(nowhere())
    table.add(ROWS)
    assert table.keys() == set(ROWS)
    assert dict(read(table, ROWS)) == ROWS


def test_what_is_not_to_be_kept_is_not(filled):
    table, _ = opened(filled)
    table.add_for_now({"mine": b"x"})
    assert dict(read(table, ["mine", "name 0"])) == {"mine": b"x", "name 0": ROWS["name 0"]}
    assert opened(filled)[0].keys() == set(ROWS)


def rewritten(folder, **columns):
    """The table with some columns of one row replaced, or of another type."""
    table = lance.dataset(str(folder)).to_table()
    place = table.column("key").to_pylist().index("name 3")
    for name, value in columns.items():
        values = table.column(name).to_pylist()
        values[place] = value
        number = table.schema.get_field_index(name)
        table = table.set_column(number, name, pa.array(values, table.schema.field(name).type))
    lance.write_dataset(table, str(folder), mode="overwrite", data_storage_version="2.0")


EDITS = {
    "other payload": {"payload": b"edited"},
    "other seal": {"seal": "0" * 64},
    "empty seal": {"seal": ""},
    "no seal": {"seal": None},
    "no payload": {"payload": None},
    "payload of another": {"payload": ROWS["name 4"], "seal": seal(KEY, "name 4", ROWS["name 4"])},
    "seal of another index": {"seal": seal(b"l" * 32, "name 3", ROWS["name 3"])},
}


@pytest.mark.parametrize("columns", EDITS.values(), ids=EDITS)
def test_a_row_that_was_edited_is_missing_and_made_anew(filled, folder, columns):
    rewritten(folder, **columns)
    table, sealed = opened(filled)
    losses = table.losses
    left = {name: payload for name, payload in ROWS.items() if name != "name 3"}
    assert dict(read(table, ROWS)) == left
    assert table.losses > losses
    assert sealed.damaged == {NAME}
    assert table.keys() == set(left)
    table.add({"name 3": ROWS["name 3"]})
    assert dict(read(opened(filled)[0], ROWS)) == ROWS


def test_rows_of_another_index_are_not_believed(filled):
    table, sealed = opened(filled, b"l" * 32)
    assert dict(read(table, ROWS)) == {}
    assert sealed.damaged == {NAME}
    assert table.keys() == set()


def files_of(folder, suffix):
    return sorted(folder.rglob(f"*{suffix}"))


def cut_data(folder):
    for file in files_of(folder, ".lance"):
        file.write_bytes(file.read_bytes()[:40])


def no_data(folder):
    shutil.rmtree(folder / "data")


def torn_manifest(folder):
    for file in files_of(folder, ".manifest"):
        file.write_bytes(b"torn")


def no_manifest(folder):
    shutil.rmtree(folder / "_versions")


def other_columns(folder):
    shutil.rmtree(folder)
    lance.write_dataset(pa.table({"mine": [1, 2]}), str(folder))


def other_types(folder):
    shutil.rmtree(folder)
    lance.write_dataset(pa.table({"key": [1], "payload": ["x"], "seal": [2.0]}), str(folder))


HARMS = [cut_data, no_data, torn_manifest, no_manifest, other_columns, other_types, shutil.rmtree]


@pytest.mark.parametrize("first", ["read", "keys"])
@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_a_table_that_is_damaged_foreign_or_gone_is_made_anew(filled, folder, harm, first):
    harm(folder)
    table, sealed = opened(filled)
    if first == "read":
        assert dict(read(table, ROWS)) == {}
    else:
        assert table.keys() == set()
    assert bool(sealed.damaged) == (harm is not shutil.rmtree)
    assert table.keys() == set()
    table.add(ROWS)
    assert dict(read(table, ROWS)) == ROWS
    assert dict(read(opened(filled)[0], ROWS)) == ROWS


def test_somebody_elses_files_in_its_place_stay(tmp_path, folder):
    folder.mkdir(parents=True)
    (folder / "thesis.tex").write_text("precious")
    table, _ = opened(tmp_path)
    assert table.keys() == set()
    table.add(ROWS)
    assert dict(read(table, ROWS)) == ROWS
    assert (folder / "thesis.tex").read_text() == "precious"


@pytest.mark.parametrize("what", ["file", "link"])
def test_where_the_table_cannot_be_rows_last_for_the_command(tmp_path, folder, what):
    folder.parent.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if what == "file":
        folder.write_text("mine")
    else:
        folder.symlink_to(elsewhere)
    table, _ = opened(tmp_path)
    table.add(ROWS)
    assert dict(read(table, ROWS)) == ROWS
    assert opened(tmp_path)[0].keys() == set()
    assert list(elsewhere.iterdir()) == []


def test_a_cache_folder_that_cannot_be_made_costs_time_only(tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    table, _ = opened(tmp_path)
    table.add(ROWS)
    assert dict(read(table, ROWS)) == ROWS


@pytest.mark.parametrize("harm", [cut_data, None])
def test_what_is_damaged_and_cannot_be_taken_away_is_made_anew_all_the_same(
    filled, folder, harm, monkeypatch
):
    """As on a drive that has become read-only."""
    if harm is None:
        rewritten(folder, seal="")
    else:
        harm(folder)

    def refuse(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("dvdup.store.variants.remove_table", refuse)
    monkeypatch.setattr(VariantTable, "_drop", refuse)
    table, sealed = opened(filled)
    found = dict(read(table, ROWS))
    assert sealed.damaged == {NAME}
    assert "name 3" not in found
    missing = {name: ROWS[name] for name in set(ROWS) - table.keys()}
    assert missing.keys() == set(ROWS) - set(found)
    table.add(missing)
    losses = table.losses
    assert dict(read(table, ROWS)) == ROWS
    assert table.losses == losses


def test_many_rows_of_nobody_are_dropped(filled, folder):
    table, _ = opened(filled)
    table.prune([name for name in ROWS if name != "name 0"])
    assert table.keys() == set(ROWS)  # one of six is not worth the trouble
    size = sum(file.stat().st_size for file in files_of(folder, ".lance"))
    table.prune(["name 1", "name 5"])
    assert table.keys() == {"name 1", "name 5"}
    assert dict(read(table, ROWS)) == {name: ROWS[name] for name in ("name 1", "name 5")}
    assert sum(file.stat().st_size for file in files_of(folder, ".lance")) <= size
    table.prune([])
    assert table.keys() == set()
    table.add(ROWS)
    assert dict(read(table, ROWS)) == ROWS


def test_many_fragments_are_joined(tmp_path, folder, monkeypatch):
    monkeypatch.setattr("dvdup.store.variants._MOST_FRAGMENTS", 3)
    table, _ = opened(tmp_path)
    for name, payload in ROWS.items():
        table.add({name: payload})
    assert len(lance.dataset(str(folder)).get_fragments()) == len(ROWS)
    table.prune(ROWS)
    assert len(lance.dataset(str(folder)).get_fragments()) == 1
    assert dict(read(table, ROWS)) == ROWS


def test_pruning_nothing_makes_nothing(tmp_path):
    opened(tmp_path)[0].prune(ROWS)
    assert os.listdir(tmp_path) == []
