"""The lead that makes a candidate, taken from the database itself."""

from __future__ import annotations

import numpy as np
import pytest

from dvdup.bench.database import Database
from dvdup.bench.usual import least_lead
from dvdup.match import KEEP_LEAD


def database(n, spread, twins=()):
    """Cases of eight slices in 16 dimensions, `spread` apart; twins share their slices."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(8, 16))
    rows = [common + spread * rng.normal(size=(8, 16)) for _ in range(n)]
    for one, other in twins:
        rows[other] = rows[one]
    embedding = np.concatenate(rows).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    return Database(embedding, np.arange(0, 8 * n + 1, 8), np.zeros(8 * n, np.int16))


def names(n):
    return [f"p{i}" for i in range(n)]


def test_where_everybody_leads_more_a_candidate_must_lead_more():
    close, apart = (least_lead(database(12, spread), names(12)) for spread in (0.05, 1.0))
    assert KEEP_LEAD <= close < apart <= 0.2


def test_scans_of_one_person_do_not_count():
    twins = [(i, i + 6) for i in range(6)]
    people = [f"p{i % 6}" for i in range(12)]
    assert least_lead(database(12, 0.3, twins), people) < 0.2
    assert least_lead(database(12, 0.3, twins), names(12)) == 0.2


@pytest.mark.parametrize("n", [0, 1])
def test_without_strangers_the_least_is_asked(n):
    assert (
        least_lead(
            database(n, 0.3)
            if n
            else Database(np.zeros((0, 1), np.float32), np.array([0]), np.zeros(0, np.int16)),
            names(n),
        )
        == KEEP_LEAD
    )
