from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra models")

from dvdup.lab.train import validate
from dvdup.records import Case
from dvdup.slicing import make_recipe


def pooled(pixels: np.ndarray) -> np.ndarray:
    """Unit rows that need no network."""
    small = pixels.reshape(len(pixels), 8, 8, 8, 8).mean(axis=(2, 4)).reshape(len(pixels), 64)
    small = small - small.mean(axis=1, keepdims=True)
    return (small / np.linalg.norm(small, axis=1, keepdims=True)).astype(np.float32)


def rows_of(root, wanted, embed=pooled):
    recipe = make_recipe(size=64)
    cases = [Case("", f"p{i}", (f"scans/p{i}.nii.gz",)) for i in range(6)]
    database = [validate.cut(root, case, recipe).pixels for case in cases]
    copies = [
        copy for i in (0, 1) for copy in validate.edited_copies(root, cases[i], i, recipe, wanted)
    ]
    names = [case.case_id for case in cases]
    rows = validate.validate(embed, database, names, copies)
    return {(row.edit, row.level): row for row in rows}


def test_unedited_scans_are_found(persons):
    rows = rows_of(persons, [("none", ""), ("gamma", "mild")])
    assert list(rows) == [("none", ""), ("gamma", "mild"), ("all", "mild"), ("all", "")]
    unedited = rows["none", ""]
    assert unedited.queries == 2
    assert unedited.count_top1 == unedited.similar_top1 == unedited.similar_clear == 1.0
    assert rows["all", ""].queries == 4


def test_an_embedding_that_knows_nothing_finds_nothing(persons):
    def blind(pixels):
        rng = np.random.default_rng(len(pixels))
        rows = rng.normal(size=(len(pixels), 8)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    row = rows_of(persons, [("noise", "strong")], blind)["all", ""]
    assert row.similar_clear == 0.0


def test_every_edit_begins_with_the_scan_itself():
    each = validate.every_edit()
    assert each[0] == ("none", "")
    assert ("compose", "strong") in each
    assert ("mirror", "mild") not in each
