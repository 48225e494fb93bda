"""Leads as a part of others, and as others that are a part."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from dvdup import match, pipeline
from dvdup.config import load_config
from dvdup.match import MatchSettings
from dvdup.pipeline import crops
from dvdup.pipeline.kept import CROPS, Kept
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
    folder = workspace.folder / "cache/looks"
    folder.mkdir(parents=True, exist_ok=True)
    kept = Kept(folder, workspace, workspace.open_index().meta)
    kept.make([(CROPS, ref.voting) for ref in refs])
    return [kept.files(CROPS, ref.voting) for ref in refs]


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
    leads = best(crops.leads(mine, theirs, others.side()))
    plain = {(s.b, s.a): s.lead.b_to_a for s in match.match(others.side(), asking.side())}
    assert leads[pair] > 1.5 * plain.get(pair, 0.0)
    assert leads[pair] == max(lead for (query, _), lead in leads.items() if query == pair[0])


def test_little_memory_changes_nothing(cut):
    index = cut.open_index()
    train, test = find_ref(index, "train"), find_ref(index, "test")
    mine, theirs = files_of(cut, test, train)
    whole = list(crops.leads(mine, theirs, train.side()))
    tiled = list(crops.leads(mine, theirs, train.side(), MatchSettings(budget=1)))
    assert [each[:2] for each in tiled] == [each[:2] for each in whole]
    np.testing.assert_allclose(
        [each[2:] for each in tiled], [each[2:] for each in whole], atol=1e-5
    )


def test_a_case_never_finds_itself(cut):
    train = find_ref(cut.open_index(), "train")
    (mine,) = files_of(cut, train)
    found = list(crops.leads(mine, mine, train.side()))
    assert found
    assert all(query != case for query, case, _, _ in found)


def test_nobody_asked_is_nobody_found(cut):
    train = find_ref(cut.open_index(), "train")
    (mine,) = files_of(cut, train)
    nobody = match.Side((), (), lambda codes: iter(()))
    assert list(crops.leads(mine, {}, nobody)) == []
    assert list(crops.leads({}, mine, train.side())) == []
