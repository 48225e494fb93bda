"""`dvdup export`: the fingerprints of a split in one file, for others to compare with theirs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvdup import hashing, store
from dvdup.commands.output import demand_output
from dvdup.commands.stale import stale_cases
from dvdup.compare.exports import keyed
from dvdup.compare.missed import Missed
from dvdup.compare.refs import Ref, find_ref
from dvdup.compare.small import Proxies
from dvdup.errors import InputError
from dvdup.records import Hooks, IndexedCase, Unreadable, as_unreadable
from dvdup.store import Header, IndexMeta, SharedCase
from dvdup.store.exported import SUFFIX
from dvdup.workspace import Workspace

_SHORTEST = 16
"""Characters of a passphrase, at least: who has the file can try short ones."""
_BLOCK = 64  # cases whose rows are in memory at once


@dataclass(frozen=True, slots=True)
class Written:
    """What was exported."""

    cases: int
    """That can be compared."""
    size: int
    """Bytes."""
    hashed: bool
    proxies: bool
    unchecked: tuple[Unreadable, ...]
    """Cases of which the file cannot tell: unreadable, or not as they were indexed."""


def passphrase(file: str | None, variable: str | None, environ: Mapping[str, str]) -> str | None:
    """The passphrase that two parties have agreed on; None if none is given.

    Args:
        file: A file that holds it; white space around it does not count.
        variable: The environment variable that holds it.
        environ: The environment.

    Raises:
        InputError: It cannot be read, or is too short.
    """
    if file is None and variable is None:
        return None
    if file is not None and variable is not None:
        raise InputError("give the key by --key or by --passphrase-env, not by both")
    if file is not None:
        try:
            with open(file, encoding="utf-8") as stream:
                found, where = stream.read(1 << 16).strip(), file
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the key {file}: {error}") from error
    else:
        found, where = environ.get(variable or "", "").strip(), f"the variable {variable}"
    if len(found) < _SHORTEST:
        raise InputError(
            f"{where} holds {len(found)} characters; a key that cannot be guessed has {_SHORTEST} "
            "or more, such as `openssl rand -hex 32` writes"
        )
    return found


def export(
    workspace: Workspace,
    file: Path,
    *,
    split: str | None = None,
    secret: str | None = None,
    proxies: bool = False,
    force: bool = False,
    hooks: Hooks | None = None,
) -> Written:
    """Write the fingerprints of one split: rows, keyed hashes, geometry; no names, no voxels.

    Args:
        workspace: Where the index is.
        file: Where to; its name ends with `.dvdup`.
        split: The split, or a version of it; None: the only one there is.
        secret: The passphrase that its hashes are made with; None: it holds no hashes.
        proxies: Whether small copies of the scans go along.
        force: Whether a file that is there is replaced.
        hooks: Progress, remarks, the wish to stop.

    Raises:
        InputError: There is no such split, or the file cannot be written.
        StoreError: There is no index, or it is damaged.
    """
    hooks = hooks or Hooks()
    _demand_target(workspace, file, force=force)
    index = workspace.open_index()
    ref = find_ref(index, split or _only_split(index.cases))
    stale = stale_cases(workspace, index, [ref])
    key = None if secret is None else hashing.shared_key(secret)
    header = Header(_without_place(index.meta), "" if key is None else hashing.key_id(key), proxies)
    missed = Missed()
    size = store.write_export(file, header, _shared(workspace, ref, key, header, missed, hooks))
    broken = [as_unreadable(case) for case in ref.cases if case.status != "ok"]
    broken += missed.unreadable
    return Written(len(ref.cases) - len(broken), size, key is not None, proxies, (*broken, *stale))


def _demand_target(workspace: Workspace, file: Path, *, force: bool) -> None:
    if file.suffix != SUFFIX:
        raise InputError(f"{file}: the name of an export ends with {SUFFIX}, by which it is known")
    if os.path.lexists(file) and not (force and file.is_file()):
        raise InputError(f"{file} is there already; --force replaces a file")
    demand_output(workspace, file)


def _only_split(cases: Sequence[IndexedCase]) -> str:
    names = sorted({case.split for case in cases})
    if len(names) != 1:
        raise InputError(f"name the split with --split: {', '.join(names) or 'the index is empty'}")
    return names[0]


def _without_place(meta: IndexMeta) -> IndexMeta:
    """The name of a checkpoint without the folders in which it lies here."""
    model, at, checkpoint = meta.embedder.name.partition("@")
    name = model + at + os.path.basename(checkpoint)
    return dataclasses.replace(meta, embedder=dataclasses.replace(meta.embedder, name=name))


def _shared(
    workspace: Workspace,
    ref: Ref,
    key: bytes | None,
    header: Header,
    missed: Missed,
    hooks: Hooks,
) -> Iterator[SharedCase]:
    """The cases of a split as others may see them, in order of their ids.

    Without a small copy where others have one a case counts as unreadable; `missed` is told.
    """
    names = _ids(workspace, ref.cases)
    own = workspace.sealed.key()
    small, done = Proxies(workspace.root, missed), 0
    for start in range(0, len(names), _BLOCK):
        block = [names[each] for each in sorted(names)[start : start + _BLOCK]]
        voting = [case for case in block if case.n_slices]
        rows = dict(zip((c.key for c in voting), ref.index.rows_of_many(voting), strict=True))
        shown = {case.key: case for case in voting}
        if header.proxies:
            shown = small.filled(ref.index.with_proxies([*shown]))
        for case in block:
            hooks.progress("exporting", done, len(names))
            done += 1
            if case.key in shown:
                yield _anonymous(shown[case.key], key, own), rows[case.key]
            else:
                yield _anonymous(_unknown(case), key, own), None
    hooks.progress("exporting", done, len(names))


def _ids(workspace: Workspace, cases: Sequence[IndexedCase]) -> dict[str, IndexedCase]:
    """The cases by what they are called in an export of this index."""
    own = workspace.sealed.key()
    return {_id_of(case, own): case for case in cases}


def _id_of(case: IndexedCase, own: bytes) -> str:
    """Which only who has the key of the index can make of a name."""
    name = f"{case.split}\0{case.case_id}".encode("utf-8", "surrogatepass")
    return hashing.seal(own, "export id", name)[:16]


def _unknown(case: IndexedCase) -> IndexedCase:
    """A case of which nothing goes along but that it is there."""
    return IndexedCase(case.split, case.case_id, (), status="unreadable")


def _anonymous(case: IndexedCase, key: bytes | None, own: bytes) -> IndexedCase:
    """A case without anything that names it or that a stranger could have made of its voxels."""
    content = hashing.seal(own, "export content", case.content.encode())[:32]
    hashed = (
        keyed(case, key)
        if key is not None
        else dataclasses.replace(case, voxel_hashes=(), value_hashes=(), slice_hashes=b"")
    )
    return dataclasses.replace(
        hashed,
        case_id=_id_of(case, own),
        split="",
        files=(),
        group=None,
        series=None,
        instances=b"",
        reason="",
        notes=(),
        content=content,
    )


def whose(workspace: Workspace, ids: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Which cases of this index some ids of its exports stand for.

    Args:
        workspace: Where the index is.
        ids: As others report them, with or without the name of the file before a slash.

    Returns:
        (id, `split/case`) each, in the order asked for.

    Raises:
        InputError: One is of no case.
    """
    index = workspace.open_any()
    known = _ids(workspace, index.cases)
    found = []
    for text in ids:
        case = known.get(text.rpartition("/")[2])
        if case is None:
            raise InputError(
                f"{text} is of no case of this index; it may have been exported from another one, "
                "or the case was renamed or removed since"
            )
        found.append((text, f"{case.split}/{case.case_id}"))
    return tuple(found)
