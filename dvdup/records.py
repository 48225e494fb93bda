"""The frozen records that travel between rooms.

A `Case` is declared by `discover`, read into a `Volume`, cut into a `SliceStack`, embedded into
`Embedded`, kept as an `IndexedCase`, scored into `PairScore` and reported as a `Report`. Nothing
here does work; rooms know these records and not one another.

Arrays are never copied on the way in: whoever makes a record hands its arrays over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Origin = Literal["declared", "added"]
Status = Literal["ok", "unchecked", "unreadable"]
Verdict = Literal["identical", "near", "partial", "same-subject"]

Key = tuple[str, str]
"""What identifies a case: (split, case_id)."""
Pair = tuple[Key, Key]
"""A case of the first side of a comparison and one of the second."""

Say = Callable[[str], None]
"""Called with a line for the user."""
ShouldStop = Callable[[], bool]
"""Says whether the user wishes to stop."""

VERDICTS: tuple[Verdict, ...] = ("identical", "near", "partial", "same-subject")
"""Strongest first."""
COPIES: tuple[Verdict, ...] = ("identical", "near", "partial")
"""Verdicts that say "this scan is already there"; `same-subject` says it of the person only."""

PLANES = ("axial", "coronal", "sagittal")
"""A slice of plane p lies across axis `2 - p` of the RAS+ volume."""

READER_THREADS = "dvdup-read"
"""How the names of threads start that read scans, and may hang in a file."""

MIN_COHORT = 8
"""Cases from which their median is taken for what strangers get."""


@dataclass(frozen=True, slots=True)
class Case:
    """One scan as declared, not yet read. Identified by (split, case_id)."""

    split: str
    case_id: str
    files: tuple[str, ...]
    """POSIX paths relative to the root, main file first; absolute only for files outside it."""
    group: str | None = None
    """The subject, where the declaration names one."""
    origin: Origin = "declared"
    series: str | None = None
    """Which scan of its files it is. For DICOM, a hash of the SeriesInstanceUID with the key of the
    index; "" for files that look like DICOM and cannot be read as such. For a part of an array,
    what `rows.row_name` makes."""
    instances: bytes = b""
    """Of DICOM, uint64 (N,), little-endian, sorted: hashes of the SOPInstanceUIDs of its images
    with the key of the index."""

    @property
    def key(self) -> Key:
        """(split, case_id)."""
        return (self.split, self.case_id)


@dataclass(frozen=True, slots=True)
class DicomSeries:
    """The DICOM files of one folder that are one scan."""

    series: str
    """As `Case.series`."""
    mark: str
    """Eight hex digits for case ids, the same on every machine."""
    files: tuple[Path, ...]
    """Sorted."""
    person: str = ""
    """A hash of PatientID and its issuer with the key of the index; "" where they name nobody."""
    instances: bytes = b""
    """As `Case.instances`."""


@dataclass(frozen=True, slots=True)
class DicomFolder:
    """What the files of one folder are, as far as DICOM is concerned."""

    series: tuple[DicomSeries, ...]
    """Sorted by their first files."""
    broken: tuple[Path, ...]
    """Files named as DICOM, or that start as DICOM, and cannot be read as such."""
    no_image: tuple[Path, ...]
    """DICOM without an image: reports, plans, structure sets; and label maps."""
    foreign: tuple[Path, ...]
    """No DICOM, or nothing that can be looked at."""


@dataclass(frozen=True, slots=True)
class ArrayPart:
    """One array of a file of many cases."""

    key: str
    """In a file of several; "" in a file of one array."""
    rows: int | None
    """Its cases; None if it cannot be taken apart."""
    left_out: str = ""
    """What it is if it holds no cases, such as "labels (y_train)"; else ""."""
    is_scan: bool = False
    """Whether all of it is one case."""


LONELY = " with no scan beside it"
"""What the reason of a label map ends with that may be a scan all the same."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A path that did not become a case, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """What `discover` found: cases sorted by (split, case_id), and the paths left out."""

    cases: tuple[Case, ...]
    ignored: tuple[Ignored, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A scan in memory: one or more channels in RAS+ array order, stored values kept as stored.

    `value = stored * slope + intercept`, in float64, then float32: `readers.channel_values` does
    it a channel at a time, so that a big scan is never held as several float copies.
    """

    channels: tuple[np.ndarray, ...]
    """One (X, Y, Z) real array a channel, any real dtype, any strides, RAS+ (or array) order."""
    scaling: tuple[tuple[float, float], ...]
    """(slope, intercept) of each channel."""
    spacing: tuple[float, float, float]
    """mm along X, Y, Z; 1.0 where the file says nothing usable."""
    modality: str = ""
    """DICOM modality ("CT", "MR", ...) where the file says so, else ""."""
    oriented: bool = True
    """False if the file has no orientation: X, Y, Z are the stored axes."""
    notes: tuple[str, ...] = ()
    """Oddities worth telling the user (missing slices, masks left out, ...)."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along X, Y, Z."""
        x, y, z = self.channels[0].shape
        return (int(x), int(y), int(z))


@dataclass(frozen=True, slots=True, eq=False)
class SliceStack:
    """The voting slices of one case, in order (channel, plane, index)."""

    pixels: np.ndarray
    """uint8 (S, H, W), 0 to 255 after intensity mapping; row 0 is the top (patient up/front)."""
    channel: np.ndarray
    """int16 (S,)."""
    plane: np.ndarray
    """uint8 (S,), index into `PLANES`."""
    index: np.ndarray
    """int32 (S,), slice number on its axis of the RAS+ volume."""
    position_mm: np.ndarray
    """float32 (S,), index * spacing along the axis."""

    def __len__(self) -> int:
        return int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """The slice embeddings of one case."""

    embedding: np.ndarray
    """float32 (S, D), unit rows."""
    channel: np.ndarray
    plane: np.ndarray
    index: np.ndarray
    position_mm: np.ndarray


@dataclass(frozen=True, slots=True)
class Pointer:
    """What stands for a file or folder that is not here."""

    tool: str
    """Who keeps it: "git-lfs", "git-annex" or "DVC"."""
    command: str
    """What brings it, given in the folder of the dataset."""
    folder_command: str = ""
    """What brings all that is kept of its folder; "" where there is no such command."""
    recorded: str = ""
    """The hash of its bytes, as `sha256:...`; "" where none is recorded."""
    size: int = 0
    """Its bytes; 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class FileStat:
    """What a file looked like when it was read: path (as in `Case.files`), bytes, times, inode."""

    path: str
    size: int
    mtime_ns: int
    file_hash: str = ""
    """blake2b-128 hex of the bytes; "" when not computed. Of a file that is not here what its
    pointer records, as `Pointer.recorded`; `size` is recorded then too."""
    ctime_ns: int = 0
    """When its inode changed last, which nothing sets back; 0: not known."""
    inode: int = 0
    """Number of its inode; 0: not known."""


@dataclass(frozen=True, slots=True, eq=False)
class IndexedCase:
    """One row of the `cases` table."""

    split: str
    case_id: str
    files: tuple[FileStat, ...]
    group: str | None = None
    origin: Origin = "declared"
    series: str | None = None
    instances: bytes = b""
    """As `Case.instances`."""
    status: Status = "ok"
    reason: str = ""
    """Why it is unreadable or unchecked; else ""."""
    notes: tuple[str, ...] = ()
    content: str = ""
    """Key of the slice rows: changes whenever anything that changes the slices changes."""
    voxel_hashes: tuple[str, ...] = ()
    """One a channel (hex); constant channels have none, so it may be shorter than `n_channels`."""
    value_hashes: tuple[str, ...] = ()
    """One a channel, 16 hex digits; "" for constant channels."""
    slice_hashes: bytes = b""
    """uint64 (N,), little-endian: the value hashes of the slices of the first voting channel across
    X, then Y, then Z; 0 for constant ones."""
    n_channels: int = 0
    n_slices: int = 0
    shape: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    modality: str = ""
    checksum: str = ""
    """blake2b-128 hex of its slice rows as stored."""
    proxy: bytes = b""
    """uint8 (C, X, Y, Z) in C order, <= 64 voxels an axis."""
    proxy_shape: tuple[int, ...] = ()

    @property
    def key(self) -> Key:
        """(split, case_id)."""
        return (self.split, self.case_id)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of its files."""
        return tuple(stat.path for stat in self.files)

    @property
    def recorded(self) -> tuple[str, ...]:
        """What pointers record of its files, sorted; empty unless all of them are pointers."""
        if self.status != "unreadable":
            return ()
        hashes = sorted(stat.file_hash for stat in self.files)
        return tuple(hashes) if all(":" in each for each in hashes) else ()


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """Everything about an embedder that changes its output, plus what users want to know."""

    name: str
    """Full name, such as `thumbnail` or `timm:mobilenetv2_100@weights.pth`."""
    weights_hash: str
    """blake2b-128 hex of the weights; "" for an embedder without weights."""
    dimensions: int
    slice_size: int
    """Side of the square slices it wants from slicing, px."""
    licence: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Directed:
    """One score in both directions, each in [0, 1] (similarity: [-1, 1])."""

    a_to_b: float
    b_to_a: float

    @property
    def best(self) -> float:
        """The larger of the two."""
        return max(self.a_to_b, self.b_to_a)

    def flipped(self) -> Directed:
        """The same with a and b exchanged."""
        return Directed(self.b_to_a, self.a_to_b)


@dataclass(frozen=True, slots=True)
class PairScore:
    """The scores of one pair of cases; `match` says how each is computed."""

    a: Key
    b: Key
    count_score: Directed
    shared_score: Directed
    similarity: Directed
    background: Directed
    """Similarity of the querying case to the median case of the other side: what strangers get."""
    slices: tuple[int, int]
    """Voting slices of a and of b, in the channel that has most."""
    cohort: tuple[int, int]
    """Cases that the background was taken from, for a as the query and for b."""

    def flipped(self) -> PairScore:
        """The same with a and b exchanged."""
        return PairScore(
            a=self.b,
            b=self.a,
            count_score=self.count_score.flipped(),
            shared_score=self.shared_score.flipped(),
            similarity=self.similarity.flipped(),
            background=self.background.flipped(),
            slices=self.slices[::-1],
            cohort=self.cohort[::-1],
        )


GreyChange = Literal["curve", "blur", "noise", "blank"]
"""What was done to grey values: another curve (gamma, window), a blur, noise, or parts
filled in with one value."""


@dataclass(frozen=True, slots=True)
class AxisOrder:
    """The order of axes in which two scans hold the same values."""

    axes: tuple[int, int, int]
    """Axis of b that became axis 0, 1, 2 of a."""
    signs: tuple[int, int, int]
    """-1 for an axis that runs the other way."""


@dataclass(frozen=True, slots=True)
class Change:
    """How b differs from a, in numbers; which of the two is the copy cannot be seen."""

    mirrored: bool
    mirrored_axes: tuple[int, ...]
    """The flipped axis of a, if axes are neither exchanged nor turned; two flips are a turn."""
    turned: bool
    """Whether axes were exchanged, or two flipped: a turn by 90 or 180 degrees."""
    degrees: float
    """Rotation besides."""
    scale: tuple[float, float, float]
    """Size in b of what is 1 in a, along the axes of a."""
    shear: float
    """Largest shear."""
    shift_mm: tuple[float, float, float]
    """Where the centre of a lies in b, mm from the centre of b along the axes of b."""
    shown: tuple[float, float, float]
    """Share of the extent of the larger field of view that the smaller shows, along axes of a."""
    spacing: tuple[tuple[float, float], ...]
    """Voxel size in a and in b, mm, along the axes of a; empty where that is not known."""
    grey: tuple[GreyChange, ...]
    in_mm: bool = True
    """False if neither file says how large its voxels are, and b was taken to be as large as a."""


@dataclass(frozen=True, slots=True)
class VoxelAgreement:
    """How much the voxels of two scans agree once one is laid on the other."""

    correlation: float
    """Median over the body of the local correlation of the values."""
    middle: float
    """Local correlation of structures about 5 to 10 voxels wide."""
    fine: float
    """Local correlation of structures about 2 to 5 voxels wide."""
    residual: float
    """Median difference of the values, share of the range."""
    overlap: tuple[float, float]
    """Share of the body of a that b shows, and of b that a shows."""
    voxels: int
    """Voxels that were compared."""
    cells: float
    """Cells of structure that were compared, in each of which the two may agree or not."""
    grid_mm: float
    """Width of the voxels that were compared."""


@dataclass(frozen=True, slots=True)
class SliceLine:
    """How the slices of one plane of a run along those of a plane of b."""

    plane_a: int
    """Index into `PLANES`."""
    plane_b: int
    slope: float
    """mm along b for a mm along a, without sign."""
    offset_mm: float
    """Position in b of the slice at 0 mm in a."""
    mirrored: bool
    slices_a: tuple[int, int]
    """First and last slice of a that lie on the line; numbers on their axis."""
    slices_b: tuple[int, int]
    """The slices of b that these two match: descending where mirrored."""
    inliers: float
    """Share of the slices of the smaller side that lie on the line, 0 to 1."""
    residual_mm: float
    """Median distance of the slices on it."""
    contrast: float
    """How far the similarity falls beside the line, as a share of how far it falls at all."""
    score: float
    """0 to 1; `inliers` x `contrast`."""

    @property
    def signed_slope(self) -> float:
        """The slope, negative if mirrored."""
        return -self.slope if self.mirrored else self.slope


Placement = tuple[
    tuple[float, float, float, float],
    tuple[float, float, float, float],
    tuple[float, float, float, float],
]
"""The first three rows of an affine map: of X, Y, Z of a voxel, and 1, to its place elsewhere."""

EQUAL_VALUES, EQUAL_SLICES = "equal-values", "equal-slices"
"""Rules of a `PairResult` that hashes of values have made, where voxels could not be had."""


@dataclass(frozen=True, slots=True)
class PairResult:
    """What the voxels of a pair say; see `verify`. The report room puts it into words."""

    verdict: Verdict | None
    """None: no copy, or not decided."""
    rule: str
    """The rule of `verify` that decided."""
    decided: bool
    """False where only voxels that could not be read would tell."""
    confidence: float
    """0 to 1."""
    order: AxisOrder | None = None
    """The order of axes in which the values are the same; None where they are not."""
    agreement: VoxelAgreement | None = None
    """None if there was nothing to compare."""
    change: Change | None = None
    """How b lies on a and differs from it; None without a verdict."""
    slices: SliceLine | None = None
    """Which slices match which; None without a verdict, and where no line fits."""
    other_side: bool = False
    """Whether it was found for (b, a): its placement holds for them alone."""
    noise_shared: float | None = None
    """Correlation of the noise of both, in even tissue; None where structures do not agree."""
    strength: float = 0.0
    """How strongly the voxels speak for a copy, on one scale for all grids; 10 for equal values."""
    a_to_b: Placement | None = None
    """Where a voxel of a lies in b, both counted along X, Y, Z from 0; None without a verdict."""

    def flipped(self) -> PairResult:
        """What is known about (a, b) for (b, a): numbers of a placement hold one way only."""
        return replace(self, other_side=not self.other_side)


@dataclass(frozen=True, slots=True)
class Member:
    """One side of a reported pair."""

    case: str
    split: str
    group: str | None
    paths: tuple[str, ...]
    voxels: str = ""
    """`accepted.known_by`: what its voxels are, whatever it is called; of a scan without voxels
    what its bytes are; "" where neither is known."""

    @property
    def label(self) -> str:
        """`split/case`, as printed; of a file given by hand just its name."""
        return f"{self.split}/{self.case}" if self.split else self.case

    @property
    def key(self) -> Key:
        """(split, case_id)."""
        return self.split, self.case


@dataclass(frozen=True, slots=True)
class PairDecision:
    """What is decided about a pair of cases, and from what; the report room puts it into words."""

    a: Member
    b: Member
    verdict: Verdict
    basis: str
    """As `Finding.basis`."""
    confidence: float
    fingerprint: str
    """As `Finding.fingerprint`."""
    shared_hashes: tuple[int, int]
    """Voxel hashes that both have, and that the one with more has."""
    shared_images: tuple[int, int]
    """SOPInstanceUIDs that both have, and that the one with more has."""
    score: PairScore | None
    """The scores of their slices, where these were compared."""
    result: PairResult | None
    """What the voxels say, where the verdict rests on them."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What somebody who has reviewed a pair says about it."""

    reason: str
    until: str | None = None
    """The last day on which it holds, as 2027-01-31; None: for ever."""
    expired: bool = False
    """Whether that day has passed, so that the pair counts again."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One reported pair; a is the side of the first ref."""

    a: Member
    b: Member
    verdict: Verdict
    basis: str
    """What it rests on: "voxel-hash", "value-hash", "recorded-hash" (of files that are not here),
    "same-file" (by names alone), "dicom-uid", "voxels", "slices", "declared" or "inferred"."""
    reason: str
    confidence: float
    """0 to 1."""
    count_score: Directed | None
    shared_score: Directed | None
    similarity: Directed | None
    fingerprint: str
    """blake2b-128 hex of the contents of both cases, independent of names and order."""
    alignment: dict[str, Any] | None = None
    voxel: dict[str, Any] | None = None
    accepted: bool = False
    """Whether it was reviewed and fails nothing."""
    acceptance: Acceptance | None = None
    """Why and until when; of an acceptance that has expired too."""


@dataclass(frozen=True, slots=True)
class Group:
    """Cases that are copies of one another, directly or through others."""

    id: str
    members: tuple[str, ...]
    """`split/case`, sorted."""
    verdict: Verdict
    """The weakest link that holds it together."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A case that could not be checked, and why."""

    case: str
    split: str
    paths: tuple[str, ...]
    reason: str
    kind: Literal["unreadable", "stale"] = "unreadable"
    """"stale": the index does not hold its files as they are now, so that nobody looked at them."""


@dataclass(frozen=True, slots=True)
class CaseNote:
    """Something odd about a case that was compared all the same."""

    case: str
    split: str
    note: str
    """As `IndexedCase.notes`."""


@dataclass(frozen=True, slots=True)
class RefInfo:
    """A ref as asked for (`train@v1`), its split and how many cases it holds."""

    ref: str
    split: str
    cases: int


ChangeKind = Literal["added", "removed", "renamed", "moved", "changed"]
"""What happened to a case; "moved": to another split."""
CaseDifference = Literal["voxels", "header", "readable", "unreadable", "subject", "files"]
"""In what a case is not as it was. "header": the same voxels of another size or modality;
"readable", "unreadable": it was not so before; "files": other ones of the same content."""

EVERY_SPLIT = "*"
"""The split of a ref that stands for all cases of a version."""


@dataclass(frozen=True, slots=True)
class VersionChange:
    """What happened to a case between two versions of the index."""

    kind: ChangeKind
    before: Member | None
    """None: it was added."""
    after: Member | None
    """None: it was removed."""
    differences: tuple[CaseDifference, ...] = ()
    """Of a case that is there in both."""
    copy_of: Member | None = None
    """A scan that is not there any more and of which this is a copy, as it was called."""
    verdict: Verdict | None = None
    """Of the two."""
    reason: str = ""
    """Why it is one."""

    @property
    def has_new(self) -> bool:
        """Whether there is something that was not there before, in this split at least."""
        return bool({"voxels", "header", "readable", "unreadable"} & {*self.differences}) or (
            self.kind in ("added", "removed", "moved")
        )

    @property
    def order(self) -> tuple[int, str, str]:
        """Sort key: by what happened, then by name."""
        side = self.after or self.before
        assert side is not None
        return (_CHANGE_KINDS.index(self.kind), *side.key)


_CHANGE_KINDS: tuple[ChangeKind, ...] = ("added", "removed", "renamed", "moved", "changed")


@dataclass(frozen=True, slots=True)
class Report:
    """The one result object that every format renders (JSON contract `dvdup/report@1`)."""

    settings: dict[str, Any]
    """embedder, weights, recipe, thresholds, fail_on."""
    refs: tuple[RefInfo, ...]
    pairs: tuple[Finding, ...]
    """Findings only, strongest first, then by name."""
    groups: tuple[Group, ...]
    unreadable: tuple[Unreadable, ...]
    changes: tuple[VersionChange, ...] | None = None
    """What happened between two versions, where the two refs are one thing at two times."""
    notes: tuple[CaseNote, ...] = ()
    """What is odd about cases that were compared (missing slices), sorted by case."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture, as bytes of a file."""

    data: bytes
    """WebP."""
    size: tuple[int, int]
    """Pixels, width and height."""
    caption: str
    """What it shows, and which slice."""


@dataclass(frozen=True, slots=True)
class PairPictures:
    """What a pair looks like."""

    rows: tuple[tuple[Picture, ...], ...] = ()
    """For each plane: a slice of side b, the matching slice of side a, their difference."""
    matrix: Picture | None = None
    """The similarities of their slices, with the fitted line."""
    notes: tuple[str, ...] = ()
    """What is to be known about them; where there are none, why."""


Pictures = tuple[PairPictures, ...]
"""Of the pairs of a report, in its order."""


Progress = Callable[[str, int, int], None]
"""Called with (what, done, total) from the main thread; total 0 means unknown."""


def no_progress(what: str, done: int, total: int) -> None:
    """Ignore progress."""


Expect = Callable[[str, Sequence[float]], None]
"""Called with the name of a phase and how long each of its items may take, in any unit."""


def _expect_nothing(what: str, weights: Sequence[float]) -> None:
    """Take all items to be alike."""


def _never() -> bool:
    return False


def _silent(line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """How a long command talks to the outside: the same record from its start to its end."""

    progress: Progress = no_progress
    should_stop: ShouldStop = _never
    say: Say = _silent
    """Called with remarks."""
    expect: Expect = _expect_nothing
    """Called before a phase whose items differ: with its name, and how long each may take."""
    _said: set[str] = field(default_factory=set)

    def say_once(self, about: str, line: str) -> None:
        """Say a line, unless it is empty or another one about the same has been said.

        Args:
            about: What the line is about.
            line: The line.
        """
        if line and about not in self._said:
            self._said.add(about)
            self.say(line)

    def waiting(self) -> None:
        """Tell why nothing happens."""
        self.say("waiting for another dvdup command that writes to this index ...")


@dataclass(frozen=True, slots=True)
class SyncSummary:
    """What one `add` or `sync` did, counted in cases."""

    embedded: int = 0
    reused: int = 0
    """New or changed cases whose slices were already known (copies and returns)."""
    renamed: int = 0
    removed: int = 0
    touched: int = 0
    """Files whose stat changed and whose bytes did not."""
    unchanged: int = 0
    unreadable: tuple[Unreadable, ...] = field(default=())
    ignored: tuple[Ignored, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())
    unindexed: tuple[Case, ...] = field(default=())
    """Cases that are not in the index, and that the command was not to look at."""

    @property
    def changed(self) -> bool:
        """Whether the index was written."""
        return bool(self.embedded or self.reused or self.renamed or self.removed or self.touched)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One writing command in `dvdup log`."""

    run: str
    command: str
    first_version: int
    version: int
    time: str
    """UTC, ISO 8601, seconds."""
    counts: dict[str, int]
    tags: tuple[str, ...] = ()
    commit: str = ""
    """The git commit that was checked out around the dataset; "" where there was none."""


@dataclass(frozen=True, slots=True)
class Waste:
    """Things of one kind beside or in the index that nobody needs any more."""

    what: str
    """In the plural, such as "slice rows of no case"."""
    number: int
    bytes: int
    """On disk; an estimate where only the rest of a file is needed, 0 where others count it."""


@dataclass(frozen=True, slots=True)
class GroupedCase:
    """A case and the group that it belongs to."""

    split: str
    case: str
    group: str
    """16 hex digits, made of the names of its members; every case has one, also if it is alone."""
    subject: str | None
    """As the dataset declares it."""
    paths: tuple[str, ...]
    checked: bool
    """False if it could not be compared, so that its group may lack members."""

    @property
    def key(self) -> Key:
        """(split, case_id)."""
        return (self.split, self.case)

    @property
    def label(self) -> str:
        """`split/case`."""
        return f"{self.split}/{self.case}"


@dataclass(frozen=True, slots=True)
class SplitWish:
    """What a proposal has to heed."""

    splits: tuple[str, ...]
    """All splits, in their order: train, val, test, others."""
    keep: frozenset[str]
    """Splits that neither lose nor gain a case."""
    move: bool = True
    """Whether a case may go to another split; else, and out of a kept group, it is dropped."""
    sizes: bool = False
    """Whether the other splits keep their shares of the cases, to within one case if possible."""
    labels: Mapping[Key, str] | None = None
    """The class of every case, if each split is to keep its shares of the classes."""
    column: str | None = None
    """Where these are from."""


@dataclass(frozen=True, slots=True)
class CaseChange:
    """One case that has to go."""

    case: GroupedCase
    to: str | None
    """Its new split; None: it is dropped."""
    because: str | None
    """`split/case` of a case of its group that it has to follow or make way for; None: it only
    makes up for sizes or classes."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to change."""

    cases: tuple[GroupedCase, ...]
    """All cases as they are."""
    wish: SplitWish
    changes: tuple[CaseChange, ...]
    """Sorted by (split, case_id)."""
    after: Mapping[Key, str | None] = field(repr=False)
    """The split of every case afterwards; None: it is dropped."""

    @property
    def moved(self) -> int:
        """How many cases are moved."""
        return sum(change.to is not None for change in self.changes)

    @property
    def dropped(self) -> int:
        """How many cases are dropped."""
        return sum(change.to is None for change in self.changes)

    def sizes(self) -> dict[str, tuple[int, int]]:
        """How many cases each split has, before and afterwards."""
        before = Counter(case.split for case in self.cases)
        after = Counter(self.after.values())
        return {split: (before[split], after[split]) for split in before}


@dataclass(frozen=True, slots=True)
class SplitContent:
    """What a split holds, for the files."""

    split: str
    cases: int
    checked: int
    """Cases whose voxels were read and that have slices to compare."""
    subjects: int
    """Different subjects that the dataset declares."""
    digest: str
    """Of the voxels of all its cases, whatever these are called and in whatever order they come."""


@dataclass(frozen=True, slots=True)
class LabelConflict:
    """Two copies of one scan that do not have the same label."""

    a: str
    """`split/case`."""
    b: str
    verdict: Verdict
    label_a: str
    label_b: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What there is to keep on file about the leaks of a dataset."""

    report: Report
    """Settings, findings, accepted pairs with their reasons, and what could not be checked."""
    splits: tuple[SplitContent, ...]
    compared: tuple[tuple[str, str], ...]
    """Which splits were compared; one with itself if it was searched for duplicates."""
    left_out: Mapping[str, int]
    """Files that were taken for no scans: how many for which reason."""
    versions: Mapping[str, str]
    """Of the programs that read and compared."""
    column: str | None = None
    """Where the labels are from; None: none were given."""
    conflicts: tuple[LabelConflict, ...] = ()


def case_of(row: IndexedCase) -> Case:
    """A case of the index as a declaration, to be read again."""
    return Case(row.split, row.case_id, row.paths, row.group, row.origin, row.series, row.instances)


def as_unreadable(case: IndexedCase) -> Unreadable:
    """A case that could not be checked, for the report."""
    return Unreadable(case.case_id, case.split, case.paths, case.reason)
