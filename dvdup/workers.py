"""Where work is done: worker processes and threads, what they inherit, how work is spread.

A `Runner` gives `Crew`s, and whoever has work hands it to one; so nobody but the workspace knows
whether it is done in threads and processes of this machine (`Local`) or on a cluster
(`cluster.OnRay`).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Generic, Protocol, TypeVar

from dvdup import log, remote
from dvdup.errors import InputError
from dvdup.readers import limits
from dvdup.records import READER_THREADS

T = TypeVar("T")
R = TypeVar("R")

FEW = 8
"""Items that are not worth starting workers for."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True, slots=True)
class Crew:
    """Workers that are ready, and how they are best given work."""

    pool: Executor | None
    """None: the work is done in this thread."""
    ahead: Callable[[], int]
    """How many blocks are handed out at a time, so that memory is bounded."""
    block: int = 1
    """Items that are handed out together."""
    elsewhere: bool = False
    """Whether they are not in this process and may be on other machines: they load what they need
    themselves, and see the files of the machine that they are on."""

    def finished(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[T, R]]:
        """Do some work; yields (item, result) as blocks are finished, see `spread`.

        Args:
            function: Importable by name, or an object of which that is true.
            items: Work for it.
            should_stop: Asked before a block is begun.
        """
        if self.pool is None:
            for item in items:
                if should_stop():
                    return
                yield item, function(item)
            return
        each = Each(function)
        for blocks in _unless_empty(_blocks(items, self.block)):
            for block, results in spread(self.pool, each, blocks, self.ahead(), should_stop):
                yield from zip(block, results, strict=True)

    def in_order(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        is_done: Callable[[Future[list[R]]], bool] = lambda future: True,
    ) -> Iterator[R]:
        """Do some work, a few blocks ahead; yields results in the order of the items.

        Args:
            function: As for `finished`.
            items: Work for it.
            is_done: Waits for a block; if it says no, nothing more is yielded.
        """
        assert self.pool is not None  # readers are never this thread
        each, pool = Each(function), self.pool
        waiting: deque[Future[list[R]]] = deque()
        for blocks in _unless_empty(_blocks(items, self.block)):
            waiting.extend(pool.submit(each, one) for one in islice(blocks, self.ahead()))
            while waiting:
                future = waiting.popleft()
                if not is_done(future):
                    return
                waiting.extend(pool.submit(each, one) for one in islice(blocks, 1))
                yield from future.result()


class Runner(Protocol):
    """Where the work of a command is done. What comes out is the same everywhere."""

    def cores(self) -> int:
        """How many items it works on at a time, to tell how long it takes."""

    def readers(self, n: int) -> AbstractContextManager[Crew]:
        """Start workers that read scans, for n of them."""

    def comparers(self, n: int) -> AbstractContextManager[Crew]:
        """Start workers that compare, for n pairs."""


@dataclass(frozen=True, slots=True)
class Local:
    """Threads that read and processes that compare, on this machine."""

    jobs: int
    """How many of them."""

    def cores(self) -> int:
        """As many as there are jobs."""
        return self.jobs

    @contextmanager
    def readers(self, n: int) -> Iterator[Crew]:
        """Start threads: they share what has been loaded, and readers leave the interpreter."""
        with reader_threads(self.jobs) as pool:
            yield Crew(pool, lambda: self.jobs + 1)

    def comparers(self, n: int) -> AbstractContextManager[Crew]:
        """Start processes; a few pairs are compared in this one."""
        return _crew(self.jobs if n >= FEW else 1)


@dataclass(frozen=True, slots=True)
class Each(Generic[T, R]):
    """Does the same to each of a block of items."""

    function: Callable[[T], R]

    def __call__(self, items: Sequence[T]) -> list[R]:
        """What comes out, in their order."""
        return [self.function(item) for item in items]


def _blocks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    coming = iter(items)
    while block := list(islice(coming, size)):
        yield block


def _unless_empty(items: Iterator[T]) -> Iterator[Iterator[T]]:
    """The items once more, if there are any: else nobody is to be asked for workers."""
    for first in islice(items, 1):
        yield chain((first,), items)


def do_all(
    function: Callable[[T], R],
    items: Iterable[T],
    n: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[T, R]]:
    """Do some work in n processes, in this one if n is 1; as `spread` otherwise."""
    with _crew(n) as crew:
        yield from crew.finished(function, items, should_stop)


@contextmanager
def _crew(n: int) -> Iterator[Crew]:
    """So many processes; for one, this one."""
    if n < 2:
        yield Crew(None, lambda: 1)
        return
    with worker_processes(n) as pool:
        yield Crew(pool, lambda: 2 * n)


@contextmanager
def reader_threads(n: int) -> Iterator[ThreadPoolExecutor]:
    """Start n threads that read and cut scans; one that hangs is left behind at the end.

    Linear algebra has one thread meanwhile: the readers are parallel already, and threads that
    wait for one another's cores take three times the processor time.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1 if n > 1 else None, user_api="blas"):
        pool = ThreadPoolExecutor(n, thread_name_prefix=READER_THREADS)
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def worker_processes(n: int) -> Iterator[ProcessPoolExecutor]:
    """Start n processes that have one thread each.

    When the caller is interrupted they are killed at once; when it fails, finished.
    """
    with _one_thread_each(), _pool(n) as pool:
        try:
            yield pool
        except Exception:
            raise
        except BaseException:
            for child in multiprocessing.active_children():
                child.kill()
            raise


def spread(
    pool: Executor,
    function: Callable[[T], R],
    items: Iterable[T],
    n_ahead: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[T, R]]:
    """Do some work in processes; at most `n_ahead` items are in hand, so that memory is bounded.

    Args:
        pool: From `worker_processes`, or another one.
        function: Importable by name.
        items: Work for it.
        n_ahead: Items handed out at a time.
        should_stop: Asked before an item is begun; items in hand are finished.

    Yields:
        (item, result) in the order in which they are finished.

    Raises:
        InputError: A worker died, as they do when memory runs out.
    """
    waiting = iter(items)
    running: dict[Future[R], T] = {}
    try:
        while True:
            if should_stop():
                running = {future: item for future, item in running.items() if not future.cancel()}
            else:
                for item in islice(waiting, n_ahead - len(running)):
                    running[pool.submit(function, item)] = item
            if not running:
                return
            for future in wait(running, timeout=0.2, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process died, perhaps because memory ran out; what was finished is kept, "
            "run it again with fewer --jobs"
        ) from error


def _pool(n: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    inherited = (limits.chosen(), remote.cache_bytes(), log.level_shown())
    return ProcessPoolExecutor(n, context, _begin, inherited)


def _begin(max_bytes: int | None, cache_bytes: int, log_level: int) -> None:
    """Set a worker process up: how much it may read and keep, and what it logs.

    To stop is the business of the main process: a terminal, or `timeout`, sends its signal to the
    whole group of processes.
    """
    limits.choose(max_bytes)
    remote.begin(cache_bytes)
    log.show_in_worker(log_level)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed main process cannot stop its workers, which would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Workers inherit that their linear algebra has one thread: they are parallel already."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
