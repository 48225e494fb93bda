"""Looking again: what other looks of a scan find, what is kept of them, and what is left out."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from dvdup import match, pipeline, variants
from dvdup.config import load_config
from dvdup.errors import StoreError
from dvdup.pipeline import Interrupted, looks
from dvdup.pipeline.kept import LOOKS, Kept
from dvdup.pipeline.looks import Looking
from dvdup.pipeline.planes import Cases
from dvdup.pipeline.refs import find_ref
from dvdup.pipeline.workspace import LazyEmbedder
from dvdup.sealed import SealedFiles


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


def test_a_look_asks_with_the_planes_that_belong_to_it(mirrored):
    """The best look of a case is that of whole cases in every look."""
    train, test = sides(mirrored)
    looking(mirrored).leads(test.voting, train.voting, train.side())
    kept = Kept(mirrored.sealed, mirrored, mirrored.open_index().meta)
    cases = Cases(kept, kept.files(LOOKS, test.voting), LOOKS)
    order = [(key, look) for key in cases.files for look in variants.LOOKS]

    def blocks(codes):
        for code in codes:
            key, look = order[code]
            case = kept.load(cases.files[key], LOOKS)
            rows = variants.pick(case.rows, case.plane, look)
            yield rows, np.full(len(rows), code), case.channel

    sizes = tuple(len(kept.load(cases.files[key], LOOKS).plane) for key, _ in order)
    every = match.Side(tuple(key for key, _ in order), sizes, blocks)
    asked = match.one_way(every, train.side(), range(len(order)), match.MatchSettings())
    leads = asked.lead.reshape(-1, len(variants.LOOKS), len(train.voting)).max(axis=1)
    found = {(query, case): lead for query, case, lead, _ in looks._turned(cases, train.side())}
    for (query, case), lead in found.items():
        row, column = list(cases.files).index(query), train.side().keys.index(case)
        assert lead == pytest.approx(leads[row, column], abs=1e-3)
    assert COPY in found


def test_damaged_looks_are_made_again(mirrored):
    train, test = sides(mirrored)
    expected = looking(mirrored).leads(test.voting, train.voting, train.side())
    for file in (mirrored.folder / "cache/looks").iterdir():
        file.write_bytes(b"torn")
    assert looking(mirrored).leads(test.voting, train.voting, train.side()) == expected


def test_a_full_disk_is_told(mirrored, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SealedFiles, "write", full)
    train, test = sides(mirrored)
    with pytest.raises(StoreError, match="No space left"):
        looking(mirrored).leads(test.voting, train.voting, train.side())


def test_who_has_found_somebody_does_not_look_again(mirrored, dataset, monkeypatch):
    asked = []
    whole = Looking.leads
    monkeypatch.setattr(
        Looking,
        "leads",
        lambda self, asking, *more: asked.append(asking) or whole(self, asking, *more),
    )
    report = pipeline.query(mirrored, str(dataset.pool / "p03.nii.gz"))
    assert "train/p03" in {pair.a.label for pair in report.pairs}
    pipeline.query(mirrored, str(dataset.root / "test/mirrored.nii.gz"))
    assert [len(cases) for cases in asked] == [0, 1]
