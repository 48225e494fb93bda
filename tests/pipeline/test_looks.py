"""Looking again: what other looks of a scan find, what is kept of them, and what is left out."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from dvdup import pipeline, variants
from dvdup.config import load_config
from dvdup.errors import StoreError
from dvdup.pipeline import Interrupted, looks
from dvdup.pipeline.kept import LOOKS, Kept
from dvdup.pipeline.looks import Looking
from dvdup.pipeline.refs import find_ref
from dvdup.pipeline.workspace import LazyEmbedder


@pytest.fixture
def mirrored(dataset):
    """A copy of p03 of train in test, mirrored."""
    image = nib.load(dataset.pool / "p03.nii.gz")
    values = np.asarray(image.dataobj)[::-1]
    nib.save(nib.Nifti1Image(values, image.affine), dataset.root / "test/mirrored.nii.gz")
    config = load_config(config=None, cwd=dataset.root, environ={}, overrides={})
    workspace = pipeline.Workspace(config)
    pipeline.sync(workspace)
    return workspace


def looking(workspace, should_stop=lambda: False, told=None):
    def progress(what, done, total):
        if told is not None:
            told.append((what, done, total))

    return Looking(workspace, workspace.open_index().meta, progress, should_stop)


def sides(workspace):
    index = workspace.open_index()
    return find_ref(index, "train"), find_ref(index, "test")


COPY = (("test", "mirrored"), ("train", "p03"))


def test_a_mirrored_copy_leads_once_it_is_mirrored_back(mirrored):
    from dvdup import match

    train, test = sides(mirrored)
    plain = {(s.b, s.a): s.lead.b_to_a for s in match.match(train.side(), test.side())}
    again = looking(mirrored).leads(test.voting, train.voting, train.side())
    assert again[COPY].lead > 2 * plain.get(COPY, 0.0)
    assert again[COPY].lead == max(led.lead for pair, led in again.items() if pair[0] == COPY[0])


def test_a_scan_is_embedded_once(mirrored, monkeypatch):
    train, test = sides(mirrored)
    told: list[tuple[str, int, int]] = []
    first = looking(mirrored, told=told).leads(test.voting, train.voting, train.side())
    n = len(test.voting) + len(train.voting)  # train is looked at as parts of test
    assert told[-1] == ("looking again", n, n)
    monkeypatch.setattr(LazyEmbedder, "embed", None)
    assert looking(mirrored).leads(test.voting, train.voting, train.side()) == first


@pytest.mark.parametrize("how", ["gone", "changed"])
def test_a_scan_whose_file_is_another_is_left_out(mirrored, how):
    file = mirrored.root / "test/mirrored.nii.gz"
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes() + b"x")
    train, test = sides(mirrored)
    again = looking(mirrored).leads(test.voting, train.voting, train.side())
    assert again
    assert not [pair for pair in again if pair[0] == COPY[0]]


def test_an_index_that_cannot_be_written_costs_time_only(mirrored):
    train, test = sides(mirrored)
    expected = looking(mirrored).leads(test.voting, train.voting, train.side())
    for file in (mirrored.folder / "cache/looks").iterdir():
        file.unlink()
    (mirrored.folder / "cache/looks").rmdir()
    (mirrored.folder / "cache/looks").write_text("a file where a folder should be")
    assert looking(mirrored).leads(test.voting, train.voting, train.side()) == expected


def test_the_wish_to_stop_is_heard(mirrored):
    train, test = sides(mirrored)
    with pytest.raises(Interrupted):
        looking(mirrored, lambda: True).leads(test.voting, train.voting, train.side())


def test_a_slow_embedder_is_not_asked(mirrored, monkeypatch):
    train, test = sides(mirrored)
    monkeypatch.setattr(looks, "CHEAP", ())
    assert looking(mirrored).leads(test.voting, train.voting, train.side()) == {}


def test_every_look_of_a_case_is_a_query_of_its_key(mirrored):
    train, test = sides(mirrored)
    looking(mirrored).leads(test.voting, train.voting, train.side())
    kept = Kept(mirrored.folder / "cache/looks", mirrored, mirrored.open_index().meta)
    side = looks._side(kept.files(LOOKS, test.voting))
    assert side.keys == tuple(case.key for case in test.voting for _ in variants.LOOKS)
    assert sum(len(rows) for rows, _, _ in side.blocks(range(len(side.keys)))) == sum(side.n_slices)


def test_damaged_looks_are_made_again(mirrored):
    train, test = sides(mirrored)
    expected = looking(mirrored).leads(test.voting, train.voting, train.side())
    for file in (mirrored.folder / "cache/looks").iterdir():
        file.write_bytes(b"torn")
    assert looking(mirrored).leads(test.voting, train.voting, train.side()) == expected


def test_a_full_disk_is_told(mirrored, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    train, test = sides(mirrored)
    with pytest.raises(StoreError, match="No space left"):
        looking(mirrored).leads(test.voting, train.voting, train.side())
