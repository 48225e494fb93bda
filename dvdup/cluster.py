"""Work on a cluster, by Ray: its tasks, its retries, its placement.

A block of items is one task. What is done to them, and how a worker is set up, is put into Ray's
object store once and fetched once by every worker. Ray runs a task again whose worker or machine
was lost; as a task writes nothing, and its results are taken once, nothing is doubled or lost.

Documentation of Ray: https://docs.ray.io/en/latest/ray-core/
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import platform
import re
import signal
import socket
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from logging.handlers import QueueHandler
from queue import SimpleQueue
from typing import Any, TypeVar

from dvdup import extras, log, remote
from dvdup.errors import DvdupError, InputError
from dvdup.fingerprint import code_fingerprint
from dvdup.readers import limits
from dvdup.workers import FEW, Crew, Local

R = TypeVar("R")

ADDRESS = "ray://"
"""What the address of a cluster begins with."""

_logger = logging.getLogger(__name__)
_BLOCK = 4  # items of a task: handing one out costs some milliseconds
_CLIENT_PORT = "10001"  # of a cluster whose address names none
_RETRIES = 3  # of a task whose worker was lost, as Ray has it by default
_ADDRESS = re.compile(r"(?P<host>\[.+\]|[^:]+)(:(?P<port>\d+))?")
_CODE = ("",)  # all of the package
_DETAILS = re.compile(r"\. (Error: |To troubleshoot).*", re.DOTALL)  # of what Ray tells


@dataclass(frozen=True, slots=True)
class OnRay:
    """Work is done by the workers of a Ray cluster; less than is worth it, on this machine."""

    address: str
    """`ray://host:port`; or `ray`: the cluster that RAY_ADDRESS names or this machine runs, else
    one that is started here."""
    jobs: int
    """Tasks at a time at most; 0: as many as the cluster has processors."""
    here: Local
    """For what is not worth a cluster, and how many workers one has that is started here."""
    gpus: int = 0
    """GPUs that each task that embeds demands."""

    def cores(self) -> int:
        """Processors of the cluster, unless fewer jobs are allowed."""
        return self.jobs or _connected(self.address, self.here.jobs).cores()

    @contextmanager
    def readers(self, n: int) -> Iterator[Crew]:
        """Workers that read and embed."""
        with self.here.readers(n) if n < FEW else self._crew(self.gpus) as crew:
            yield crew

    @contextmanager
    def comparers(self, n: int) -> Iterator[Crew]:
        """Workers that compare."""
        with self.here.comparers(n) if n < FEW else self._crew(0) as crew:
            yield crew

    @contextmanager
    def _crew(self, gpus: int) -> Iterator[Crew]:
        pool = _Tasks(lambda: _connected(self.address, self.here.jobs), gpus)
        try:
            yield Crew(pool, self._ahead, _BLOCK, elsewhere=True)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _ahead(self) -> int:
        """One task waits beside every one that runs, unless fewer are allowed."""
        return self.jobs or 2 * self.cores()


@dataclass(frozen=True, slots=True)
class _Setup:
    """What a worker has to know, as worker processes on this machine do."""

    max_bytes: int | None
    cache_bytes: int
    log_level: int
    code: str
    """Fingerprint of the source of dvdup."""

    def begin(self) -> None:
        """Set the process up, for the tasks of one phase of a command."""
        limits.choose(self.max_bytes)
        remote.begin(self.cache_bytes)

    def demand_same_code(self) -> None:
        """Check that the process has the same dvdup.

        Raises:
            InputError: It has another one, which might give another answer.
        """
        if code_fingerprint(*_CODE) != self.code:
            raise InputError(
                f"{platform.node()} has another dvdup than this machine, and might give another "
                "answer; install the same one on all machines of the cluster"
            )


@dataclass(frozen=True, slots=True)
class _Answer:
    """What comes back from a task."""

    result: Any
    error: DvdupError | None
    records: list[logging.LogRecord]
    """What it logged."""


class _Task(Future[R]):
    """What a task will give. As with processes, one that runs already is not cancelled."""

    def __init__(self, may_run: Callable[[Future[R]], bool]) -> None:
        super().__init__()
        self._may_run = may_run

    def cancel(self) -> bool:
        """Cancel it, unless it may be running."""
        return not self._may_run(self) and super().cancel()


@dataclass(eq=False)
class _Tasks(Executor):
    """Runs functions as tasks of Ray; a future of it raises a `DvdupError` where that failed."""

    connect: Callable[[], _Cluster]
    gpus: int
    _function: object = None
    _box: list[Any] = field(default_factory=list)
    _waiting: dict[Future[Any], Any] = field(default_factory=dict)

    def submit(self, function: Callable[..., R], /, *args: Any, **more: Any) -> Future[R]:
        """Hand a task out."""
        cluster = self.connect()
        if self._function is not function:
            self._function, self._box = function, [cluster.put(function)]
        reference = cluster.start(self.gpus, self._box, args)
        future: Future[R] = _Task(self._may_run)
        self._waiting[future] = reference
        future.add_done_callback(lambda done: self._forget(done, cluster))
        reference.future().add_done_callback(lambda done: _settle(future, done))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of what is not finished."""
        for future in list(self._waiting) if cancel_futures else ():
            Future.cancel(future)

    def _may_run(self, future: Future[Any]) -> bool:
        """Whether a task is among the oldest, of which as many run as there are processors."""
        return future in islice(tuple(self._waiting), self.connect().cores())

    def _forget(self, future: Future[Any], cluster: _Cluster) -> None:
        reference = self._waiting.pop(future, None)
        if reference is not None and future.cancelled():
            cluster.cancel(reference)


def _settle(future: Future[Any], done: Future[_Answer]) -> None:
    """Pass on what a task gave; nobody waits for one that was cancelled."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        answer = done.result()
    except BaseException as error:
        future.set_exception(_explained(error))
        return
    _pass_on(answer.records)
    if answer.error is not None:
        future.set_exception(answer.error)
    else:
        future.set_result(answer.result)


def _explained(error: BaseException) -> BaseException:
    """What Ray says, as the user is told; errors of the work itself stay what they are."""
    from ray import exceptions

    lost = (
        exceptions.WorkerCrashedError,
        exceptions.OutOfMemoryError,
        exceptions.NodeDiedError,
        exceptions.LocalRayletDiedError,
        exceptions.ObjectLostError,
    )
    if isinstance(error, lost):
        return InputError(
            f"workers of the Ray cluster died {_RETRIES + 1} times over the same scans, perhaps "
            "because memory ran out; what was finished is kept, run it again with fewer --jobs"
        )
    if isinstance(error, exceptions.RayTaskError):
        return _of_a_task(error)
    if isinstance(error, exceptions.RayError | ConnectionError):
        return InputError(
            f"the Ray cluster is gone: {_first_line(error)}; what was finished is kept, run it "
            "again"
        )
    return error


def _of_a_task(error: Any) -> Exception:
    """What a task raised that is none of the errors of dvdup."""
    told = str(error)  # what was raised lies at the bottom of what was raised over it
    missing = re.search(r"No module named [\w.']+|cannot import name [\w.']+", told)
    if missing:
        return InputError(
            f"a worker of the Ray cluster cannot run dvdup ({missing[0]}); install the same dvdup, "
            "with the extra ray, on all its machines"
        )
    found: Exception = error
    return found


def _first_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


@dataclass(frozen=True, slots=True, eq=False)
class _Cluster:
    """A cluster that this process is connected to."""

    address: str
    task: Any
    """The remote function."""

    def cores(self) -> int:
        """Processors that it has now."""
        import ray

        return max(1, int(ray.cluster_resources().get("CPU", 1)))

    def put(self, function: object) -> Any:
        """Keep a function where workers can fetch it, with what they have to know."""
        import ray

        level = logging.getLogger(log.NAME).getEffectiveLevel()
        code = code_fingerprint(*_CODE)
        setup = _Setup(limits.chosen(), remote.cache_bytes(), level, code)
        return ray.put((setup, function))

    def start(self, gpus: int, box: list[Any], args: tuple[Any, ...]) -> Any:
        """Start a task."""
        task = self.task.options(num_gpus=gpus) if gpus else self.task
        return task.remote(box, *args)

    def cancel(self, reference: Any) -> None:
        """Tell Ray that nobody waits for a task any more."""
        import ray

        with suppress(Exception):  # it is finished, or the cluster is gone
            ray.cancel(reference)


def _work_off(box: list[Any], *args: Any) -> _Answer:
    """What a worker of the cluster does: one task."""
    from threadpoolctl import threadpool_limits

    setup, function = _fetched(box[0])
    with _gathered(setup.log_level) as records, threadpool_limits(1, user_api="blas"):
        try:
            setup.demand_same_code()
            return _Answer(function(*args), None, records)
        except DvdupError as error:
            return _Answer(None, error, records)


@contextmanager
def _gathered(level: int) -> Iterator[list[logging.LogRecord]]:
    """Gather what is logged in a worker that has no terminal, for `_pass_on`.

    Args:
        level: The level of whoever asks for it.

    Yields:
        The records, ready to travel: their texts are made.
    """
    handler = _Gatherer()
    logger = logging.getLogger(log.NAME)
    before = logger.level
    logger.setLevel(level)
    logger.addHandler(handler)
    try:
        yield handler.records
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class _Gatherer(QueueHandler):
    """Makes records ready to travel, and keeps them."""

    def __init__(self) -> None:
        super().__init__(SimpleQueue())
        self.records: list[logging.LogRecord] = []

    def enqueue(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def _pass_on(records: Sequence[logging.LogRecord]) -> None:
    """Log what was gathered somewhere else, as if it had happened here."""
    for record in records:
        logging.getLogger(record.name).handle(record)


_FETCHED: dict[str, tuple[_Setup, Callable[..., Any]]] = {}
"""In a worker: what it was given last, with the network that it has loaded for it."""


def _fetched(reference: Any) -> tuple[_Setup, Callable[..., Any]]:
    import ray

    key = reference.hex()
    if key not in _FETCHED:
        _FETCHED.clear()
        setup, function = ray.get(reference)
        setup.begin()  # once, so that object stores are not asked again for every task
        _FETCHED[key] = setup, function
    return _FETCHED[key]


@functools.lru_cache(1)
def _connected(address: str, jobs: int) -> _Cluster:
    """Connect to a cluster, or start one on this machine; it lasts until the process ends.

    Raises:
        InstallError: Ray is not installed.
        InputError: The cluster cannot be reached.
    """
    packages = ("ray", "grpc") if address.startswith(ADDRESS) else ("ray",)
    extras.demand("--runner ray", packages, "ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # dvdup tells nobody that it is used
    import ray

    if not ray.is_initialized():
        try:
            with _own_signals(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Lance, as Ray forks to start its processes
                _connect(address, jobs)
        except Exception as error:  # of many kinds, which have no base in common
            where = os.environ.get("RAY_ADDRESS") if address == "ray" else address
            raise InputError(
                f"cannot connect to the Ray cluster {where or 'here'}: {_first_line(error)}; is it "
                "running, with the same versions of Python and Ray as here, and the same token "
                "(RAY_AUTH_MODE, RAY_AUTH_TOKEN)?"
            ) from error
        atexit.register(_leave)
    _logger.info("a Ray cluster with %g processors", ray.cluster_resources().get("CPU", 0))
    return _Cluster(address, ray.remote(num_cpus=1, max_retries=_RETRIES)(_work_off))


def _connect(address: str, jobs: int) -> None:
    import ray
    from ray._private import worker

    worker.print_to_stdstream = _log_of_cluster
    quiet: dict[str, Any] = {
        "log_to_driver": False,  # logs of the workers come back with the results
        "logging_level": logging.ERROR,
    }
    named = _with_port(
        address if address.startswith(ADDRESS) else os.environ.get("RAY_ADDRESS", "")
    )
    if named:
        _demand_answer(named)
        with _asking_once():
            ray.init(named, **quiet)
    elif _runs_here():
        ray.init("auto", **quiet)
    else:
        ray.init("local", num_cpus=jobs, include_dashboard=False, **quiet)


@contextmanager
def _asking_once() -> Iterator[None]:
    """Where something else answers Ray would ask 20 times, which takes some 40 s each."""
    name = "RAY_gcs_server_port_wait_time_s"
    if name in os.environ:  # whoever set it knows better
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]


def _runs_here() -> bool:
    """Whether a cluster runs on this machine; one that was killed leaves its address behind."""
    from ray._private.utils import read_ray_address

    found = read_ray_address()
    if not found:
        return False
    try:
        _demand_answer(found)
    except OSError:
        return False
    return True


def _with_port(address: str) -> str:
    """The address of a cluster with its port, which Ray does not add to one of IPv6."""
    found = _ADDRESS.fullmatch(address.removeprefix(ADDRESS))
    lacks = address.startswith(ADDRESS) and found is not None and found["port"] is None
    return f"{address}:{_CLIENT_PORT}" if lacks else address


def _demand_answer(address: str) -> None:
    """Fail at once where nobody listens, for whom Ray would wait for minutes.

    Args:
        address: One with a port; others are left to Ray.

    Raises:
        OSError: It is so.
    """
    found = _ADDRESS.fullmatch(address.removeprefix(ADDRESS))
    if found is not None and found["port"]:
        host = found["host"].strip("[]")  # of IPv6
        socket.create_connection((host, int(found["port"])), timeout=10).close()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray ends the process at SIGTERM; a command that is told to stop keeps what is finished."""
    before = [(each, signal.getsignal(each)) for each in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before:
                signal.signal(number, handler)


def _leave() -> None:
    """Leave the cluster at the end of the process, and end one that was started for it."""
    import ray

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of an impatient user: it takes a second
    ray.shutdown()


def _log_of_cluster(data: dict[str, Any], ignore_prefix: bool) -> None:
    """Log what a cluster tells, as that a worker was lost; Ray prints it where the report goes."""
    for line in data["lines"]:
        _logger.info("%s", _DETAILS.sub("", line))
