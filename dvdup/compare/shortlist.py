"""The nearest cases of every case, by rank scores of a shortlist: for sides of very many cases.

A shortlist are the first cases of two lists by coarse scores (see `coarse`); rank scores are
computed for these alone. So the nearest cases may lack one that a search of all pairs would find,
and hold none that it would not: what stands in them has its true score.

Coarse scores depend on two cases alone as well, and which cases are first among some does not
depend on the order in which they came. So shortlists are kept and brought up to date as lists are,
and there is nothing to be built or trained: a new case is searched by the command that brings it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from dvdup.compare.candidates import KEPT, Nearest, Ranking
from dvdup.compare.coarse import coarse_scores_of
from dvdup.compare.search import Known, Search

FIRST = 64
"""Cases of each of the two coarse lists of a case that are on its shortlist."""
_SPARE = 16  # cases behind them that are kept, for when some go

Scores = Mapping[str, Mapping[str, tuple[int, int]]]
"""By asking case, then by the other: its rank scores, `change` and `bag`."""


@dataclass(frozen=True, slots=True)
class Shortlists:
    """What is kept of a search."""

    coarse: Known = field(default_factory=Known)
    """Lists by coarse scores."""
    scores: Scores = field(default_factory=dict)
    """Of the cases on the shortlist of each case."""

    def update(
        self, search: Search, asking: Collection[str], others: Collection[str]
    ) -> Shortlists:
        """Bring all up to date.

        Args:
            search: Searches all pairs; says where rows come from.
            asking: Contents of the cases that ask now.
            others: Contents of the cases that they may find.
        """
        coarse = replace(search, scores=coarse_scores_of, most=FIRST + _SPARE)
        known = coarse.update(self.coarse, asking, others, FIRST)
        drawn = {content: _drawn(lists) for content, lists in known.nearest.items()}
        kept = {
            content: {each: scores[each] for each in drawn[content] if each in scores}
            for content, scores in self.scores.items()
            if content in drawn
        }
        missing = {
            content: names - kept.get(content, {}).keys() for content, names in drawn.items()
        }
        found = search.scored({content: names for content, names in missing.items() if names})
        scores = {
            content: dict(sorted({**kept.get(content, {}), **found.get(content, {})}.items()))
            for content in sorted(drawn)
        }
        return Shortlists(known, scores)

    def nearest(self, most: int = KEPT) -> dict[str, Nearest]:
        """The lists of every asking case by rank scores.

        Args:
            most: Entries of a list, at most.
        """
        return {
            content: _listed(self.coarse.nearest[content], scores, most)
            for content, scores in self.scores.items()
        }


def _drawn(lists: Nearest) -> set[str]:
    return {name for ranking in lists.rankings for _, name in ranking.entries[:FIRST]}


def _listed(coarse: Nearest, scores: Mapping[str, tuple[int, int]], most: int) -> Nearest:
    whole = len(scores) <= most and all(
        ranking.whole and len(ranking.entries) <= FIRST for ranking in coarse.rankings
    )
    rankings = (
        sorted((-each[place], name) for name, each in scores.items())[:most] for place in (0, 1)
    )
    return Nearest(*(Ranking(tuple(entries), whole) for entries in rankings))


def to_json(kept: Shortlists) -> str:
    """Shortlists as text, equal for equal ones; cases are named by their place among all."""
    others = sorted(kept.coarse.others)
    places = {name: place for place, name in enumerate(others)}
    lists = {
        content: [
            [[[score, places[name]] for score, name in ranking.entries], ranking.whole]
            for ranking in each.rankings
        ]
        for content, each in sorted(kept.coarse.nearest.items())
    }
    scores = {
        content: [[places[name], *each] for name, each in sorted(found.items())]
        for content, found in sorted(kept.scores.items())
    }
    return json.dumps({"others": others, "lists": lists, "scores": scores}, separators=(",", ":"))


def from_json(text: str) -> Shortlists:
    """Shortlists from what `to_json` gave."""
    values = json.loads(text)
    others = values["others"]
    nearest = {
        content: Nearest(
            *(
                Ranking(tuple((score, others[place]) for score, place in entries), whole)
                for entries, whole in lists
            )
        )
        for content, lists in values["lists"].items()
    }
    scores = {
        content: {others[place]: (change, bag) for place, change, bag in found}
        for content, found in values["scores"].items()
    }
    return Shortlists(Known(frozenset(others), nearest), scores)
