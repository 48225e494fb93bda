"""Sealed files: what is not exactly what was written counts as missing, and is remembered."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.sealed import SealedFiles, nowhere

KEY = b"k" * 32
NAME = "cache/some.json"


@pytest.fixture
def sealed(tmp_path):
    files = SealedFiles(tmp_path / "index", lambda: KEY)
    files.write(NAME, b"payload")
    return files


def test_what_was_written_is_read(sealed):
    assert sealed.read(NAME) == b"payload"
    assert SealedFiles(sealed.folder, lambda: KEY).read(NAME) == b"payload"
    assert sealed.damaged == set()
    assert [path.name for path in (sealed.folder / "cache").iterdir()] == ["some.json"]


def test_missing_is_not_damaged(sealed):
    assert sealed.read("cache/other.json") is None
    assert sealed.damaged == set()


def emptied(path):
    path.write_bytes(b"")


def unsealed(path):
    path.write_bytes(b"payload")


def shortened(path):
    path.write_bytes(path.read_bytes()[:-1])


def lengthened(path):
    path.write_bytes(path.read_bytes() + b"!")


def edited(path):
    path.write_bytes(path.read_bytes().replace(b"payload", b"PAYLOAD"))


def made_a_folder(path):
    path.unlink()
    path.mkdir()


def made_a_link(path):
    path.rename(path.with_name("real"))
    path.symlink_to("real")


@pytest.mark.parametrize(
    "harm", [emptied, unsealed, shortened, lengthened, edited, made_a_folder, made_a_link]
)
def test_what_is_not_what_was_written_is_not_believed(sealed, harm):
    harm(sealed.path(NAME))
    assert sealed.read(NAME) is None
    assert sealed.damaged == {NAME}


@given(st.data())
def test_one_changed_byte_is_enough(tmp_path_factory, data):
    files = SealedFiles(tmp_path_factory.mktemp("index"), lambda: KEY)
    files.write("a", data.draw(st.binary(max_size=40)))
    content = bytearray(files.path("a").read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    files.path("a").write_bytes(content)
    assert files.read("a") is None


def test_another_name_or_another_key_is_another_file(sealed):
    os.replace(sealed.path(NAME), sealed.path("cache/other.json"))
    assert sealed.read("cache/other.json") is None
    assert SealedFiles(sealed.folder, lambda: b"l" * 32).read("cache/other.json") is None


def test_a_link_is_replaced_and_its_target_stays(sealed, tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    sealed.path(NAME).unlink()
    sealed.path(NAME).symlink_to(precious)
    sealed.write(NAME, b"new")
    assert (sealed.read(NAME), precious.read_bytes()) == (b"new", b"mine")


def test_a_file_that_cannot_be_written_leaves_nothing(sealed):
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system says
        sealed.write("cache/some.json/below", b"")
    (sealed.folder / "folder/full").mkdir(parents=True)
    with pytest.raises(OSError):  # noqa: PT011
        sealed.write("folder", b"payload")
    assert sorted(os.listdir(sealed.folder)) == ["cache", "folder"]


def test_without_a_folder_nothing_is_kept():
    files = nowhere()
    files.write(NAME, b"payload")
    assert (files.read(NAME), files.path(NAME)) == (None, None)
