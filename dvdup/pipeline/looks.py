"""Candidates that slices show only when they are turned, mirrored, resized or cropped first.

The slices of a case are embedded again in each look of `variants`, and each look asks the other
side for its lead; then as a part of the others, and as others that are a part (`crops`). The best
answer counts. That is for choosing candidates alone: the scores of a report know no looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from dvdup import match, variants
from dvdup.match import Block, Side
from dvdup.pipeline import crops
from dvdup.pipeline.kept import CROPS, LOOKS, Changed, Kept, kept_folder, load, n_slices
from dvdup.pipeline.workspace import Workspace
from dvdup.records import IndexedCase, Progress, no_progress
from dvdup.store import IndexMeta

Key = tuple[str, str]
Pair = tuple[Key, Key]

CHEAP = ("builtin", "thumbnail")
"""Embedders that embed a scan several times in less than it takes to verify a pair."""

_NAMES = tuple(variants.LOOKS)


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
        with kept_folder(self.workspace.folder) as folder:
            kept = Kept(folder, self.workspace, self.meta, self.progress, self.should_stop)
            kept.make([(LOOKS, asking), (CROPS, asking), (CROPS, others)])
            turned = match.leads(_side(kept.files(LOOKS, asking)), side)
            parts = crops.leads(kept.files(CROPS, asking), kept.files(CROPS, others), side)
            for query, case, lead, similarity in chain(turned, parts):
                old = found.get((query, case), Led(0.0, -1.0))
                best = Led(max(old.lead, lead), max(old.similarity, similarity))
                found[query, case] = best
        return found


def _side(files: Mapping[Key, Path]) -> Side:
    """Every look of every case as a case of its own, under the key of the case."""
    order = [(key, look) for key in files for look in _NAMES]
    counts = {key: n_slices(file) or 0 for key, file in files.items()}

    def blocks(codes: Sequence[int]) -> Iterator[Block]:
        last: tuple[Key, Changed] | None = None
        for code in codes:
            key, look = order[code]
            if last is None or last[0] != key:
                last = key, load(files[key], LOOKS)
            case = last[1]
            rows = variants.pick(case.rows, case.plane, look)
            yield rows, np.full(len(rows), code, np.int32), case.channel

    return Side(
        keys=tuple(key for key, _ in order),
        n_slices=tuple(counts[key] for key, _ in order),
        blocks=blocks,
    )
