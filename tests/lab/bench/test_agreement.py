"""A bench and a comparison come to the same verdicts on the same scans."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from dvdup import readers
from dvdup.commands.diff import diff
from dvdup.compare import engine
from dvdup.config import load_config
from dvdup.lab.bench import Options, Voxels, measure, pairs
from dvdup.lab.bench.aggregations.verified import SHIPPED
from dvdup.lab.evaluate.scans import read_scan
from dvdup.records import Case
from dvdup.sync import build
from dvdup.workspace import Workspace

ASKED = ("s2",)
EDITS = (("mirror", "medium"), ("mirror", "strong"), ("noise", "mild"), ("noise", "medium"))


def workspace_of(root) -> Workspace:
    overrides = {"jobs": 1, "verify.candidates": 1}
    return Workspace(load_config(config=None, cwd=root, environ={}, overrides=overrides))


@pytest.fixture
def root(tmp_path, phantom, save):
    """Three scans in train, and the edited ones that a bench would ask about in test."""
    for number in range(3):
        values = np.asarray(phantom(number, (20, 22, 18)), np.float32)
        save(tmp_path / f"train/s{number}.nii.gz", values)
    for name in ASKED:
        scan = read_scan(tmp_path, Case("train", name, (f"train/{name}.nii.gz",)))
        for edit, level in EDITS:
            edited = scan.edited(edit, level)
            file = tmp_path / f"test/{name}_{edit}_{level}.nii.gz"
            save(file, edited.channels[0], edited.spacing)
    (tmp_path / "dvdup.toml").write_text(
        'embedder = "thumbnail"\n[dataset]\nlayout = "folders"\n', encoding="utf-8"
    )
    return tmp_path


def of_bench(root, monkeypatch):
    """Whether each pair (case of train, name of the query) is a copy, by the `verified` line."""
    said = {}
    whole = pairs.Pairs.score

    def score(self, case, steps):
        found = whole(self, case, steps)
        said[f"s{case}", self._scan.channels[0].tobytes()] = found >= SHIPPED
        return found

    monkeypatch.setattr(pairs.Pairs, "score", score)
    options = Options(
        embedders=("thumbnail",),
        edits=("mirror", "noise"),
        ask="|".join(ASKED),
        bootstrap=5,
        timing=False,
        voxels=Voxels(verified=True),
        work=root / "work",
    )
    measure(workspace_of(root), [str(root / "train")], options)
    return said


def of_diff(root, monkeypatch):
    """The same, by a comparison of two splits."""
    said = {}
    whole = engine.verify_pairs

    def verify_pairs(*args, **kwargs):
        found = whole(*args, **kwargs)
        said.update({(a[1], b[1]): seen.verdict is not None for (a, b), seen in found.items()})
        return found

    monkeypatch.setattr(engine, "verify_pairs", verify_pairs)
    workspace = workspace_of(root)
    build.sync(workspace)
    report = diff(workspace, "train", "test")
    return said, {(pair.a.case, pair.b.case) for pair in report.pairs}


def test_a_bench_decides_as_a_comparison_does(root, monkeypatch):
    by_diff, reported = of_diff(root, monkeypatch)
    by_bench = of_bench(root, monkeypatch)
    read = partial(readers.read_volume, root)
    content = {
        query: read(Case("test", query, (f"test/{query}.nii.gz",))).channels[0]
        for query in {query for _, query in by_diff}
    }
    assert len(content) == len(ASKED) * len(EDITS)
    for (case, query), is_copy in by_diff.items():
        key = (case, np.asfortranarray(content[query], np.float32).tobytes())
        assert by_bench[key] == is_copy, (case, query)  # KeyError: a bench did not compare them
        assert is_copy == query.startswith(case)
    assert {pair for pair, is_copy in by_diff.items() if is_copy} == reported
    assert len(by_diff) > sum(by_diff.values()) == len(content)
