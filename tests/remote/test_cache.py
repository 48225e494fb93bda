"""The cache of objects: whole or not there, and within its bound."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.remote.cache import Cache


@pytest.fixture
def keep(tmp_path):
    def keep(cache: Cache, key: str, size: int) -> None:
        file = tmp_path / f"written-{key}"
        file.write_bytes(b"x" * size)
        cache.keep(key, file)
        file.unlink()

    return keep


def used_at(folder, key, second):
    os.utime(folder / "objects" / key, (second, second))


def test_what_was_kept_is_given_out_and_stays(tmp_path, keep):
    cache = Cache(tmp_path / "data", 100)
    keep(cache, "a", 7)
    for name in ("first", "second"):
        assert cache.take("a", 7, tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"x" * 7
    assert not cache.take("b", 7, tmp_path / "third")
    assert not (tmp_path / "third").exists()


def test_what_is_not_whole_is_no_content(tmp_path, keep):
    folder = tmp_path / "data"
    cache = Cache(folder, 100)
    keep(cache, "a", 7)
    assert not cache.take("a", 8, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (folder / "objects" / "a").exists()


def test_what_was_used_longest_ago_goes_first(tmp_path, keep):
    folder = tmp_path / "data"
    cache = Cache(folder, 30)
    for second, key in enumerate("abc"):
        keep(cache, key, 10)
        used_at(folder, key, second)
    assert cache.take("a", 10, tmp_path / "out")  # and is the youngest now
    keep(cache, "d", 10)
    assert sorted(os.listdir(folder / "objects")) == ["a", "c", "d"]


def test_what_somebody_holds_may_go(tmp_path, keep):
    cache = Cache(tmp_path / "data", 10)
    keep(cache, "a", 10)
    assert cache.take("a", 10, tmp_path / "held")
    keep(cache, "b", 10)
    assert os.listdir(tmp_path / "data" / "objects") == ["b"]
    assert (tmp_path / "held").read_bytes() == b"x" * 10


def test_all_of_it_gives_way_to_what_is_read(tmp_path, keep):
    cache = Cache(tmp_path / "data", 100)
    assert not cache.give_way()
    keep(cache, "a", 7)
    assert cache.give_way()
    assert not cache.take("a", 7, tmp_path / "out")
    keep(cache, "b", 93)
    assert cache.take("b", 93, tmp_path / "out")


def test_what_is_larger_than_the_bound_is_not_kept(tmp_path, keep):
    cache = Cache(tmp_path / "data", 10)
    keep(cache, "a", 11)
    assert not cache.take("a", 11, tmp_path / "out")


def test_a_lost_count_is_made_again(tmp_path, keep):
    folder = tmp_path / "data"
    cache = Cache(folder, 25)
    keep(cache, "a", 10)
    used_at(folder, "a", 1)
    (folder / "used").write_text("no number")
    keep(cache, "b", 10)
    keep(cache, "c", 10)
    assert sum(file.stat().st_size for file in (folder / "objects").iterdir()) <= 25
    assert not (folder / "objects" / "a").exists()


@given(st.lists(st.integers(1, 40), max_size=12))
def test_the_bound_holds_after_every_object(tmp_path_factory, sizes):
    folder = tmp_path_factory.mktemp("cache")
    cache = Cache(folder / "data", 50)
    for number, size in enumerate(sizes):
        file = folder / f"{number}"
        file.write_bytes(b"x" * size)
        cache.keep(str(number), file)
        kept = list((folder / "data" / "objects").iterdir())
        assert sum(each.stat().st_size for each in kept) <= 50
        assert (folder / "data" / "objects" / str(number)).exists()
