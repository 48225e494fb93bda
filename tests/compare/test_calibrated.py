"""Whether a stored calibration holds for the index at hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

from dvdup import verify
from dvdup.compare import calibrated
from dvdup.compare.results import salt_of
from dvdup.compare.rules import rules_of
from dvdup.config import CalibrationConfig, Config, VerifyConfig
from dvdup.errors import ConfigError
from dvdup.records import EmbedderSpec
from dvdup.store import IndexMeta

FITTED = CalibrationConfig(
    threshold=4.5,
    budget=0.001,
    embedder="thumbnail",
    recipe="recipe",
    strength=verify.STRENGTH,
    candidates=5,
    cases=40,
    null_cases=40,
)


def meta(name="thumbnail", weights="", recipe="recipe"):
    return IndexMeta(EmbedderSpec(name, weights, 256, 16), {}, recipe)


def config(candidates=5, **changes):
    return Config(
        root=Path(),
        file=Path("dvdup.toml"),
        verify=VerifyConfig(candidates),
        calibration=dataclasses.replace(FITTED, **changes),
    )


def index(n):
    return SimpleNamespace(
        cases=[SimpleNamespace(n_slices=9)] * n + [SimpleNamespace(n_slices=0)] * 90
    )


def test_the_threshold_is_used_and_is_part_of_the_key_of_results():
    rules = rules_of(config(), meta())
    assert rules.voxels.copy == 4.5
    assert rules.voxels.clear_copy == pytest.approx(5.8)
    shipped = rules_of(Config(root=Path(), file=None), meta())
    assert shipped.voxels == verify.Limits()
    assert salt_of(meta(), rules.describe()) != salt_of(meta(), shipped.describe())


@pytest.mark.parametrize(
    ("found", "changes", "words"),
    [
        (meta("builtin"), {}, "embedder thumbnail, not with builtin"),
        (meta(weights="abc"), {}, "other weights"),
        (meta(), {"weights": "abc"}, "other weights"),
        (meta(recipe="other"), {}, "another slicing recipe"),
        (meta(), {"strength": verify.STRENGTH + 1}, "in another way"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_way_out(found, changes, words):
    with pytest.raises(ConfigError, match=words) as caught:
        rules_of(config(**changes), found)
    assert "dvdup.toml" in str(caught.value)
    assert "run `dvdup calibrate` again, or remove [calibration]" in str(caught.value)


@pytest.mark.parametrize(("n", "said"), [(40, False), (79, False), (80, True)])
def test_an_index_twice_as_big_is_told(n, said):
    remark = calibrated.remark(config(), index(n))
    assert (remark is not None) is said
    assert remark is None or f"from 40 to {n} cases" in remark


def test_more_candidates_are_told():
    assert "6 candidates" in calibrated.remark(config(6), index(40))
    assert calibrated.remark(config(4), index(40)) is None
    assert calibrated.remark(Config(root=Path(), file=None), index(900)) is None
