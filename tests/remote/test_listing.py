"""What stores have said: each thing asked once, single objects where none may be listed."""

import pytest
from told_stores import TOP, told

from dvdup.errors import ReadError
from dvdup.remote.listing import Listing, is_file_name
from dvdup.remote.stores import Seen


def test_neighbours_are_asked_for_once():
    stores = told("a/1.nii", "a/2.nii", "b/3.nii")
    listing = Listing(stores)
    assert listing.look(f"{TOP}/a/1.nii") == Seen(7, 0)
    assert listing.look(f"{TOP}/a/2.nii") == Seen(7, 1)
    asked = len(stores.asked)
    assert listing.object(f"{TOP}/a/4.nii") is None
    assert len(stores.asked) == asked == 1


def test_a_folder_is_all_below_it():
    listing = Listing(told("a/1.dcm", "a/b/2.dcm", "c/3.dcm"))
    assert list(listing.below(f"{TOP}/a")) == [f"{TOP}/a/1.dcm", f"{TOP}/a/b/2.dcm"]
    found = listing.look(f"{TOP}/a")
    assert (found.is_folder, found.size) == (True, len("a/1.dcm") + len("a/b/2.dcm"))
    assert listing.look(f"{TOP}/d") is None


@pytest.mark.parametrize("changed", ["a/1.dcm", "a/b/2.dcm"])
def test_a_folder_is_another_one_when_an_object_in_it_is(changed):
    stores = told("a/1.dcm", "a/b/2.dcm")
    before = Listing(stores).look(f"{TOP}/a")
    stores.objects[f"{TOP}/{changed}"] = Seen(7, 99)
    assert Listing(stores).look(f"{TOP}/a").version != before.version


def test_where_listing_is_forbidden_objects_are_asked_for_alone():
    stores = told("a/1.nii", "a/2.nii", lists=False)
    listing = Listing(stores)
    assert listing.look(f"{TOP}/a/1.nii") == Seen(7, 0)
    assert listing.look(f"{TOP}/a/2.nii") == Seen(7, 1)
    assert stores.asked == [
        f"beside {TOP}/a/1.nii", f"head {TOP}/a/1.nii", f"head {TOP}/a/2.nii",
    ]  # fmt: skip


def test_a_store_that_cannot_be_asked_does_not_say_that_nothing_is_there():
    with pytest.raises(ReadError, match="denied"):
        Listing(told("a/1.nii", lists=False)).look(f"{TOP}/a")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [("s3://b/x.nii.gz", True), ("s3://b/.hidden", False), ("s3://b/v1.0/x", False),
     ("s3://b/x.zarr", False), ("s3://b", False), ("s3://b.c", False)],
)  # fmt: skip
def test_names_of_files(uri, expected):
    assert is_file_name(uri) is expected
