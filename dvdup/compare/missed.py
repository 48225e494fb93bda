"""What a comparison wanted to look at and could not, gathered while it runs.

A case whose files cannot be read has not been checked, and the report says so. Where files have
gone or changed since they were indexed (old versions, a drive that is not there) the small copies
in the index must do; that is said beside the report, and such an answer is not kept for a day when
the files are back.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from dvdup import readers
from dvdup.files import Verified, holds_what_was_indexed
from dvdup.records import IndexedCase, Key, Say, Unreadable, Volume, as_unreadable, case_of
from dvdup.rows import is_row
from dvdup.sealed import nowhere

NO_ROOM = "there is not enough memory to compare it in full; use fewer processes (--jobs 1)"

_ARRAYS = Verified(nowhere())
"""Files that many cases lie in, so that they are hashed once in a process and not once a row."""


@dataclass(slots=True)
class Missed:
    """Cases that were not seen as they should have been."""

    _failed: dict[Key, Unreadable] = field(default_factory=dict)
    _away: set[tuple[Key, tuple[str, ...]]] = field(default_factory=set)

    def failed(self, case: IndexedCase, reason: str) -> None:
        """Its files are there and cannot be read."""
        self._failed[case.key] = as_unreadable(dataclasses.replace(case, reason=reason))

    def away(self, case: IndexedCase) -> None:
        """Its files are gone, or hold something else by now; a case of an export has none."""
        if not case.files:
            return
        self._away.add((case.key, case.paths))

    @property
    def nothing(self) -> bool:
        """Whether everything was seen, so that the answer may be kept."""
        return not self._failed and not self._away

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """Cases that were not checked, sorted."""
        return tuple(self._failed[key] for key in sorted(self._failed))

    def tell(self, say: Say) -> None:
        """Say of how many cases the files were away."""
        n = len(self._away)
        if n:
            say(
                f"note: the files of {'1 case' if n == 1 else f'{n:,} cases'} are gone or have "
                "changed since they were indexed; small copies in the index stood in for them, "
                "which show turned copies and parts less well"
            )


def volume_of(root: Path, case: IndexedCase) -> Volume | None:
    """Read a case as it was indexed; None if its files are not those any more.

    Raises:
        ReadError: They may well be, and cannot be read.
    """
    known = _ARRAYS if is_row(case.series) else None
    if not holds_what_was_indexed(root, case.files, case.paths, known):
        return None
    return readers.read_volume(root, case_of(case))
