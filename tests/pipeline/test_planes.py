"""Leads of planes that are changed each in its own way: parts of others, others as parts."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from dvdup import match, pipeline
from dvdup.config import load_config
from dvdup.match import MatchSettings
from dvdup.pipeline import looks, planes
from dvdup.pipeline.kept import CROPS, Kept
from dvdup.pipeline.planes import Cases
from dvdup.pipeline.refs import find_ref


@pytest.fixture
def cut(dataset):
    """A part of p03 of train in test, and the whole of it as another case of test."""
    image = nib.load(dataset.pool / "p03.nii.gz")
    values = np.asarray(image.dataobj)
    start = [round(0.35 * n) for n in values.shape]
    part = values[start[0] :, : values.shape[1] - start[1], start[2] :]
    nib.save(nib.Nifti1Image(part, image.affine), dataset.root / "test/part.nii.gz")
    config = load_config(config=None, cwd=dataset.root, environ={}, overrides={})
    workspace = pipeline.Workspace(config)
    pipeline.sync(workspace)
    return workspace


def files_of(workspace, *refs):
    kept = Kept(workspace.sealed, workspace, workspace.open_index().meta)
    kept.make([(CROPS, ref.voting) for ref in refs])
    return [Cases(kept, kept.files(CROPS, ref.voting), CROPS) for ref in refs]


def best(found):
    leads: dict = {}
    for query, case, lead, _ in found:
        leads[query, case] = max(lead, leads.get((query, case), 0.0))
    return leads


PART, WHOLE = ("test", "part"), ("train", "p03")


@pytest.mark.parametrize("asks_as_part", [True, False])
def test_a_part_leads_to_the_whole_and_the_whole_to_its_part(cut, asks_as_part):
    index = cut.open_index()
    train, test = find_ref(index, "train"), find_ref(index, "test")
    asking, others = (test, train) if asks_as_part else (train, test)
    pair = (PART, WHOLE) if asks_as_part else (WHOLE, PART)
    mine, theirs = files_of(cut, asking, others)
    leads = best(looks._parts(mine, theirs, others.side()))
    plain = {(s.b, s.a): s.lead.b_to_a for s in match.match(others.side(), asking.side())}
    assert leads[pair] > 1.5 * plain.get(pair, 0.0)
    assert leads[pair] == max(lead for (query, _), lead in leads.items() if query == pair[0])


def test_little_memory_changes_nothing(cut, monkeypatch):
    index = cut.open_index()
    train, test = find_ref(index, "train"), find_ref(index, "test")
    mine, theirs = files_of(cut, test, train)
    whole = list(looks._parts(mine, theirs, train.side()))
    monkeypatch.setattr(planes, "MatchSettings", lambda: MatchSettings(budget=1))
    tiled = list(looks._parts(mine, theirs, train.side()))
    assert [each[:2] for each in tiled] == [each[:2] for each in whole]
    np.testing.assert_allclose(
        [each[2:] for each in tiled], [each[2:] for each in whole], atol=1e-5
    )


def test_a_case_never_finds_itself(cut):
    train = find_ref(cut.open_index(), "train")
    (mine,) = files_of(cut, train)
    found = list(looks._parts(mine, mine, train.side()))
    assert found
    assert all(query != case for query, case, _, _ in found)


def test_nobody_asked_is_nobody_found(cut):
    train = find_ref(cut.open_index(), "train")
    (mine,) = files_of(cut, train)
    nobody, none = match.Side((), (), lambda codes: iter(())), Cases(mine.kept, {}, CROPS)
    assert list(looks._parts(mine, none, nobody)) == []
    assert list(looks._parts(none, mine, train.side())) == []
