"""Stand-ins: the tree of the store without a byte of it, the content in their place for a while."""

import os

import pytest
from told_stores import TOP, told

from dvdup.errors import InputError
from dvdup.remote.listing import Listing
from dvdup.remote.stand_ins import StandIns


@pytest.fixture
def stand_ins(tmp_path):
    def of(*names):
        return StandIns(Listing(told(*names)), tmp_path / "tree")

    return of


def files(folder):
    return {
        os.path.relpath(os.path.join(at, name), folder).replace(os.sep, "/")
        for at, _, names in os.walk(folder)
        for name in names
    }


def test_a_folder_stands_with_all_below_it(stand_ins):
    made = stand_ins("a/1.nii", "a/b/2.nii", "c/3.nii")
    path = made.path(f"{TOP}/a")
    assert files(path) == {"1.nii", "b/2.nii"}
    assert os.path.getsize(os.path.join(path, "1.nii")) == 0
    assert made.uri(os.path.join(path, "b", "2.nii")) == f"{TOP}/a/b/2.nii"
    assert made.uri("/somewhere/else") is None


def test_an_object_stands_among_its_neighbours(stand_ins):
    path = stand_ins("a/1.hdr", "a/1.img", "a/b/2.nii").path(f"{TOP}/a/1.hdr")
    assert files(os.path.dirname(path)) == {"1.hdr", "1.img"}


@pytest.mark.parametrize("name", ["a/../1.nii", "a//1.nii", "a/./1.nii"])
def test_no_name_leads_out_of_the_tree(stand_ins, name):
    with pytest.raises(InputError, match="rename the object"):
        stand_ins(name).path(TOP)


@pytest.mark.parametrize("knows_links", [True, False])
def test_the_content_is_there_for_a_while(stand_ins, tmp_path, monkeypatch, knows_links):
    def refuse(*args: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not knows_links:
        monkeypatch.setattr(os, "link", refuse)
    made = stand_ins("a/1.nii")
    path = made.path(f"{TOP}/a/1.nii")
    content = tmp_path / "content"
    content.write_bytes(b"scan")

    def read() -> None:
        with made.filled({f"{TOP}/a/1.nii": content}), open(path, "rb") as stream:
            seen.append(stream.read())
            raise KeyError

    seen: list[bytes] = []
    with pytest.raises(KeyError):
        read()
    assert seen == [b"scan"]
    assert os.path.getsize(path) == 0
    assert content.read_bytes() == b"scan"
