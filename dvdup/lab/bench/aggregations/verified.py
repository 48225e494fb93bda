"""What `dvdup diff` decides: a few candidates by their slices, and what their voxels say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from dvdup.compare.candidates import Nearest, Ranking, candidates_of
from dvdup.compare.scores import ONE, RankScores
from dvdup.compare.search import ranked
from dvdup.lab.bench.database import Query
from dvdup.verify import ALL, Limits, Steps

SHIPPED = Limits().copy
"""Score from which dvdup calls a pair a copy."""
MISSES = 1
"""Candidates of each list that are no copies, after which dvdup leaves it."""

_BELOW = 20.0  # puts whoever is no candidate below all that were compared


@dataclass(frozen=True, slots=True)
class Ablation:
    """A step left out."""

    what: str
    """What happens instead."""
    by_change: bool = True
    """Whether the first by change is a candidate."""
    by_bag: bool = True
    """Whether the first by bag is one."""
    variants: bool = True
    """Whether a query asks under other changes than none, and crops are asked."""
    steps: Steps = ALL


ABLATIONS: Mapping[str, Ablation] = MappingProxyType(
    {
        "": Ablation("nothing is left out"),
        "bag": Ablation("the first by one change for all is the only candidate", by_bag=False),
        "change": Ablation(
            "the first where every slice has its own change is the only candidate", by_change=False
        ),
        "variants": Ablation("slices are asked as they are only", variants=False),
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
    """The evidence of the voxels of every candidate, float64 (N,); others follow by rank score.

    Candidates are chosen by the rule that a comparison of two splits goes by: the first case by
    each rank score, and the next one of a list where a candidate is called a copy, at `SHIPPED` or
    above. Where there is nothing to compare a comparison falls back on the slices; here that is no
    copy.
    """
    ablation = ABLATIONS[query.without]
    scores = query.rank_scores(variants=ablation.variants)
    change = scores.change[0]
    found = np.where(change >= 0, change / ONE - _BELOW, -np.inf)

    def is_copy(name: str) -> bool:
        case = int(name)
        found[case] = query.verify(case, ablation.steps)
        return bool(found[case] >= SHIPPED)

    candidates_of(_nearest(scores, ablation), is_copy, MISSES)
    return found


def _nearest(scores: RankScores, ablation: Ablation) -> Nearest:
    """Both lists, whole, of the cases that are allowed."""
    codes = np.flatnonzero(scores.change[0] >= 0).tolist()
    names = [f"{code:09}" for code in codes]  # ties by their order
    lists = (
        (scores.change, ablation.by_change),
        (scores.bag, ablation.by_bag),
    )
    return Nearest(
        *(
            ranked(of[0][codes], names, "", len(names)) if wanted else Ranking()
            for of, wanted in lists
        )
    )
