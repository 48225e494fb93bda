"""Stored results: the key sees every input, a stored result is read, a damaged one made again."""

from __future__ import annotations

import dataclasses
import os

import pytest

from dvdup.compare import results
from dvdup.compare.refs import all_refs
from dvdup.compare.results import keep, key_of, read
from dvdup.records import EmbedderSpec, FileStat, Report
from dvdup.sealed import SealedFiles
from dvdup.store import IndexMeta

LIMITS = {"margin": 0.01, "shared": 0.7}
PAIRS = [(0, 1)]


@pytest.fixture
def refs(write, case):
    """Train a, b against test q."""
    return all_refs(write(case("train", "a"), case("train", "b"), case("test", "q")))


def with_case(refs, **changes):
    """The same refs, one field of train/b changed."""
    a, b = refs[0].cases
    changed = dataclasses.replace(refs[0], cases=(a, dataclasses.replace(b, **changes)))
    return [changed, refs[1]]


CHANGES = {
    "case_id": "bb", "group": "g", "status": "unchecked", "reason": "because",
    "files": (FileStat("train/elsewhere.nii", 100, 1),), "content": "other",
    "voxel_hashes": ("v",), "checksum": "s", "n_slices": 7,
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_the_key_sees_every_field_that_changes_a_result(refs, meta, name):
    changed = with_case(refs, **{name: CHANGES[name]})
    assert key_of(changed, PAIRS, meta, LIMITS) != key_of(refs, PAIRS, meta, LIMITS)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": (FileStat("train/b.nii", 999, 999, "other"),)},
        {"proxy": b"x", "proxy_shape": (1,)},
        {"origin": "added"},
        {"notes": ("a note",)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_key_does_not_see_what_changes_nothing(refs, meta, changes):
    """A touched file has another mtime and the same result."""
    changed = with_case(refs, **changes)
    assert key_of(changed, PAIRS, meta, LIMITS) == key_of(refs, PAIRS, meta, LIMITS)


def test_the_key_sees_settings_refs_and_pairs(refs, meta, monkeypatch):
    other_spec = EmbedderSpec("made-up", "other weights", 4, 32)
    keys = [
        key_of(refs, PAIRS, meta, LIMITS),
        key_of(refs, [*PAIRS, (0, 0)], meta, LIMITS),
        key_of(refs, [(1, 0)], meta, LIMITS),
        key_of(refs[::-1], PAIRS, meta, LIMITS),
        key_of(refs[:1], PAIRS, meta, LIMITS),
        key_of(refs, PAIRS, meta, LIMITS | {"margin": 0.02}),
        key_of(refs, PAIRS, IndexMeta(meta.embedder, meta.recipe, "other"), LIMITS),
        key_of(refs, PAIRS, IndexMeta(other_spec, meta.recipe, meta.recipe_hash), LIMITS),
    ]
    named = dataclasses.replace(refs[0].info, ref="train@v1")
    keys.append(key_of([dataclasses.replace(refs[0], info=named), refs[1]], PAIRS, meta, LIMITS))
    for name, value in (("code_fingerprint", lambda *modules: "99"), ("__version__", "99")):
        with monkeypatch.context() as patch:
            patch.setattr(results, name, value)
            keys.append(key_of(refs, PAIRS, meta, LIMITS))
    assert len(set(keys)) == len(keys)
    assert key_of(refs, PAIRS, meta, LIMITS) == keys[0]


def test_a_case_does_not_slip_from_one_ref_into_the_next(refs, meta):
    (a, b), (q,) = refs[0].cases, refs[1].cases
    slipped = [
        dataclasses.replace(refs[0], cases=(a,)),
        dataclasses.replace(refs[1], cases=(b, q)),
    ]
    assert key_of(slipped, PAIRS, meta, LIMITS) != key_of(refs, PAIRS, meta, LIMITS)


# Storing


@pytest.fixture
def sealed(tmp_path) -> SealedFiles:
    return SealedFiles(tmp_path, lambda: b"k" * 32)


def report() -> tuple[Report, bool]:
    settings = {"embedder": "e", "weights": "", "recipe": "r", "thresholds": {}, "fail_on": []}
    return Report(settings, (), (), (), ()), True


def stored_or_made(sealed, key, make):
    found = read(sealed, key)
    if found is None:
        made, lasting = make()
        found = keep(sealed, key, made, lasting=lasting)
    return found


def test_it_is_made_once(sealed):
    first = stored_or_made(sealed, "key", report)
    again = stored_or_made(sealed, "key", pytest.fail)
    assert first == again
    made = []
    stored_or_made(sealed, "other", lambda: made.append(1) or report())
    assert made == [1]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"schema": "dvdup/report@0"}', b"\xff"])
def test_a_damaged_result_is_made_again(sealed, damage):
    first = stored_or_made(sealed, "key", report)
    (sealed.folder / "results/key.json").write_bytes(damage)
    made = []
    assert stored_or_made(sealed, "key", lambda: made.append(1) or report()) == first
    assert made == [1]
    assert stored_or_made(sealed, "key", pytest.fail) == first


def test_what_may_not_be_kept_is_made_again(sealed):
    made = []
    for _ in range(2):
        stored_or_made(sealed, "key", lambda: made.append(1) or (report()[0], False))
    assert made == [1, 1]


def test_only_the_newest_stay(sealed, monkeypatch):
    monkeypatch.setattr(results, "_KEPT", 3)
    (sealed.folder / "results").mkdir()
    (sealed.folder / "results/mine.json").touch()
    os.utime(sealed.folder / "results/mine.json", (0, 0))
    for number in range(5):
        stored_or_made(sealed, f"{number:032x}", report)
        os.utime(sealed.folder / f"results/{number:032x}.json", (number, number))
        if number == 3:
            stored_or_made(sealed, f"{2:032x}", pytest.fail)  # being read makes it young
    names = sorted(path.name for path in (sealed.folder / "results").iterdir())
    assert names == [*(f"{number:032x}.json" for number in (2, 3, 4)), "mine.json"]


def test_a_folder_that_cannot_be_written_costs_time_only(sealed):
    (sealed.folder / "results").write_text("a file in the way")
    assert stored_or_made(sealed, "key", report) == stored_or_made(sealed, "key", report)
