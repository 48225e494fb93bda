"""Queries that ask nothing, and what is right about an answer."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from made_variants import in_one_cell, with_cells

from dvdup.compare.scores import ONE, Block, rank_scores_of
from dvdup.compare.variant_rows import ASKING, DIMENSIONS, VariantRows, without_variants
from dvdup.lab.bench.database import join
from dvdup.lab.bench.describers import Rows
from dvdup.lab.bench.nearest import Exact
from dvdup.lab.bench.plan import Line, Outcome
from dvdup.lab.bench.queries import Asked, DatabaseVariants, judge
from dvdup.lab.bench.shelf import Shelf
from dvdup.records import Embedded


def rows(embedding: np.ndarray) -> Rows:
    n = len(embedding)
    zeros = np.zeros(n, np.int32)
    channel, plane = zeros.astype(np.int16), zeros.astype(np.uint8)
    embedded = Embedded(embedding, channel, plane, zeros, zeros.astype(np.float32))
    return Rows(embedded, lambda: made(embedding), 0.0, n)


def made(embedding: np.ndarray) -> VariantRows:
    """Variant rows that know no variants: the slices as they are, padded to 64 numbers."""
    n = len(embedding)
    whole = np.zeros((n, DIMENSIONS), np.int8)
    whole[:, : embedding.shape[1]] = np.rint(embedding * 127)
    asking = np.repeat(whole[None], len(ASKING), axis=0)
    return in_one_cell(whole, whole, asking, np.zeros(n, np.uint8))


NO_SHELF = Shelf(lambda code: pytest.fail("nobody looks at voxels"))


def asked(embedding: np.ndarray, cases: list[np.ndarray] | None = None) -> Asked:
    cases = cases or [np.eye(4, dtype=np.float32)[[k]] for k in range(4)]
    database = join(cases)
    return Asked(
        rows(embedding),
        None,
        database,
        partial({"exact": Exact(database)}.get),
        NO_SHELF,
        variants=lambda: DatabaseVariants([made(case) for case in cases]),
    )


LINES = (Line("count-top1"), Line("count-top3"), Line("dvdup"), Line("verified"), Line("volume"))


def test_a_query_without_slices_is_a_miss_and_no_alarm():
    strangers, right = np.array([False, True, True, True]), np.array([True, False, False, False])
    found = judge(asked(np.zeros((0, 1), np.float32)), LINES, strangers, right)
    for outcome in found.values():
        assert outcome.best == outcome.stranger == -np.inf
        assert not outcome.right
        assert outcome.rank == 3
        assert Outcome.from_json(outcome.to_json()) == outcome


def test_a_source_that_is_not_first_is_a_wrong_case():
    strangers, right = np.array([False, True, True, True]), np.array([True, False, False, False])
    query = asked(np.array([[0.6, 0.8, 0, 0]], np.float32))
    outcome = judge(query, (Line("volume"),), strangers, right)[Line("volume").key]
    assert not outcome.right
    assert outcome.rank == 1
    np.testing.assert_allclose([outcome.best, outcome.stranger], 0.8, atol=1e-6)


def test_a_known_copy_is_as_right_as_the_source():
    strangers, right = np.array([False, False, True, True]), np.array([True, True, False, False])
    query = asked(np.array([[0.6, 0.8, 0, 0]], np.float32))
    outcome = judge(query, (Line("volume"),), strangers, right)[Line("volume").key]
    assert outcome.right
    assert outcome.rank == 0
    assert outcome.stranger == 0


def random_rows(seed: int, n: int = 3, channels: int = 1) -> VariantRows:
    """Unit rows at random, also under every change."""
    rng = np.random.default_rng(seed)

    def unit(*shape: int) -> np.ndarray:
        drawn = rng.normal(size=(*shape, DIMENSIONS))
        drawn[..., 4:] = 0  # few dimensions, so that cosines are not all small
        length = np.maximum(np.linalg.norm(drawn, axis=-1, keepdims=True), 1e-9)
        return np.rint(drawn / length * 127).astype(np.int8)

    channel = np.repeat(np.arange(channels), n).astype(np.uint8)
    q = n * channels
    return with_cells(unit(q), unit(2 * q), unit(len(ASKING), q), channel)


def test_variants_of_a_database_are_scored_as_a_comparison_scores_them():
    cases = [random_rows(seed, 1 + seed % 4, 1 + seed % 2) for seed in range(7)]
    query = random_rows(9, 4, 2)
    database = DatabaseVariants(cases)
    for ours, ask, known in (
        (database.scores(query), query, cases),
        (
            database.plain.scores(without_variants(query)),
            without_variants(query),
            [without_variants(case) for case in cases],
        ),
    ):
        expected = rank_scores_of(Block([ask]), Block(known))
        np.testing.assert_array_equal(ours.change, expected.change)
        np.testing.assert_array_equal(ours.bag, expected.bag)


def test_cases_without_slices_are_never_found():
    cases = [random_rows(0), random_rows(1, 0), random_rows(2)]
    database = DatabaseVariants(cases)
    for scores in (database.scores(random_rows(3)), database.plain.scores(random_rows(3))):
        assert scores.change[0, 1] == scores.bag[0, 1] == -1
        assert (scores.change[0, [0, 2]] >= 0).all()
    assert (database.scores(random_rows(3, 0)).change == -1).all()
    assert DatabaseVariants([cases[1]]).scores(cases[0]).bag.tolist() == [[-1]]


def test_with_variants_a_line_goes_by_the_rank_score():
    strangers, right = np.array([False, True, True, True]), np.array([True, False, False, False])
    query = asked(np.array([[1.0, 0, 0, 0]], np.float32))
    line = Line("dvdup", variants=True)
    outcome = judge(query, (line,), strangers, right)[line.key]
    assert outcome.right
    assert outcome.best == pytest.approx(1.0, abs=1 / ONE)
    assert outcome.stranger == 0
