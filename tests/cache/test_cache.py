"""Kept answers: found under their names, dropped when nobody wants them any more."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from dvdup.cache import KEPT_DAYS, NAME, Cache, open_cache
from dvdup.sealed import SealedFiles


@pytest.fixture
def sealed(tmp_path) -> SealedFiles:
    return SealedFiles(tmp_path, lambda: b"k" * 32)


def age(sealed: SealedFiles, days: int) -> None:
    with closing(sqlite3.connect(sealed.path(NAME))) as connection, connection:
        connection.execute("UPDATE answers SET used = used - ?", (days,))


@pytest.mark.parametrize("name", [("pair", "a", "b"), ("pair", "ab", ""), ("pair", "a")])
def test_an_answer_has_one_name(sealed, name):
    with open_cache(sealed, "salt") as cache:
        cache.put("first", "pair", "a", "b")
        cache.put("second", *name)
        assert cache.get(*name) == "second"
        assert cache.get("pair", "a", "b") == ("second" if name[1:] == ("a", "b") else "first")
    with open_cache(sealed, "other") as cache:
        assert cache.get(*name) is None


@pytest.mark.parametrize(("days", "there"), [(KEPT_DAYS, True), (KEPT_DAYS + 1, False)])
def test_what_nobody_used_for_long_is_dropped(sealed, days, there):
    with open_cache(sealed, "salt") as cache:
        cache.put("answer", "name")
    age(sealed, days)
    with open_cache(sealed, "salt") as cache:
        assert (cache.get("name") is not None) == there


def test_what_is_used_stays(sealed):
    with open_cache(sealed, "salt") as cache:
        cache.put("used", "one")
        cache.put("unused", "other")
    age(sealed, KEPT_DAYS)
    with open_cache(sealed, "salt") as cache:
        assert cache.get("one") == "used"
    age(sealed, 1)
    with open_cache(sealed, "salt") as cache:
        assert (cache.get("one"), cache.get("other")) == ("used", None)


def test_without_a_file_nothing_is_kept():
    cache = Cache(None, "salt")
    cache.put("answer", "name")
    assert cache.get("name") is None
