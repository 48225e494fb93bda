"""Draw the pairs of a report, for formats that show them.

Comes in: a `Report`, and the workspace that its scans can be had from. Goes out: small pictures of
each pair, as `dvdup show` draws it, in the order of the report. Only the scans that the report
speaks of are shown: where the index or a file holds something else now, a note says so. How they
lie on each other is in the report; only where it is not are voxels compared again.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from dvdup import verify
from dvdup.commands import adhoc, show
from dvdup.compare.memory import EmbeddedScan
from dvdup.compare.placement import in_mm
from dvdup.compare.refs import Ref, find_ref
from dvdup.compare.rules import rules_of
from dvdup.compare.verdicts import fingerprint_of
from dvdup.config.uris import is_object_uri
from dvdup.errors import DvdupError, InputError
from dvdup.records import (
    Finding,
    Hooks,
    IndexedCase,
    Key,
    Member,
    PairPictures,
    Picture,
    Pictures,
    Report,
)
from dvdup.report.json import A_TO_B
from dvdup.report.names import public_path
from dvdup.store import Index, IndexMeta
from dvdup.verify import Limits, Panel
from dvdup.workers import do_all
from dvdup.workspace import LazyEmbedder, Workspace, n_jobs, recipe_of

MOST = 500
"""Pairs that are drawn; a report that shows more is too big for a browser."""
SIDE = 144
"""Pixels of the longest side of a slice."""
MATRIX_SIDE = 200
"""Pixels of the longest side of a matrix of similarities, whose line is thin."""
QUALITY = 60
"""Of WebP: fine structures stay, and a pair takes about 15 kB."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A pair to draw."""

    number: int
    """Its place in the report."""
    root: Path
    scans: tuple[EmbeddedScan, EmbeddedScan]
    names: tuple[str, str]
    limits: Limits
    place: np.ndarray | None
    """float64 (4, 4), mm of the first to mm of the second; None: it is to be found."""


def pictures_of(
    workspace: Workspace, report: Report, hooks: Hooks, *, saved: bool = False
) -> Pictures:
    """Draw the pairs of a report, as far as their scans can be had.

    A report is worth more than its pictures: nothing that goes wrong here ends the command.

    Args:
        workspace: Where the index is, and what files are relative to.
        report: What was found.
        hooks: Progress, and the wish to stop, after which no more pairs are drawn.
        saved: Whether the report was read from a file, which anybody may have written: nothing is
            fetched that it names alone.
    """
    drawn: dict[int, PairPictures] = {}
    jobs = _jobs(_Scans(workspace, report, saved=saved), report, drawn)
    pairs = min(MOST, len(report.pairs))
    try:
        n = min(n_jobs(workspace.config), pairs)
        for done, (job, pictures) in enumerate(do_all(_draw, jobs, n, hooks.should_stop), 1):
            drawn[job.number] = pictures
            hooks.progress("drawing pairs", done, pairs)
    except DvdupError as error:
        hooks.say(f"not all pairs were drawn: {error}")
    left = _without("the command was stopped before it was drawn")
    return tuple(drawn.get(number, left) for number in range(len(report.pairs)))


def _jobs(scans: _Scans, report: Report, drawn: dict[int, PairPictures]) -> Iterator[_Job]:
    """The pairs to draw, one after the other, since each takes memory; others go into `drawn`."""
    for number, finding in enumerate(report.pairs):
        job = _job(scans, number, finding)
        if isinstance(job, _Job):
            yield job
        else:
            drawn[number] = job


def _job(scans: _Scans, number: int, finding: Finding) -> PairPictures | _Job:
    """What is to be drawn, or why it is not."""
    if number >= MOST:
        return _without(f"only the first {MOST} pairs are drawn; see `dvdup show`")
    try:
        one, other = scans.of(finding.a, first=True), scans.of(finding.b, first=False)
    except DvdupError as error:
        return _without(str(error))
    if fingerprint_of(one.case, other.case) != finding.fingerprint:
        return _without("one of the scans is not as it was when the report was made")
    place = _place(finding, one.case, other.case)
    # the case that is asked about comes first, as in tables of findings
    names = (finding.b.label, finding.a.label)
    back = None if place is None else np.linalg.inv(place)
    return _Job(number, scans.root, (other, one), names, scans.limits, back)


def _place(finding: Finding, a: IndexedCase, b: IndexedCase) -> np.ndarray | None:
    """How b lies on a as far as the report and the hashes say."""
    rows = (finding.alignment or {}).get(A_TO_B)
    same = (a.voxel_hashes, a.n_channels, a.shape) == (b.voxel_hashes, b.n_channels, b.shape)
    return in_mm(np.eye(3, 4) if same and a.voxel_hashes else rows, a, b)


def _without(why: str) -> PairPictures:
    return PairPictures(notes=(f"no picture: {why}",))


class _Scans:
    """The scans of a report: cases of the index, or files given by hand."""

    def __init__(self, workspace: Workspace, report: Report, *, saved: bool) -> None:
        """Open the index, if there is one."""
        self.root = workspace.root
        self._saved = saved
        self._workspace = workspace
        self._refs = report.refs
        self._known: dict[str, tuple[Ref, dict[Key, IndexedCase]]] = {}
        self._by_hand: dict[Member, EmbeddedScan] = {}

    @cached_property
    def limits(self) -> Limits:
        """What makes a copy."""
        return rules_of(self._workspace.config, self._meta).voxels

    @cached_property
    def _index(self) -> Index:
        if not self._workspace.storage.exists():
            raise InputError("there is no index here that holds the scans")
        return self._workspace.open_index()

    @cached_property
    def _embedder(self) -> LazyEmbedder:
        return LazyEmbedder(self._workspace.config)

    @cached_property
    def _meta(self) -> IndexMeta:
        """Of the index or, where files alone are compared, of what an index would have."""
        if self._workspace.storage.exists() and any(ref.split for ref in self._refs):
            return self._index.meta
        recipe = recipe_of(self._workspace.config, self._embedder.spec)
        return IndexMeta(self._embedder.spec, recipe.describe(), recipe.hash())

    def of(self, member: Member, *, first: bool) -> EmbeddedScan:
        """The scan of one side of a pair.

        Raises:
            InputError: It is not there.
            StoreError: The index cannot be read.
        """
        if not member.split:
            return self._file(member)
        ref, cases = self._ref(member.split, first)
        case = cases.get(member.key)
        if case is None:
            raise InputError(f"the index holds no {member.label}")
        scan = show.of_index(self.root, ref.index, case)
        if not scan.case.proxy:
            raise InputError(f"{member.label} cannot be read any more")
        return scan

    def _ref(self, split: str, first: bool) -> tuple[Ref, dict[Key, IndexedCase]]:
        """The ref of a side: of two refs of one split the first is side a."""
        same = [ref.ref for ref in self._refs if ref.split == split] or [split]
        name = same[0] if first else same[-1]
        if name not in self._known:
            ref = find_ref(self._index, name)
            self._known[name] = ref, {case.key: case for case in ref.cases}
        return self._known[name]

    def _file(self, member: Member) -> EmbeddedScan:
        if member not in self._by_hand:
            if not member.paths:
                raise InputError(f"it is not said which file {member.label} is")
            path = member.paths[0]
            if self._saved and (is_object_uri(path) or public_path(path) != path):
                raise InputError(
                    f"{path} lies elsewhere, and nothing is fetched because a saved report names "
                    "it; `dvdup show` draws it"
                )
            file = path if is_object_uri(path) else str(self.root / path)
            case = adhoc.one_scan(self._workspace, file)
            recipe = recipe_of(self._workspace.config, self._meta.embedder)
            scan = adhoc.read_scan(self._workspace, case, recipe, self._embedder)
            if not scan.case.proxy:
                raise InputError(f"{member.label} cannot be shown: {scan.case.reason}")
            self._by_hand[member] = scan
        return self._by_hand[member]


def _draw(job: _Job) -> PairPictures:
    """Draw a pair; runs in a worker."""
    try:
        laid = _laid(job)
        rows = verify.panels(*laid.scans, laid.place)
        notes = [
            show.missing(name)
            for name, whole in zip(job.names, laid.whole, strict=True)
            if not whole
        ]
        matrix = None
        if laid.matrix is None:
            notes.append("note: too few slices for a matrix of their similarities")
        else:
            matrix = _small(verify.matrix_panel(laid.matrix), MATRIX_SIDE)
        drawn = tuple(tuple(map(_small, row)) for row in rows)
        return PairPictures(drawn, matrix, tuple(notes))
    except Exception as error:  # a fault in a picture must not cost the report
        return _without(f"it could not be drawn ({type(error).__name__}: {error})")


def _laid(job: _Job) -> show.Laid:
    channels = show.channels_for(job.root, job.scans, job.limits)
    place = job.place
    if place is None:
        place = show.place_of(show.judge(channels, job.limits))
    return show.lay(channels, job.scans, place)


def _small(panel: Panel, side: int = SIDE) -> Picture:
    """A panel as a small file."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(panel.pixels))
    factor = min(1.0, side / max(image.size))
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=QUALITY, method=4)
    return Picture(file.getvalue(), size, panel.caption)
