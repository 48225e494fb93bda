"""Pictures of the pairs of a report: a pair is laid as the check has found it to lie."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from dvdup import api
from dvdup.commands import show
from dvdup.commands.output import read_report
from dvdup.commands.pictures import pictures_of
from dvdup.config import load_config
from dvdup.records import Hooks
from dvdup.report import render
from dvdup.report.json import schema
from dvdup.workspace import Workspace


@pytest.fixture(scope="module")
def leaky(tmp_path_factory, save, phantom):
    """A dataset of which every test case is a copy, and the saved report of its check."""
    root = tmp_path_factory.mktemp("leaky")
    for person in (3, 4, 5, 6):
        save(root / f"train/p{person}.nii.gz", phantom(person))
    noise = np.random.default_rng(0).normal(0, 20, (40, 44, 36))
    save(root / "test/crop.nii.gz", np.ascontiguousarray(phantom(3)[::-1, 8:, :]))
    save(root / "test/noisy.nii.gz", (phantom(4) + noise).astype(np.float32))
    save(root / "test/same.nii.gz", phantom(5))
    save(root / "test/stretched.nii.gz", phantom(6), (2.0, 3.0, 3.0))
    (root / "dvdup.toml").write_text('embedder = "thumbnail"\n[dataset]\nlayout = "folders"\n')
    report = api.check(root, settings={"verify.candidates": 1, "jobs": 1})
    (root / "found.json").write_text(render(report, "json"), encoding="utf-8")
    return root


@pytest.fixture
def judged(monkeypatch) -> list[object]:
    """The pairs whose voxels are compared."""
    seen: list[object] = []
    real = show.judge_pair

    def watched(job):
        seen.append(job)
        return real(job)

    monkeypatch.setattr(show, "judge_pair", watched)
    return seen


def drawn(root, file):
    config = load_config(config=None, cwd=root, environ={}, overrides={"jobs": 1})
    return pictures_of(Workspace(config), read_report(str(root / file)), Hooks())


def pixels(picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGB")).astype(int)


def differences(pair) -> list[np.ndarray]:
    return [pixels(row[2]) for row in pair.rows]


def document(root, file="found.json"):
    return json.loads((root / file).read_text(encoding="utf-8"))


def test_no_pair_is_compared_again(leaky, judged):
    """Failed before: every pair was registered anew for its picture."""
    pairs = drawn(leaky, "found.json")
    assert judged == []
    assert len(pairs) == 4
    for pair in pairs:
        assert pair.notes == ()
        for shown in differences(pair):
            bright = shown[shown.max(axis=-1) > 100]  # not what one of them does not show
            assert np.abs(bright[:, 0] - bright[:, 2]).mean() < 35  # of strangers 40 and more


def test_a_report_that_does_not_say_how_they_lie_is_drawn_the_same(leaky, judged):
    """One of an earlier version, or one that somebody has written into."""
    found = document(leaky)
    for pair, rows in zip(found["pairs"], (None, 7, [[0] * 4] * 3, "?"), strict=True):
        if pair["alignment"]:
            pair["alignment"]["a_to_b"] = rows
    (leaky / "older.json").write_text(json.dumps(found), encoding="utf-8")
    known, anew = drawn(leaky, "found.json"), drawn(leaky, "older.json")
    assert len(judged) == 2  # equal voxels, also under another header, need no comparison
    for one, other in zip(known, anew, strict=True):
        for ours, theirs in zip(differences(one), differences(other), strict=True):
            assert np.abs(ours - theirs).mean() < 5


def test_the_report_says_where_the_voxels_lie(leaky):
    pairs = {pair["b"]["case"]: pair for pair in document(leaky)["pairs"]}
    corners = np.array([[0, 0, 0, 1], [39, 43, 35, 1], [39, 0, 35, 1]]).T
    flipped = np.array([[-1, 0, 0, 39], [0, 1, 0, -8], [0, 0, 1, 0]])
    for name, expected in (("crop", flipped), ("noisy", np.eye(3, 4))):
        said = np.array(pairs[name]["alignment"]["a_to_b"])
        np.testing.assert_allclose(said @ corners, expected @ corners, atol=0.7)
    assert "a_to_b" in str(schema()["$defs"]["pair"]["properties"]["alignment"])


def test_the_page_leaves_the_map_to_programs(leaky, dvdup):
    flags = ("-q", "-o", "a.html", "--no-pictures")
    assert dvdup(leaky, "render", "found.json", *flags).code == 0
    text = (leaky / "a.html").read_text(encoding="utf-8")
    assert "alignment scale" in text
    assert "a_to_b" not in text
