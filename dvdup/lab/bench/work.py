"""The work folder: what is finished stays, so that an interrupted bench goes on where it stopped.

```
<folder>/<key>/.gitignore       keeps it out of git; the folder itself may hold other things
<folder>/<key>/database.npz     rows of the unedited scans
<folder>/<key>/variants.*.npz   the rows that candidates are found by, where asked for
<folder>/<key>/queries.jsonl    one line a query, in the order in which they were finished
```

The key changes with everything that changes the answers, so nothing in here is ever out of date.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from dvdup.errors import InputError
from dvdup.lab.bench import variant_files
from dvdup.lab.bench.database import Database, join
from dvdup.lab.bench.plan import Line, Record, Task, variants_key
from dvdup.lab.bench.workers import Described


class Work:
    """The work of one method."""

    def __init__(self, folder: Path, key: str) -> None:
        """Open it, or begin it.

        Raises:
            InputError: The folder cannot be written.
        """
        self.folder = folder / key
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"cannot write {folder}: {error.strerror or error}; name another folder with --work"
            ) from error
        self._queries = self.folder / "queries.jsonl"
        self.records: dict[tuple[int, str, str], Record] = {}
        self.reload()

    @property
    def database_file(self) -> Path:
        """Where the database lies."""
        return self.folder / "database.npz"

    @property
    def variants_file(self) -> Path:
        """Where its variant rows lie."""
        return self.folder / f"variants.{variants_key()}.npz"

    def is_described(self, variants: bool) -> bool:
        """Whether an earlier run has finished the database, and the variants if they are needed."""
        if variants and not self.variants_file.is_file():
            return False
        try:
            Database.load(self.database_file)
        except (KeyError, OSError):
            return False
        return True

    def keep(self, cases: Sequence[Described]) -> None:
        """Write the database, and the variants if there are any."""
        variants = [case.variants for case in cases if case.variants is not None]
        if variants:
            variant_files.save(self.variants_file, variants)
        rows, channels = [case.embedding for case in cases], [case.channel for case in cases]
        join(rows, channels).save(self.database_file)

    def missing(self, task: Task, lines: Sequence[Line]) -> Task | None:
        """What of a task is still to be done, or None."""
        keys = {line.key for line in lines}
        open_ = tuple(
            edit
            for edit in task.edits
            if (found := self.records.get((task.scan, edit, task.level))) is None
            or not keys <= found.outcomes.keys()
        )
        return Task(task.scan, task.level, open_) if open_ else None

    def add(self, records: Iterable[Record]) -> None:
        """Keep finished queries; a line that was cut off by a kill is skipped when read."""
        lines = [json.dumps(record.to_json(), sort_keys=True) + "\n" for record in records]
        with self._queries.open("a", encoding="utf-8", newline="\n") as stream:
            stream.write("".join(lines))

    def reload(self) -> tuple[Record, ...]:
        """All finished queries, sorted; what later lines add to a query is merged."""
        merged: dict[tuple[int, str, str], Record] = {}
        for record in self._read():
            key = (record.scan, record.edit, record.level)
            old = merged.get(key)
            outcomes = {**(old.outcomes if old else {}), **record.outcomes}
            first = old or record
            merged[key] = Record(*key, first.n_slices, first.seconds, outcomes)
        self.records = merged
        return tuple(merged[key] for key in sorted(merged))

    def _read(self) -> list[Record]:
        if not self._queries.is_file():
            return []
        found = []
        text = self._queries.read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            try:
                found.append(Record.from_json(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        if text and not text.endswith("\n"):  # the next line must not be glued to a torn one
            with self._queries.open("a", encoding="utf-8", newline="\n") as stream:
                stream.write("\n")
        return found
