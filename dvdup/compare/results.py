"""Stored results: a comparison whose inputs have not changed is read, not computed.

The key is a hash over everything that changes a result: for each ref the ids, groups, contents,
hashes, status and paths of its cases; the embedder, the recipe, the thresholds, and the source of
the modules that compare. What is applied afterwards (`--fail-on`) is not part of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any

from dvdup import __version__
from dvdup.compare.refs import Ref
from dvdup.errors import InputError
from dvdup.fingerprint import code_fingerprint
from dvdup.records import IndexedCase, Report
from dvdup.report.json import from_json, to_json
from dvdup.sealed import SealedFiles
from dvdup.store import IndexMeta

CODE = (
    *(
        "cache",
        "compare",
        "files",
        "pointers",
        "records",
        "report.json",
        "report.sentences",
        "slicing",
        "variants",
        "verify",
    ),
    *("voxels", "workers", "workspace"),
)
"""The modules whose source is part of what a result depends on."""
FOLDER = "results"
_NAME = re.compile(r"[0-9a-f]{32}\.json")
"""How results are named; other files in their folder are not dvdup's."""
_KEPT = 64  # results that stay in the folder, the newest


def key_of(
    refs: Sequence[Ref], pairs: Iterable[tuple[int, int]], meta: IndexMeta, limits: dict[str, Any]
) -> str:
    """Name of the result of comparing some pairs (positions) of refs; blake2b-128 hex."""
    digest = hashlib.blake2b(digest_size=16)
    what = [[list(pair) for pair in pairs], [astuple(ref.info) for ref in refs]]
    digest.update((salt_of(meta, limits) + json.dumps(what)).encode())
    for ref in refs:
        for case in ref.cases:
            digest.update(repr(_inputs(case)).encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()


def salt_of(meta: IndexMeta, limits: dict[str, Any], code: Sequence[str] = CODE) -> str:
    """Everything that changes an answer besides the cases, as text.

    Args:
        meta: Of the index.
        limits: The thresholds.
        code: The modules that make the answer.
    """
    what = {
        "dvdup": __version__,
        "code": code_fingerprint(*code),
        "embedder": [meta.embedder.name, meta.embedder.weights_hash],
        "recipe": meta.recipe_hash,
        "thresholds": limits,
    }
    return json.dumps(what, sort_keys=True)


def _inputs(case: IndexedCase) -> tuple[Any, ...]:
    return (
        *(case.split, case.case_id, case.group, case.status, case.reason, case.paths),
        *(
            case.content,
            case.voxel_hashes,
            case.checksum,
            case.n_slices,
            case.recorded,
            case.instances,
        ),
    )


def read(sealed: SealedFiles, key: str) -> Report | None:
    """The result named `key`, or None."""
    name = _name(key)
    payload = sealed.read(name)
    if payload is None:
        return None
    try:
        report = from_json(payload.decode())
    except (ValueError, InputError):  # of an older version
        return None
    with suppress(OSError):
        os.utime(sealed.path(name) or name)
    return report


def keep(sealed: SealedFiles, key: str, made: Report, *, lasting: bool) -> Report:
    """Keep a result if it may be kept.

    Returns:
        The result on its way through JSON, so that a fresh one renders as a stored one does.
    """
    text = to_json(made)
    if lasting:
        _write(sealed, _name(key), text)
    return from_json(text)


def _name(key: str) -> str:
    return f"{FOLDER}/{key}.json"


def _write(sealed: SealedFiles, name: str, text: str) -> None:
    """Write a result and drop the oldest ones; a folder that cannot be written costs time only."""
    with suppress(OSError):
        sealed.write(name, text.encode())
        path = sealed.path(name)
        if path is None:
            return
        ours = files_in(path.parent)
        for old in sorted(ours, key=lambda file: file.stat().st_mtime_ns)[:-_KEPT]:
            old.unlink()


def files_in(folder: Path) -> list[Path]:
    """The stored results in a folder, sorted by name; others' files are not among them."""
    with suppress(OSError):
        return sorted(file for file in folder.iterdir() if _NAME.fullmatch(file.name))
    return []
