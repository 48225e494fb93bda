"""What runs in worker processes: read, edit, slice, embed and score. Nothing else is parallel.

A worker is set up once and keeps the last scan it read, its embedders and the databases. It has
one thread, so that the number of workers changes nothing but the time.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np

from dvdup.compare.variant_rows import VariantRows
from dvdup.embedders import LoadOptions
from dvdup.errors import ReadError
from dvdup.lab.bench import describers, variant_files
from dvdup.lab.bench.aggregations import AGGREGATIONS
from dvdup.lab.bench.database import Database
from dvdup.lab.bench.describers import Describer, Method
from dvdup.lab.bench.nearest import INDEXES, NearestIndex
from dvdup.lab.bench.plan import Line, Record, Task
from dvdup.lab.bench.queries import Asked, DatabaseVariants, judge
from dvdup.lab.bench.shelf import Shelf
from dvdup.lab.evaluate.scans import Content, Scan, content_of, read_scan
from dvdup.records import Case
from dvdup.workers import spread, worker_processes

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Job:
    """One method and what is asked of it."""

    name: str
    """As the user wrote it."""
    method: Method
    lines: tuple[Line, ...]
    options: LoadOptions
    """How to run its embedder."""
    database_file: Path | None = None
    variants_file: Path | None = None
    """Of a method whose lines ask for variants."""

    @property
    def variants(self) -> bool:
        """Whether its lines ask for variants."""
        return self.method.sliced and any(
            line.variants or AGGREGATIONS[line.aggregation].costly for line in self.lines
        )


@dataclass(frozen=True, slots=True)
class Setup:
    """What every worker has to know."""

    root: Path
    cases: tuple[Case, ...]
    jobs: tuple[Job, ...] = ()
    persons: tuple[str, ...] = ()
    copies: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool))
    """bool (N, N): known identical copies."""


class Worker:
    """What one worker process keeps between items."""

    def __init__(self) -> None:
        """Load nothing yet."""
        self.setup = Setup(Path(), ())
        self._scan: tuple[Case, Scan] | None = None
        self._describers: dict[str, Describer] = {}
        self._databases: dict[str, Database] = {}
        self._indexes: dict[tuple[str, str], NearestIndex] = {}
        self._variants: dict[str, DatabaseVariants] = {}
        self.shelf = Shelf(self._read)
        """Scans of the setup that queries are compared with."""

    def adopt(self, setup: Setup) -> None:
        """Take another setup of the same bench; what is loaded stays as far as it fits."""
        self.setup = setup
        self._databases.clear()
        self._indexes.clear()
        self._variants.clear()
        self.shelf = Shelf(self._read)

    def _read(self, code: int) -> Scan:
        return read_scan(self.setup.root, self.setup.cases[code])

    def scan(self, code: int) -> Scan:
        """A scan of the setup, unedited."""
        case = self.setup.cases[code]
        if self._scan is None or self._scan[0] != case:
            self._scan = (case, self._read(code))
        return self._scan[1]

    def describer(self, job: Job) -> Describer:
        """What describes scans for a job."""
        if job.name not in self._describers:
            self._describers[job.name] = describers.load(job.name, job.method, job.options)
        return self._describers[job.name]

    def database(self, job: Job) -> Database:
        """The database of a job."""
        if job.name not in self._databases:
            assert job.database_file is not None
            self._databases[job.name] = Database.load(job.database_file)
        return self._databases[job.name]

    def variants(self, job: Job) -> DatabaseVariants:
        """The variant rows of the database of a job."""
        if job.name not in self._variants:
            assert job.variants_file is not None
            self._variants[job.name] = DatabaseVariants(variant_files.load(job.variants_file))
        return self._variants[job.name]

    def index(self, job: Job, name: str) -> NearestIndex:
        """An index over the database of a job."""
        if (job.name, name) not in self._indexes:
            self._indexes[job.name, name] = INDEXES[name](self.database(job))
        return self._indexes[job.name, name]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A scan that was looked at: its content, or why it cannot be read."""

    content: Content | None
    reason: str = ""


def survey(worker: Worker, code: int) -> Surveyed:
    """Read and hash a scan."""
    try:
        return Surveyed(content_of(worker.scan(code)))
    except ReadError as error:
        return Surveyed(None, str(error))
    except MemoryError:
        path = worker.setup.cases[code].files[0]
        return Surveyed(None, f"{path}: too big for the memory of this machine")


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """An unedited scan."""

    embedding: np.ndarray
    """float32 (S, D)."""
    channel: np.ndarray
    variants: VariantRows | None
    """The rows that candidates are found by, where a line asks for them."""


def describe(worker: Worker, code: int) -> list[Described]:
    """Describe an unedited scan, once a job."""
    scan = worker.scan(code)
    found = []
    for job in worker.setup.jobs:
        rows = worker.describer(job).describe(scan)
        variants = rows.variants() if job.variants else None
        found.append(Described(rows.rows.embedding, rows.rows.channel, variants))
    return found


def ask(worker: Worker, order: tuple[Task, tuple[str, ...]]) -> list[tuple[str, Record]]:
    """Do the queries of a task for some jobs, by name."""
    task, names = order
    source = worker.scan(task.scan)
    records = []
    for edit in task.edits:
        edited = source.edited(edit, task.level)
        for job in worker.setup.jobs:
            if job.name in names:
                record = _record(worker, job, task, edit, edited)
                records.append((job.name, record))
    return records


def _record(worker: Worker, job: Job, task: Task, edit: str, edited: Scan) -> Record:
    rows = worker.describer(job).describe(edited)
    asked = Asked(
        rows,
        edited,
        worker.database(job),
        partial(worker.index, job),
        worker.shelf,
        variants=partial(worker.variants, job),
    )
    persons = np.array(worker.setup.persons)
    right = worker.setup.copies[task.scan]
    strangers = (persons != persons[task.scan]) & ~right
    outcomes = judge(asked, job.lines, strangers, right)
    return Record(task.scan, edit, task.level, len(rows), rows.seconds, outcomes)


class Crew:
    """Worker processes, or this process alone if one job is asked for."""

    def __init__(self, n_jobs: int, should_stop: Callable[[], bool]) -> None:
        """Start nothing yet.

        Args:
            n_jobs: Worker processes.
            should_stop: Asked before an item is begun; items in hand are finished.
        """
        self._n_jobs = n_jobs
        self._should_stop = should_stop
        self._alone = Worker()
        self._open = ExitStack()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Crew:
        if self._n_jobs > 1:
            self._folder = Path(self._open.enter_context(TemporaryDirectory(prefix="dvdup-")))
            self._pool = self._open.enter_context(worker_processes(self._n_jobs))
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def run(
        self, setup: Setup, function: Callable[[Worker, T], R], items: Iterable[T]
    ) -> Iterator[tuple[T, R]]:
        """Do some work.

        Args:
            setup: What the workers have to know.
            function: A function of this module.
            items: Work for it.

        Yields:
            (item, result) in the order in which they are finished.

        Raises:
            InputError: A worker died, as they do when memory runs out.
        """
        if self._pool is None:
            self._alone.adopt(setup)
            yield from (
                (item, function(self._alone, item)) for item in items if not self._should_stop()
            )
            return
        file = self._folder / f"{len(list(self._folder.iterdir()))}.setup"
        file.write_bytes(pickle.dumps(setup))
        do = partial(_do, file, function)
        yield from spread(self._pool, do, items, 2 * self._n_jobs, self._should_stop)


_worker = Worker()
_adopted: Path | None = None


def _do(setup: Path, function: Callable[[Worker, T], R], item: T) -> R:
    global _adopted
    if setup != _adopted:
        _worker.adopt(pickle.loads(setup.read_bytes()))
        _adopted = setup
    return function(_worker, item)
