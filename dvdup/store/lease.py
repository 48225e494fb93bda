"""One writing machine at a time: a lock that is an object on the store.

The lock is the object with the highest number below `lock/`. Who wants it writes the next number,
which the store lets one of them do; so nothing is asked of the store but that it does not overwrite
what it is told not to. The holder writes its object anew every few seconds: a lock that does not
change for longer than `EXPIRES` is that of a machine that has gone, and may be followed by the next
number. Time is measured by the clock of who waits alone.

A holder that was only asleep finds another number there and writes nothing more. What it had sent
already meets the commit of the other machine, and Lance lets one of the two pass (`writer`).
"""

from __future__ import annotations

import json
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from dvdup.errors import StoreError
from dvdup.objects import ObjectFolder

FOLDER = "lock"
EXPIRES = 60.0
"""Seconds without a sign of the holder after which its lock may be taken."""
BEAT = 10.0
"""Seconds between two signs."""
_POLL = 1.0
_MACHINE = "machine"
"""A local file with a name for this machine that says nothing about it."""
_NAME = re.compile(r"[0-9a-f]{16}")


@dataclass(slots=True)
class RemoteLease:
    """A lock on an index that is held, or was."""

    objects: ObjectFolder
    owner: str
    number: int
    _beats: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def demand(self) -> None:
        """Make sure that it is held still.

        Raises:
            StoreError: Another command has taken over, the index was deleted, or the store does not
                answer.
        """
        newest = _newest(self.objects)
        if newest is None or newest.number != self.number:
            raise StoreError(
                f"the index in {self.objects.uri} was deleted, or taken over by another machine, "
                "while this command wrote to it; nothing more is written, run it again"
            )

    def beat(self) -> None:
        """Write a sign every few seconds until the lock is given back."""
        while not self._over.wait(BEAT):
            self._beats += 1
            with suppress(StoreError):  # `demand` tells it, before the next commit
                self.objects.replace(_name(self.number), _content(self.owner, self._beats))

    def forget(self) -> None:
        """The lock has been deleted, with the rest of the index."""
        self._over.set()

    def give_back(self) -> None:
        """Let the next one have it; where the store does not answer it expires by itself."""
        if not self._over.is_set():
            self._over.set()
            with suppress(StoreError):
                self.objects.replace(_name(self.number), _content("", 0))


@dataclass(frozen=True, slots=True)
class _Seen:
    """The newest lock, as it was seen."""

    number: int
    content: bytes

    @property
    def owner(self) -> str:
        """Who holds it; "" if nobody does."""
        try:
            return str(json.loads(self.content)["owner"])
        except (ValueError, KeyError, TypeError):
            return "?"


@contextmanager
def leased(
    objects: ObjectFolder, local: Path, waiting: Callable[[], None]
) -> Iterator[RemoteLease]:
    """Hold the lock of an index, and keep it while the block runs.

    Args:
        objects: The index.
        local: This machine's folder for it, whose local lock is held: so a lock of this machine is
            that of a command that was killed.
        waiting: Called once, before waiting, if another machine holds it.

    Raises:
        StoreError: The store cannot be asked, or is of a kind that loses commits.
    """
    lease = _acquired(objects, _machine(local), waiting)
    beating = threading.Thread(target=lease.beat, daemon=True)
    beating.start()
    try:
        yield lease
    finally:
        lease.give_back()
        beating.join()


def _acquired(objects: ObjectFolder, owner: str, waiting: Callable[[], None]) -> RemoteLease:
    told, seen, since = False, None, time.monotonic()
    while True:
        newest = _newest(objects)
        if newest != seen:
            seen, since = newest, time.monotonic()
        if newest is None or newest.owner in ("", owner) or time.monotonic() - since > EXPIRES:
            lease = _taken(objects, owner, newest.number + 1 if newest is not None else 1)
            if lease is not None:
                return lease
            continue
        if not told:
            waiting()
        told = True
        time.sleep(_POLL)


def _taken(objects: ObjectFolder, owner: str, number: int) -> RemoteLease | None:
    """Write a number and look whether it is the highest: one that is late may write a lower one."""
    if not objects.create(_name(number), _content(owner, 0)):
        return None
    numbers = _numbers(objects)
    if max(numbers) != number:
        objects.delete([_name(number)])
        return None
    objects.delete(_name(each) for each in numbers if each < number)
    return RemoteLease(objects, owner, number)


def _newest(objects: ObjectFolder) -> _Seen | None:
    number = max(_numbers(objects), default=None)
    content = objects.read(_name(number)) if number is not None else None
    return _Seen(number, content) if number is not None and content is not None else None


def _numbers(objects: ObjectFolder) -> list[int]:
    names = (found.name.rpartition("/")[2] for found in objects.found(FOLDER))
    return [int(name) for name in names if name.isdecimal()]


def _name(number: int) -> str:
    return f"{FOLDER}/{number:012d}"


def _content(owner: str, beats: int) -> bytes:
    return json.dumps({"owner": owner, "beats": beats}).encode()


def unwritable(local: Path, error: OSError) -> StoreError:
    """What to say where this machine's folder for an index cannot be written."""
    return StoreError(
        f"cannot write {local}, where locks and caches of an index on an object store lie: "
        f"{error.strerror or error}; make it writable, or set XDG_CACHE_HOME to another folder"
    )


def _machine(local: Path) -> str:
    """A name for this machine: random, and of the host, as home folders are shared."""
    file = local / _MACHINE
    try:
        name = file.read_bytes().decode("ascii", "replace") if file.is_file() else ""
        if not _NAME.fullmatch(name):  # none yet, or the disk was full
            name = secrets.token_hex(8)
            file.write_text(name, encoding="ascii")
    except OSError as error:
        raise unwritable(local, error) from error
    return f"{name}-{_short_hash(socket.gethostname())}"


def _short_hash(text: str) -> str:
    from dvdup.hashing import text_hash

    return text_hash(text)[:8]
