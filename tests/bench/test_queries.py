"""Queries that ask nothing, and what is right about an answer."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from dvdup.bench.database import join
from dvdup.bench.describers import Rows
from dvdup.bench.nearest import Exact
from dvdup.bench.plan import Line, Outcome
from dvdup.bench.queries import Asked, judge
from dvdup.bench.shelf import Shelf
from dvdup.records import Embedded


def rows(embedding: np.ndarray) -> Rows:
    n = len(embedding)
    zeros = np.zeros(n, np.int32)
    channel, plane = zeros.astype(np.int16), zeros.astype(np.uint8)
    embedded = Embedded(embedding, channel, plane, zeros, zeros.astype(np.float32))
    return Rows(embedded, lambda kind: None, 0.0, n)


NO_SHELF = Shelf(lambda code: pytest.fail("nobody looks at voxels"))


def asked(embedding: np.ndarray) -> Asked:
    database = join([np.eye(4, dtype=np.float32)[[k]] for k in range(4)])
    return Asked(rows(embedding), None, database, partial({"exact": Exact(database)}.get), NO_SHELF)


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
