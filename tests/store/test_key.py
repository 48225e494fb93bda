"""The key of an index: made once, never weakened, new where it was damaged."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from dvdup.hashing import seal
from dvdup.store.key import KEY_NAME, index_key, read_key


def test_it_is_made_once_and_stays(tmp_path):
    assert read_key(tmp_path) is None
    first = index_key(tmp_path)
    assert len(first) == 32
    assert index_key(tmp_path) == read_key(tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == [KEY_NAME]


@pytest.mark.skipif(os.name == "nt", reason="no modes")
def test_only_its_owner_may_read_it(tmp_path):
    index_key(tmp_path)
    assert (tmp_path / KEY_NAME).stat().st_mode & 0o777 == 0o600


def test_all_who_make_it_at_once_get_the_same(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: index_key(tmp_path), range(32)))) == 1


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 33])
def test_a_damaged_one_is_made_anew(tmp_path, damage):
    (tmp_path / KEY_NAME).write_bytes(damage)
    assert read_key(tmp_path) is None
    assert index_key(tmp_path) == read_key(tmp_path)


def test_a_link_is_replaced_and_its_target_stays(tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(b"p" * 32)
    folder = tmp_path / "index"
    folder.mkdir()
    (folder / KEY_NAME).symlink_to(precious)
    assert index_key(folder) != b"p" * 32
    assert precious.read_bytes() == b"p" * 32
    assert not (folder / KEY_NAME).is_symlink()


@pytest.mark.skipif(os.name == "nt", reason="no FIFOs")
def test_what_is_no_file_cannot_hold_us(tmp_path):
    os.mkfifo(tmp_path / KEY_NAME)
    assert len(index_key(tmp_path)) == 32


def test_without_a_place_it_holds_for_this_process(tmp_path):
    assert len(index_key(tmp_path / "missing")) == 32


def test_a_seal_depends_on_key_name_and_bytes():
    sealed = seal(b"k" * 32, "a", b"bc")
    assert sealed == seal(b"k" * 32, "a", b"bc")
    assert len({sealed, seal(b"l" * 32, "a", b"bc"), seal(b"k" * 32, "ab", b"c"),
                seal(b"k" * 32, "a", b"bd"), seal(b"k" * 32, "", b"abc")}) == 5  # fmt: skip
