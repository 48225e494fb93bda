"""Parts in the bench say what parts in a comparison say."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dvdup import variants
from dvdup.bench.nearest import Exact
from dvdup.bench.parts import Cropped, Parts
from dvdup.match import Side
from dvdup.pipeline import looks
from dvdup.pipeline.kept import CROPS, Changed
from dvdup.pipeline.planes import Cases


def unit(rng, n):
    rows = rng.normal(size=(n, 6))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def case(rng, channels=1) -> Changed:
    """Random rows: five slices of each plane of each channel."""
    plane = np.tile(np.repeat(np.arange(3), 5), channels).astype(np.uint8)
    channel = np.repeat(np.arange(channels), 15).astype(np.int16)
    rows = {name: unit(rng, 15 * channels) for name in CROPS.changes}
    return Changed(rows, plane, channel)


@pytest.fixture(params=[1, 2])
def some(request):
    """A query and a database of seven cases."""
    rng = np.random.default_rng(5)
    return case(rng, request.param), [case(rng) for _ in range(7)]


def whole_of(cases) -> Exact:
    same = Cropped.of([Changed(dict.fromkeys(variants.CROPS, c.rows["same"]), c.plane, c.channel)
                       for c in cases]).databases[0]  # fmt: skip
    return Exact(same)


def parts_of(query, cases) -> Parts:
    return Parts(query, whole_of(cases), [Exact(each) for each in Cropped.of(cases).databases])


def kept_as(found: dict[tuple[str, str], Changed]) -> Cases:
    """Cases as an index keeps them, without the files."""
    names = {key: "/".join(key) for key in found}
    rows = {names[key]: each for key, each in found.items()}
    return Cases(SimpleNamespace(load=lambda name, kind: rows[name]), names, CROPS)


def test_as_a_comparison_says(some):
    query, cases = some
    keys = [("train", f"c{k}") for k in range(len(cases))]
    lead, similarity = parts_of(query, cases).best(np.ones(len(cases), bool))

    def blocks(codes):
        for code in codes:
            rows = cases[code].rows["same"]
            yield rows, np.full(len(rows), code, np.int32), cases[code].channel

    side = Side(tuple(keys), tuple(len(each.plane) for each in cases), blocks)
    others = kept_as(dict(zip(keys, cases, strict=True)))
    asking = kept_as({("test", "q"): query})
    found = dict.fromkeys(keys, (0.0, -2.0))
    for _, key, ahead, alike in looks._parts(asking, others, side):
        found[key] = (max(found[key][0], ahead), max(found[key][1], alike))
    for k, key in enumerate(keys):
        if found[key][1] > -2:  # of pairs far away nothing is told
            assert (lead[k], similarity[k]) == pytest.approx(found[key], abs=2e-3)
    assert sum(alike > -2 for _, alike in found.values()) >= 5


def test_who_is_not_allowed_neither_wins_nor_rivals(some):
    query, cases = some
    allowed = np.arange(len(cases)) < 4
    lead, similarity = parts_of(query, cases).best(allowed)
    assert np.isneginf(lead[4:]).all()
    assert np.isneginf(similarity[4:]).all()
    alone, alike = parts_of(query, cases[:4]).best(np.ones(4, bool))
    np.testing.assert_allclose(lead[:4], alone, atol=1e-6)
    np.testing.assert_allclose(similarity[:4], alike, atol=1e-6)


def test_what_is_saved_is_read_back(some, tmp_path):
    _, cases = some
    cropped = Cropped.of(cases)
    cropped.save(tmp_path / "cropped.npz")
    again = Cropped.load(tmp_path / "cropped.npz")
    for one, other in zip(cropped.databases, again.databases, strict=True):
        np.testing.assert_array_equal(one.embedding, other.embedding)
        np.testing.assert_array_equal(one.starts, other.starts)
        np.testing.assert_array_equal(one.channel, other.channel)
