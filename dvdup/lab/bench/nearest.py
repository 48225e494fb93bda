"""Nearest slices: exactly, or by an approximate index of faiss.

`Exact` gives all of s as well; the approximate ones only answer for the counts, and are there so
that published figures can be made again.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from dvdup.compare.match import NEVER
from dvdup.errors import ConfigError
from dvdup.extras import demand
from dvdup.lab.bench.database import TIE, Database

_BLOCK = 1 << 16  # database rows multiplied at once
_LINKS = 32  # of HNSW
_BUILD = 200  # efConstruction of HNSW
_SEARCH = 128  # efSearch of HNSW


class Answers(Protocol):
    """What an index says about the slices of one query."""

    def nearest(self, allowed: np.ndarray, k: int) -> np.ndarray:
        """Cases int64 (S, k) of the k nearest slices of allowed cases; -1 where there are fewer."""


class NearestIndex(Protocol):
    """An index over the rows of a database."""

    n_bytes: int
    """What it takes to keep it."""

    def ask(self, embedding: np.ndarray) -> Answers:
        """Look up the slices of one query, float32 (S, D)."""


class Exact:
    """Every slice against every slice."""

    def __init__(self, database: Database) -> None:
        """Keep the database."""
        self._database = database
        self.n_bytes = database.embedding.size * 2

    def ask(self, embedding: np.ndarray) -> ExactAnswers:
        """One blocked product."""
        rows = self._database.embedding
        product = np.empty((len(embedding), len(rows)), np.float32)
        for start in range(0, len(rows) if len(embedding) else 0, _BLOCK):
            block = slice(start, start + _BLOCK)
            np.matmul(embedding, rows[block].T, out=product[:, block])
        return ExactAnswers(product, self._database.starts)


class ExactAnswers:
    """The product of a query with the database."""

    def __init__(self, product: np.ndarray, starts: np.ndarray) -> None:
        """Find the best slice of each case."""
        self._product = product
        self._starts = starts
        self._longest = int(np.diff(starts).max(initial=0))
        self.s = np.full((len(product), len(starts) - 1), NEVER, np.float32)
        filled = np.flatnonzero(np.diff(starts))
        if filled.size and len(product):
            self.s[:, filled] = np.maximum.reduceat(product, starts[filled], axis=1)

    @staticmethod
    def masked(s: np.ndarray, allowed: np.ndarray) -> np.ndarray:
        """An s (S, N) with -2 for the cases that are not allowed."""
        return s if allowed.all() else np.where(allowed, s, NEVER)

    def nearest(self, allowed: np.ndarray, k: int) -> np.ndarray:
        """The nearest slice goes to the smaller of cases that tie, as in `match`."""
        s = self.masked(self.s, allowed)
        if s.size == 0:
            return np.full((len(s), k), -1)
        first: np.ndarray = (s >= s.max(axis=1, keepdims=True) - TIE).argmax(axis=1)
        first[s.max(axis=1) <= NEVER] = -1
        if k == 1:
            return first[:, None]
        found = self._several(s, k)
        found[:, 0] = first
        return found

    def _several(self, s: np.ndarray, k: int) -> np.ndarray:
        """The k nearest slices lie in the k nearest cases, so that only those are looked at."""
        cases = np.argsort(-s, axis=1, kind="stable")[:, :k]
        rows = self._starts[cases][:, :, None] + np.arange(self._longest)
        there = (rows < self._starts[cases + 1][:, :, None]) & (
            np.take_along_axis(s, cases, axis=1) > NEVER
        )[:, :, None]
        rows = np.where(there, rows, 0).reshape(len(s), -1)
        values = np.take_along_axis(self._product, rows, axis=1)
        values = np.where(there.reshape(len(s), -1), values, NEVER)
        best = np.argsort(-values, axis=1, kind="stable")[:, :k]
        codes = np.take_along_axis(np.repeat(cases, self._longest, axis=1), best, axis=1)
        codes = np.where(np.take_along_axis(values, best, axis=1) > NEVER, codes, -1)
        missing = k - codes.shape[1]
        return np.pad(codes, ((0, 0), (0, max(0, missing))), constant_values=-1)


class _Faiss:
    """A faiss index; what it answers is made cases of."""

    def __init__(self, database: Database) -> None:
        import faiss

        faiss.omp_set_num_threads(1)  # so that an index is built the same way every time
        self._faiss: Any = faiss
        self._starts = database.starts
        self._case_of_row = database.case_of_row
        self._index = self._make(database.embedding.shape[1])
        self._index.add(np.ascontiguousarray(database.embedding))
        self.n_bytes = int(faiss.serialize_index(self._index).nbytes)

    def _make(self, dimensions: int) -> Any:
        raise NotImplementedError

    def rows(self, embedding: np.ndarray, allowed: np.ndarray, k: int) -> np.ndarray:
        """Row numbers (S, k or more), nearest first, -1 where there are fewer."""
        raise NotImplementedError

    def ask(self, embedding: np.ndarray) -> Answers:
        """Searched once it is known which cases are allowed."""
        return _FaissAnswers(self, np.ascontiguousarray(embedding))

    def cases(self, embedding: np.ndarray, allowed: np.ndarray, k: int) -> np.ndarray:
        """As `Answers.nearest`: rows of cases that are not allowed are dropped."""
        rows = self.rows(embedding, allowed, k)
        codes = np.where(rows >= 0, self._case_of_row[rows], -1)
        usable = (codes >= 0) & allowed[codes]
        order = np.argsort(~usable, axis=1, kind="stable")[:, :k]
        codes = np.where(usable, codes, -1)
        chosen = np.take_along_axis(codes, order, axis=1)
        return np.pad(chosen, ((0, 0), (0, k - chosen.shape[1])), constant_values=-1)


class _FaissAnswers:
    def __init__(self, index: _Faiss, embedding: np.ndarray) -> None:
        self._index, self._embedding = index, embedding

    def nearest(self, allowed: np.ndarray, k: int) -> np.ndarray:
        return self._index.cases(self._embedding, allowed, k)


class Hnsw(_Faiss):
    """Hierarchical navigable small worlds (Malkov, Yashunin, arXiv 1603.09320)."""

    def _make(self, dimensions: int) -> Any:
        index = self._faiss.IndexHNSWFlat(dimensions, _LINKS, self._faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = _BUILD
        return index

    def rows(self, embedding: np.ndarray, allowed: np.ndarray, k: int) -> np.ndarray:
        """One search that passes through rows that are not allowed and does not return them."""
        wanted = np.flatnonzero(allowed[self._case_of_row])
        chosen = self._faiss.IDSelectorBatch(wanted)
        settings = self._faiss.SearchParametersHNSW(sel=chosen, efSearch=_SEARCH)
        found: np.ndarray = self._index.search(embedding, k, params=settings)[1]
        return found


class Lsh(_Faiss):
    """Locality-sensitive hashing: signs after a random rotation, two bits a dimension."""

    def _make(self, dimensions: int) -> Any:
        return self._faiss.IndexLSH(dimensions, 2 * dimensions)

    def rows(self, embedding: np.ndarray, allowed: np.ndarray, k: int) -> np.ndarray:
        """It cannot leave rows out, so that it is asked for so many more."""
        barred = int(np.diff(self._starts)[~allowed].sum())
        n = min(len(self._case_of_row), k + barred)
        found: np.ndarray = self._index.search(embedding, n)[1]
        return found


INDEXES: Mapping[str, type[Exact] | type[_Faiss]] = MappingProxyType(
    {"exact": Exact, "hnsw": Hnsw, "lsh": Lsh}
)
"""By name, as given to `--search`."""


def demand_index(name: str) -> None:
    """Check that an index exists and what it needs is installed.

    Raises:
        ConfigError: There is no such index.
        InstallError: It needs faiss, which is not installed.
    """
    if name not in INDEXES:
        raise ConfigError(f"unknown index {name!r}: choose one of {', '.join(INDEXES)}")
    if name != "exact":
        demand(f"--search {name}", ("faiss",), "bench")
