"""Indexes: exact against a plain sort, approximate against exact."""

from __future__ import annotations

import numpy as np
import pytest

from dvdup.errors import ConfigError, InstallError
from dvdup.lab.bench.database import Database, join
from dvdup.lab.bench.nearest import INDEXES, Exact, demand_index


def unit(rng: np.random.Generator, n: int, d: int = 16) -> np.ndarray:
    rows = rng.normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def database() -> Database:
    rng = np.random.default_rng(0)
    return join([unit(rng, n) for n in (5, 3, 0, 7, 2)])


def test_s_is_the_best_slice_of_each_case(database):
    query = unit(np.random.default_rng(1), 4)
    s = Exact(database).ask(query).s
    for k in range(database.n_cases):
        rows = database.embedding[database.starts[k] : database.starts[k + 1]]
        expected = (query @ rows.T).max(axis=1) if len(rows) else np.full(4, -2.0)
        np.testing.assert_allclose(s[:, k], expected, atol=1e-6)


@pytest.mark.parametrize("barred", [[], [0], [0, 3], [1, 2, 4]])
@pytest.mark.parametrize("k", [1, 3])
def test_exact_is_a_sort_over_allowed_rows(database, barred, k):
    query = unit(np.random.default_rng(2), 6)
    allowed = np.ones(5, bool)
    allowed[barred] = False
    product = query @ database.embedding.T
    product[:, ~allowed[database.case_of_row]] = -9
    expected = database.case_of_row[np.argsort(-product, axis=1)[:, :k]]
    assert (Exact(database).ask(query).nearest(allowed, k) == expected).all()


def test_where_nobody_is_left_there_is_no_nearest(database):
    query = unit(np.random.default_rng(2), 2)
    nobody = np.zeros(5, bool)
    assert (Exact(database).ask(query).nearest(nobody, 3) == -1).all()


def test_ties_go_to_the_smaller_case():
    row = unit(np.random.default_rng(0), 1)
    answers = Exact(join([row, row, row])).ask(row)
    assert answers.nearest(np.ones(3, bool), 1).tolist() == [[0]]
    assert answers.nearest(np.array([False, True, True]), 1).tolist() == [[1]]


@pytest.mark.parametrize("name", ["hnsw", "lsh"])
def test_an_approximate_index_finds_a_row_itself_and_drops_barred_cases(database, name):
    pytest.importorskip("faiss")
    index = INDEXES[name](database)
    everybody = np.ones(5, bool)
    found = index.ask(database.embedding).nearest(everybody, 1)[:, 0]
    assert (found == database.case_of_row).all()
    barred = everybody.copy()
    barred[[0, 3]] = False
    found = index.ask(database.embedding).nearest(barred, 3)
    assert set(np.unique(found)) <= {1, 4}
    assert index.n_bytes > 0


def test_the_counts_are_those_of_match():
    """The bench and the product must mean the same by a count."""
    from dvdup.compare import match
    from dvdup.compare.match import Side

    rng = np.random.default_rng(5)
    parts = [unit(rng, 6, 4).astype(np.float16) for _ in range(5)]
    query = unit(rng, 9, 4).astype(np.float16)

    def side(name, pieces):
        def blocks(codes):
            for code in codes:
                n = len(pieces[code])
                yield pieces[code], np.full(n, code), np.zeros(n, np.int16)

        keys = tuple((name, str(i)) for i in range(len(pieces)))
        return Side(keys, tuple(map(len, pieces)), blocks)

    settings = match.MatchSettings(keep_above=-1.0)
    pairs = match.match(side("q", [query]), side("d", parts), settings)
    answers = Exact(join([p.astype(np.float32) for p in parts])).ask(query.astype(np.float32))
    everybody = np.ones(5, bool)
    top1, top3 = answers.nearest(everybody, 1), answers.nearest(everybody, 3)
    owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    cosines = query.astype(np.float64) @ np.concatenate(parts).astype(np.float64).T
    three = owners[np.argsort(-cosines, axis=1)[:, :3]]
    for k, pair in enumerate(pairs):
        assert pair.count_score.a_to_b == pytest.approx((top1 == k).mean())
        assert (three == k).any(axis=1).mean() == (top3 == k).any(axis=1).mean()
        assert pair.similarity.a_to_b == pytest.approx(answers.s[:, k].mean(), abs=1e-5)


def test_a_query_without_rows_has_no_answers(database):
    """Nothing informative is left of it, and so it has no dimensions either."""
    answers = Exact(database).ask(np.zeros((0, 1), np.float32))
    assert answers.s.shape == (0, 5)
    assert answers.nearest(np.ones(5, bool), 3).shape == (0, 3)


def test_an_unknown_index_is_told():
    with pytest.raises(ConfigError, match="exact, hnsw, lsh"):
        demand_index("annoy")


def test_a_missing_faiss_is_told(monkeypatch):
    monkeypatch.setattr("dvdup.extras.is_installed", lambda name: False)
    with pytest.raises(InstallError, match=r"dvdup\[bench\]"):
        demand_index("hnsw")
    demand_index("exact")
