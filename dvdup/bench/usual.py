"""What lead the cases of a database have where none of them has a copy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dvdup.bench.aggregations import own
from dvdup.bench.database import Database, Query
from dvdup.bench.nearest import Exact, ExactAnswers
from dvdup.bench.scans import Scan
from dvdup.pipeline.evidence import unusual_lead


def least_lead(database: Database, persons: Sequence[str]) -> float:
    """The lead that makes a candidate, as a comparison of two splits would place it.

    Args:
        database: Every case is asked about once, among the cases of other persons.
        persons: Of each case.
    """
    exact, names = Exact(database), np.array(persons)
    best = []
    for case in range(database.n_cases):
        rows = slice(int(database.starts[case]), int(database.starts[case + 1]))
        allowed = names != names[case]
        if rows.start == rows.stop or not allowed.any():
            continue
        query = Query(
            s=ExactAnswers.masked(exact.ask(database.embedding[rows]).s, allowed),
            channel=database.channel[rows],
            allowed=allowed,
            nearest=_not_asked,
            database=database,
            scan=_no_scan,
        )
        best.append(float(own.score(query).max()))
    return unusual_lead([lead for lead in best if np.isfinite(lead)])


def _not_asked(k: int) -> np.ndarray:
    raise AssertionError("the lead asks for no nearest slices")


def _no_scan() -> Scan:
    raise AssertionError("the lead asks for no scan")
