"""What one command knows and holds of object stores; the functions that the other rooms call."""

from __future__ import annotations

import errno
import functools
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from dvdup.config.settings import ReadConfig
from dvdup.config.uris import is_object_uri
from dvdup.errors import ReadError
from dvdup.hashing import text_hash
from dvdup.objects import endpoint, user_folder
from dvdup.remote.cache import Cache
from dvdup.remote.desk import Desk
from dvdup.remote.listing import Listing
from dvdup.remote.stand_ins import StandIns
from dvdup.remote.stores import Seen, Stores, gone

_AT_ONCE = 8  # objects of one case that are fetched at a time


class Session:
    """Listings, cache and desk of one command."""

    def __init__(self, limit: int) -> None:
        """Touch nothing yet.

        Args:
            limit: Bytes of the cache.
        """
        self._stores = Stores()
        self.listing = Listing(self._stores)
        self._limit = limit
        self._laid: dict[str, set[Path]] = {}
        self._busy: dict[str, Lock] = {}
        self._lock = Lock()

    @functools.cached_property
    def stand_ins(self) -> StandIns:
        """The folders that stand for stores."""
        return StandIns(self.listing, self._place("tree"))

    def uri_of(self, path: str) -> str | None:
        """As the function `uri_of`."""
        return self.stand_ins.uri(path) if "stand_ins" in vars(self) else None

    def close(self) -> None:
        """Take the stand-ins away."""
        if "stand_ins" in vars(self):
            shutil.rmtree(self.stand_ins.folder, ignore_errors=True)

    @contextmanager
    def held(self, uris: Sequence[str], first: int | None = None) -> Iterator[tuple[Path, ...]]:
        """Have objects, or whole folders, as files of this machine for a while.

        Their names and the folders that they lie in are as in the store, so that one can name
        another. While they are held, asking again for one of them costs nothing.

        Args:
            uris: Their addresses.
            first: How many bytes of each are enough; None: all.

        Raises:
            ReadError: One is not there, or cannot be read.
        """
        place = self._place("case")
        whole = {uri: self.files_of(uri) for uri in uris}
        wanted = {each: seen for inside in whole.values() for each, seen in inside.items()}
        try:
            self._lay_all(place, wanted, first)
            yield tuple(_below(place, uri) for uri in uris)
        finally:
            with self._lock:
                for laid in self._laid.values():
                    laid -= {each for each in laid if each.is_relative_to(place)}
                self._laid = {key: laid for key, laid in self._laid.items() if laid}
            shutil.rmtree(place, ignore_errors=True)

    def files_of(self, uri: str) -> dict[str, Seen]:
        """The objects that an address stands for: itself, or all of a folder.

        Raises:
            ReadError: There is nothing, or the store cannot be asked.
        """
        seen = self.listing.look(uri)
        if seen is None:
            raise gone(uri)
        return self.listing.below(uri) if seen.is_folder else {uri: seen}

    def _lay_all(self, place: Path, wanted: dict[str, Seen], first: int | None) -> None:
        if len(wanted) < 2:
            for uri, seen in wanted.items():
                self._lay(place, uri, seen, first)
            return
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            done = [pool.submit(self._lay, place, uri, seen, first) for uri, seen in wanted.items()]
            try:
                for each in done:
                    each.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _lay(self, place: Path, uri: str, seen: Seen, first: int | None) -> None:
        """Put the content of an object into a folder, from wherever it is nearest."""
        target = _below(place, uri)
        first = None if first is None or seen.size <= first else first
        named = f"{endpoint()}\0{uri}\0{seen.size}\0{seen.version}"
        key = text_hash(named if first is None else f"{named}\0{first}")
        with self._lock:
            own = self._busy.setdefault(key, Lock())
        with own:
            _make_folder(target.parent)
            if not self._linked(key, target) and not self._cache.take(
                key, seen.size if first is None else first, target
            ):
                self._fetch(uri, seen, target, first)
                self._cache.keep(key, target)
            with self._lock:
                self._laid.setdefault(key, set()).add(target)

    def _linked(self, key: str, target: Path) -> bool:
        with self._lock:
            laid = tuple(self._laid.get(key, ()))
        for each in laid:
            with suppress(OSError):
                os.link(each, target)
                return True
        return False

    def _fetch(self, uri: str, seen: Seen, target: Path, first: int | None) -> None:
        try:
            got = self._stores.fetch(uri, target, first)
        except ReadError as error:
            if not _is_full(error) or not self._gave_way():
                raise
            got = self._stores.fetch(uri, target, first)
        if got != seen:
            self.listing.replace(uri, got)
            raise ReadError(f"{uri} changed while it was read; run it again")

    def _gave_way(self) -> bool:
        with suppress(OSError):
            return self._cache.give_way()
        return False

    def _place(self, name: str) -> Path:
        try:
            return _desk(self._folder).place(name)
        except OSError as error:
            raise _no_room(error) from error

    @functools.cached_property
    def _cache(self) -> Cache:
        return Cache(self._folder, self._limit)

    @functools.cached_property
    def _folder(self) -> Path:
        return user_folder("a dataset on an object store") / "data"


@functools.lru_cache(maxsize=1)
def _desk(folder: Path) -> Desk:
    """The desk of this process, for all its commands."""
    return Desk(folder)


def _below(place: Path, uri: str) -> Path:
    scheme, _, rest = uri.partition("://")
    return place / scheme / rest


def _is_full(error: ReadError) -> bool:
    """Whether something could not be written because the disk is full."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_room(error) from error


def _no_room(error: OSError) -> ReadError:
    return ReadError(
        "scans on an object store need a place in the cache folder of the user, which cannot be "
        f"written: {(error.strerror or type(error).__name__).lower()}; make it writable, or set "
        "XDG_CACHE_HOME to another folder"
    )


_limit = ReadConfig().cache_bytes
_session: Session | None = None
_making = Lock()


def begin(limit: int) -> None:
    """Forget what stores have said, for a new command of this process.

    Args:
        limit: Bytes of the local cache, the setting `read.cache_bytes`.
    """
    global _limit, _session
    with _making:
        _limit = limit
        if _session is not None:
            _session.close()
        _session = None


def cache_bytes() -> int:
    """What `begin` was last called with."""
    return _limit


def _now() -> Session:
    global _session
    with _making:
        if _session is None:
            _session = Session(_limit)
        return _session


def look(name: str) -> Seen | None:
    """What there is at an address, an object or a folder; None if there is nothing.

    Raises:
        ReadError: The store cannot be asked.
    """
    return _now().listing.look(name)


def is_missing(name: str) -> bool:
    """Whether there is nothing at an address; a store that cannot be asked proves nothing."""
    try:
        return look(name) is None
    except ReadError:
        return False


@contextmanager
def at_hand(
    root: Path, names: Sequence[str], first: int | None = None
) -> Iterator[tuple[Path, ...]]:
    """Have the files of a case on this machine for a while.

    Args:
        root: What names are relative to that are no addresses.
        names: As in `Case.files`.
        first: How many bytes of each remote one are enough; None: all.

    Yields:
        Their paths: those below the root as they are, whether they are there or not.

    Raises:
        ReadError: A remote one is not there, or cannot be read; says which and what to do.
    """
    uris = [name for name in names if is_object_uri(name)]
    if not uris:
        yield tuple(root / name for name in names)
        return
    with _now().held(uris, first) as held:
        here = dict(zip(uris, held, strict=True))
        yield tuple(here.get(name) or root / name for name in names)


def path_of(uri: str) -> str:
    """Where stand-ins of an address and of what is below or beside it lie, made if need be.

    Raises:
        InputError: An object has a name that no file can have.
        ReadError: The store cannot be asked.
    """
    return _now().stand_ins.path(uri)


def uri_of(path: str | Path) -> str | None:
    """The address that stands at a path; None for a path of this machine."""
    session = _session
    return None if session is None else session.uri_of(str(path))


def is_known(uri: str) -> bool:
    """Whether an object has been seen in this command, so that its address is one."""
    return _session is not None and _session.listing.known(uri)


def size_of(path: str | Path) -> int:
    """Bytes of a file, of what it stands for if it is a stand-in.

    Raises:
        OSError: It is not there.
    """
    uri = uri_of(path)
    seen = look(uri) if uri is not None else None
    return os.path.getsize(path) if seen is None else seen.size


@contextmanager
def opened(path: str | Path, first: int | None = None) -> Iterator[None]:
    """Have the content in the place of a stand-in for a while; does nothing to other paths.

    Args:
        path: Of a file, or of a folder as a whole.
        first: How many bytes of each file are enough; None: all.

    Raises:
        ReadError: The content cannot be read.
    """
    uri = uri_of(path)
    if uri is None or is_missing(uri):
        yield
        return
    session = _now()
    names = tuple(session.files_of(uri))
    with (
        session.held(names, first) as held,
        session.stand_ins.filled(dict(zip(names, held, strict=True))),
    ):
        yield
