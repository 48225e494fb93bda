"""Worker processes and threads: how they are started, what they inherit, how work is spread."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from dvdup import log, remote
from dvdup.errors import InputError
from dvdup.readers import limits
from dvdup.records import READER_THREADS

T = TypeVar("T")
R = TypeVar("R")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def do_all(
    function: Callable[[T], R],
    items: Iterable[T],
    n: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[T, R]]:
    """Do some work in n processes, in this one if n is 1; as `spread` otherwise."""
    if n < 2:
        for item in items:
            if should_stop():
                return
            yield item, function(item)
        return
    with worker_processes(n) as pool:
        yield from spread(pool, function, items, 2 * n, should_stop)


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
    pool: ProcessPoolExecutor,
    function: Callable[[T], R],
    items: Iterable[T],
    n_ahead: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[T, R]]:
    """Do some work in processes; at most `n_ahead` items are in hand, so that memory is bounded.

    Args:
        pool: From `worker_processes`.
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
