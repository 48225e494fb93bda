"""Candidates that slices show only when they are turned, mirrored, resized or cropped first.

The slices of a case are embedded again in each look of `variants`, and each look asks the other
side for its lead; then as a part of the others, and as others that are a part. The best answer
counts. That is for choosing candidates alone: the scores of a report know no looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from dvdup import variants
from dvdup.match import Side
from dvdup.pipeline import planes
from dvdup.pipeline.kept import CROPS, LOOKS, Kept, Kind, kept_files
from dvdup.pipeline.missed import Missed
from dvdup.pipeline.planes import Cases
from dvdup.pipeline.workspace import Workspace
from dvdup.records import IndexedCase, Progress, no_progress
from dvdup.store import IndexMeta

Key = tuple[str, str]
Pair = tuple[Key, Key]
Told = tuple[Key, Key, float, float]
"""Asking case, other case, lead, similarity."""

CHEAP = ("builtin", "thumbnail")
"""Embedders that embed a scan several times in less than it takes to verify a pair."""


def embeds_cheaply(embedder: str) -> bool:
    """Whether an embedder, by its full name, is one of `CHEAP`."""
    return embedder.partition("@")[0] in CHEAP


@dataclass(frozen=True, slots=True)
class Led:
    """How a case looks for another one in the best of its looks."""

    lead: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Looking:
    """What it takes to look again."""

    workspace: Workspace
    meta: IndexMeta
    progress: Progress = no_progress
    should_stop: Callable[[], bool] = lambda: False
    missed: Missed = field(default_factory=Missed)
    """Is told which files could not be had."""

    @property
    def possible(self) -> bool:
        """Whether the embedder is fast enough."""
        return embeds_cheaply(self.meta.embedder.name)

    def leads(
        self, asking: Sequence[IndexedCase], others: Sequence[IndexedCase], side: Side
    ) -> dict[Pair, Led]:
        """Ask for the candidates of some cases.

        Args:
            asking: Voting cases; those whose files are gone or have changed are left out.
            others: Voting cases that they may find; as parts only while their files are there.
            side: The rows of `others`.

        Returns:
            (asking case, other case) -> its best look, for the pairs worth keeping.

        Raises:
            Interrupted: `should_stop` said so.
        """
        if not asking or not others or not self.possible:
            return {}
        found: dict[Pair, Led] = {}
        with kept_files(self.workspace.sealed) as sealed:
            kept = Kept(
                sealed, self.workspace, self.meta, self.progress, self.should_stop, self.missed
            )
            kept.make([(LOOKS, asking), (CROPS, asking), (CROPS, others)])
            for query, case, lead, similarity in chain(
                _turned(_cases(kept, LOOKS, asking), side),
                _parts(_cases(kept, CROPS, asking), _cases(kept, CROPS, others), side),
            ):
                old = found.get((query, case), Led(0.0, -1.0))
                best = Led(max(old.lead, lead), max(old.similarity, similarity))
                found[query, case] = best
        return found

    def tidy(self, cases: Sequence[IndexedCase]) -> None:
        """Delete what is kept of cases that the index no longer holds.

        Args:
            cases: All that it holds.
        """
        Kept(self.workspace.sealed, self.workspace, self.meta).prune((LOOKS, CROPS), cases)


def _cases(kept: Kept, kind: Kind, cases: Sequence[IndexedCase]) -> Cases:
    return Cases(kept, kept.files(kind, cases), kind)


def _turned(asking: Cases, side: Side) -> Iterator[Told]:
    """Ask in every look."""
    units = asking.units()
    return planes.leads(LOOKS.table, units, lambda change: (asking.planes(units, change), side))


def _parts(asking: Cases, others: Cases, side: Side) -> Iterator[Told]:
    """Ask as a part of others, and as others that are a part."""
    units, theirs = asking.units(), others.units()
    as_it_is = asking.planes(units, variants.SAME)
    yield from planes.leads(CROPS.table, units, lambda crop: (as_it_is, others.whole(theirs, crop)))
    yield from planes.leads(CROPS.table, units, lambda crop: (asking.planes(units, crop), side))
