"""What `dvdup diff` decides: a few candidates by their slices, and what their voxels say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from dvdup.bench.aggregations import own
from dvdup.bench.database import Query
from dvdup.match import MIN_LEAD
from dvdup.verify import ALL, Limits, Steps

SHIPPED = Limits().copy
"""Score from which dvdup calls a pair a copy."""

_MOST = 5  # candidates by lead
_CLEAR = 0.5  # lead from which nobody looks again
_BELOW = 20.0  # puts whoever is no candidate below all that were compared


@dataclass(frozen=True, slots=True)
class Ablation:
    """A step left out."""

    what: str
    """What happens instead."""
    by_lead: bool = True
    """Whether cases with the highest leads are candidates."""
    by_similarity: bool = True
    """Whether the most similar case is one."""
    again: bool = True
    """Whether a query that found nobody is looked at again."""
    parts: bool = True
    """Whether that means crops as well."""
    steps: Steps = ALL


ABLATIONS: Mapping[str, Ablation] = MappingProxyType(
    {
        "": Ablation("nothing is left out"),
        "lead": Ablation("the most similar case is the only candidate", by_lead=False),
        "similarity": Ablation("candidates are those by lead alone", by_similarity=False),
        "looks": Ablation("queries that found nobody are not looked at again", again=False),
        "crops": Ablation("they are mirrored, turned and resized, not cropped", parts=False),
        "turns": Ablation("registration starts as stored only", steps=Steps(turns=False)),
        "information": Ablation(
            "no registration by mutual information", steps=Steps(information=False)
        ),
        "greys": Ablation("grey values are compared as they are", steps=Steps(greys=False)),
        "full": Ablation("proxies only: no values, no finer voxels", steps=Steps(full=False)),
    }
)
"""By the name of what is left out, in the order of the output."""


def score(query: Query) -> np.ndarray:
    """The evidence of the voxels of every candidate, float64 (N,); others follow by their lead.

    Candidates are the cases with the highest leads, where these are unusual, and the most similar
    one; if none of them leads clearly, also those of the query mirrored, turned and resized, as a
    part of others, and of others as a part of it. Where there are too few cases for anyone to lead
    all are compared. A comparison of two splits looks for the candidates of the other side too,
    which is not done here. dvdup calls those at `SHIPPED` or above copies. Where there is nothing
    to compare it falls back on the slices; here that is no copy.
    """
    ablation = ABLATIONS[query.without]
    lead = own.score(query)
    found = lead - _BELOW
    for case in sorted(_candidates(query, lead, ablation)):
        found[case] = query.verify(case, ablation.steps)
    return found


def _candidates(query: Query, lead: np.ndarray, ablation: Ablation) -> set[int]:
    there = np.isfinite(lead)
    if there.sum() < MIN_LEAD:
        return set(np.flatnonzero(there).tolist())
    chosen = _best(query, lead, _similarity(query), ablation)
    if ablation.again and query.again and lead.max() < _CLEAR:
        looks = [own.changed(query, look) for look in query.looks()]
        found = [(own.score(look), _similarity(look)) for look in looks]
        parts = query.parts() if ablation.parts else None
        found += [] if parts is None else [parts]
        if found:
            leads, similar = np.array(found).max(axis=0)
            chosen |= _best(query, leads, similar, ablation)
    return chosen


def _best(query: Query, lead: np.ndarray, similarity: np.ndarray, ablation: Ablation) -> set[int]:
    chosen: set[int] = set()
    if ablation.by_lead:
        first = np.argsort(-lead, kind="stable")[:_MOST]
        chosen.update(first[lead[first] >= query.least_lead].tolist())
    if ablation.by_similarity:
        most = int(similarity.argmax())
        chosen.update([most] if np.isfinite(similarity[most]) else [])
    return chosen


def _similarity(query: Query) -> np.ndarray:
    return query.by_channel(lambda rows: query.s[rows].astype(np.float64).mean(axis=0))
