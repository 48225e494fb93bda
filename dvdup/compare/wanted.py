"""Which of the answers that are kept beside the index somebody may ask for again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dvdup.compare import results
from dvdup.compare.variant_store import network_of
from dvdup.compare.walk import CODE
from dvdup.errors import InputError
from dvdup.fingerprint import code_fingerprint
from dvdup.records import Key, Report
from dvdup.report.json import from_json
from dvdup.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the versions of an index that stay hold, and are called."""

    contents: frozenset[str]
    """The contents of all cases."""
    keys: frozenset[Key]
    """(split, case_id) of all cases."""
    versions: frozenset[str]
    """Tags and numbers, as they may stand behind an @."""

    def variants(self, workspace: Workspace) -> set[str]:
        """The keys of the variant rows that the present network makes of these contents."""
        network = network_of(workspace)
        return {network.name_of(content) for content in self.contents}

    def answer(self, name: tuple[str, ...]) -> bool:
        """Whether an answer may be asked for again, from the name that it was kept under.

        Args:
            name: What it is, then what it depends on, as `keep_pair`, `Candidates` and `calibrate`
                make it; by a name that begins otherwise nobody asks.
        """
        kind, *parts = name
        if kind in ("pair", "strangers"):
            return self.contents.issuperset(parts)
        if kind == "edited":
            return parts[0] in self.contents
        if kind != "nearest":
            return False
        _, code, _, *refs = parts[:5]  # behind the refs stands which of them asks, and how
        return code == code_fingerprint(*CODE) and all(map(self._knows, refs))

    def result(self, report: Report) -> bool:
        """Whether a stored result can still be that of a comparison."""
        named = {(side.split, side.case) for pair in report.pairs for side in (pair.a, pair.b)}
        named |= {(case.split, case.case) for case in report.unreadable}
        named = {key for key in named if key[0]}  # a file that was looked up is in no split
        return named <= self.keys and all(self._knows(ref.ref) for ref in report.refs)

    def _knows(self, ref: str) -> bool:
        split, at, version = ref.partition("@")
        there = {key[0] for key in self.keys}
        return (split in there or not split) and (not at or version in self.versions)


def lost_results(workspace: Workspace, wanted: Wanted) -> list[Path]:
    """Stored results that nobody may ask for again, or that are not believed; sorted."""
    folder = workspace.sealed.path(results.FOLDER)
    files = results.files_in(folder) if folder is not None else []
    return [file for file in files if not _is_wanted(workspace, file, wanted)]


def _is_wanted(workspace: Workspace, file: Path, wanted: Wanted) -> bool:
    payload = workspace.sealed.read(f"{results.FOLDER}/{file.name}")
    with suppress(ValueError, InputError):
        return payload is not None and wanted.result(from_json(payload.decode()))
    return False
