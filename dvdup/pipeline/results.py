"""Stored results: a comparison whose inputs have not changed is read, not computed.

The key is a hash over everything that changes a result: for each ref the ids, groups, contents,
hashes, status and paths of its cases; the embedder, the recipe, the thresholds, and the number of
this format. What is applied afterwards (`--fail-on`) is not part of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dvdup import __version__
from dvdup.errors import InputError
from dvdup.pipeline.refs import Ref
from dvdup.records import IndexedCase, Report
from dvdup.report.json import from_json, to_json
from dvdup.store import IndexMeta

FORMAT = 8
"""Grows when findings are made otherwise from the same inputs."""
_KEPT = 64  # results that stay in the folder, the newest


def key_of(
    refs: Sequence[Ref], pairs: Iterable[tuple[int, int]], meta: IndexMeta, limits: dict[str, Any]
) -> str:
    """Name of the result of comparing some pairs (positions) of refs; blake2b-128 hex."""
    digest = hashlib.blake2b(digest_size=16)
    what = [[list(pair) for pair in pairs], [ref.info.ref for ref in refs]]
    digest.update((salt_of(meta, limits) + json.dumps(what)).encode())
    for ref in refs:
        for case in ref.cases:
            digest.update(repr(_inputs(case)).encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()


def salt_of(meta: IndexMeta, limits: dict[str, Any]) -> str:
    """Everything that changes a result besides the cases, as text."""
    what = {
        "dvdup": __version__,
        "format": FORMAT,
        "embedder": [meta.embedder.name, meta.embedder.weights_hash],
        "recipe": meta.recipe_hash,
        "thresholds": limits,
    }
    return json.dumps(what, sort_keys=True)


def _inputs(case: IndexedCase) -> tuple[Any, ...]:
    return (
        *(case.split, case.case_id, case.group, case.status, case.reason, case.paths),
        *(case.content, case.voxel_hashes, case.checksum, case.n_slices),
    )


def stored_or_made(folder: Path, key: str, make: Callable[[], tuple[Report, bool]]) -> Report:
    """Read the result named `key`, or make it, and keep it if it says that it may be kept.

    A fresh result takes the same way through JSON as a stored one, so that both render alike.
    """
    file = folder / "results" / f"{key}.json"
    report = _read(file)
    if report is None:
        made, lasting = make()
        text = to_json(made)
        report = from_json(text)
        if lasting:
            _keep(file, text)
    return report


def _read(file: Path) -> Report | None:
    try:
        report = from_json(file.read_text(encoding="utf-8"))
        os.utime(file)
    except (OSError, ValueError, InputError):  # missing, damaged or read-only: make it again
        return None
    return report


def _keep(file: Path, text: str) -> None:
    """Write a result and drop the oldest ones; a folder that cannot be written costs time only."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=file.parent, suffix=".tmp", delete=False, encoding="utf-8"
        ) as stream:
            stream.write(text)
        os.replace(stream.name, file)
        results = sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        for old in results[:-_KEPT]:
            old.unlink()
