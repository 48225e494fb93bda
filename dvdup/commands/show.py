"""Draw one pair: what verification found about two scans, as words and as a picture.

Each scan is a case of the index or a file given by hand. A case keeps its slice rows and its proxy
in the index, so that it can be shown when its files have changed or gone.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from dvdup import readers, verify
from dvdup.commands import adhoc
from dvdup.compare import verdicts
from dvdup.compare.cases import FileChannel, Sides
from dvdup.compare.memory import EmbeddedScan, MemoryCases
from dvdup.compare.pair import PairJob, channels_of, judge_pair, line_of, share_values
from dvdup.compare.rules import Rules, rules_of
from dvdup.compare.small import with_proxy
from dvdup.errors import InputError, ReadError
from dvdup.records import Embedded, IndexedCase, PairDecision, Progress, no_progress
from dvdup.report import sentences
from dvdup.rows import part_of
from dvdup.store import Index, IndexMeta
from dvdup.verify import RULES, Judged, Limits, Matrix, Scan, excess
from dvdup.workspace import LazyEmbedder, Workspace, recipe_of

_WITHOUT = {"undecided": "not decided", "nothing-to-compare": "no verdict"}
_MEANINGS = {rule.name: rule.what for rule in RULES}


Named = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A pair, ready to be drawn."""

    titles: tuple[str, str]
    """The two scans as they were named."""
    words: tuple[str, ...]
    """The verdict, what the voxels and the order of the slices say, and what is amiss."""
    scans: tuple[Scan, Scan]
    place: np.ndarray
    """float64 (4, 4), mm of a to mm of b."""
    matrix: Matrix | None
    """None where one of them has too few slices."""

    def picture(self) -> bytes:
        """A PNG."""
        return verify.draw(*self.scans, self.place, self.titles, self.matrix, self.words)

    def terminal(self, width: int) -> str:
        """A rough view in characters, at most `width` columns."""
        return verify.terminal(*self.scans, self.place, width, self.titles)


def show(workspace: Workspace, a: str, b: str, *, progress: Progress = no_progress) -> Shown:
    """Verify a pair and make it ready to be drawn.

    Args:
        workspace: Where; an index is needed only for cases of it.
        a: A file, a DICOM folder, `split/case` or `split@version/case`.
        b: The other.
        progress: Called as scans are read.

    Raises:
        InputError: One of them is not there or cannot be read, or both are the same scan.
        StoreError: The index cannot be used.
    """
    scans, rules = _scans(workspace, (a, b), progress)
    progress("comparing voxels", 0, 1)
    channels = channels_for(workspace.root, scans, rules.voxels)
    judged = judge(channels, rules.voxels)
    laid = lay(channels, scans, place_of(judged))
    words = (
        _headline((a, b), judged, _declared(scans, rules)),
        _voxels(judged, rules.voxels),
        _slices(laid.matrix, judged),
        *(missing(text) for text, whole in zip((a, b), laid.whole, strict=True) if not whole),
    )
    progress("comparing voxels", 1, 1)
    return Shown((a, b), words, laid.scans, laid.place, laid.matrix)


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """Two scans, one laid on the other."""

    scans: tuple[Scan, Scan]
    """The finest there is of each."""
    whole: tuple[bool, bool]
    """Whether each is the file itself, not its small copy in the index."""
    place: np.ndarray
    """As `Shown.place`."""
    matrix: Matrix | None
    """As `Shown.matrix`."""


def judge(channels: tuple[FileChannel, FileChannel], limits: Limits) -> Judged:
    """Compare the voxels of two scans.

    Args:
        channels: As `channels_for` gives them.
        limits: What makes a copy.
    """
    return judge_pair(PairJob(*channels, limits, equal=share_values(*channels))).found


def place_of(judged: Judged) -> np.ndarray | None:
    """How two scans lie on each other, as in `lay`."""
    return None if judged.evidence is None else judged.evidence.place


def lay(
    channels: tuple[FileChannel, FileChannel],
    scans: Sequence[EmbeddedScan],
    place: np.ndarray | None,
) -> Laid:
    """Read two scans and lay one on the other.

    Args:
        channels: As `channels_for` gives them.
        scans: The two.
        place: float64 (4, 4), mm of a to mm of b, both from the centre of the scan; None: nothing
            is known, and centre is laid on centre.
    """
    one, other = [_Seen(channel) for channel in channels]
    whole = (one.full is not None, other.full is not None)
    placed = np.eye(4) if place is None else verify.on_voxels(place, one.best, other.best)
    return Laid((one.best, other.best), whole, placed, _matrix(channels, scans, placed))


def free_name(folder: Path, titles: Named, png: bytes) -> Path:
    """A file for a picture that overwrites no other one.

    Args:
        folder: Where it goes.
        titles: The two scans as they were named.
        png: The picture; drawn again it keeps its file.
    """
    stem = "-".join(_plain(title) for title in titles)
    for number in count(1):
        file = folder / (f"{stem}.png" if number == 1 else f"{stem}-{number}.png")
        if not os.path.lexists(file) or (file.is_file() and file.read_bytes() == png):
            return file
    raise AssertionError


def _plain(title: str) -> str:
    """A name in letters that every file system takes; of a path the end, without suffixes."""
    name = title
    if os.path.exists(title):
        name = os.path.basename(os.path.abspath(title))
        name = readers.case_name(name) if os.path.isfile(title) else name
    return re.sub(r"[^\w.@+-]+", "_", name).strip("._")[-80:] or "scan"


def _scans(
    workspace: Workspace, names: Named, progress: Progress
) -> tuple[list[EmbeddedScan], Rules]:
    """The two scans with their slice rows, and the rules that judge them."""
    index = _index(workspace, names)
    known = [adhoc.known_case(index, text) for text in names]
    embedder = LazyEmbedder(workspace.config)
    if index is not None and any(known):
        embedder.expect(index.meta.embedder)
        meta = index.meta
    else:
        recipe = recipe_of(workspace.config, embedder.spec)
        meta = IndexMeta(embedder.spec, recipe.describe(), recipe.hash())
    recipe = recipe_of(workspace.config, meta.embedder)
    scans = []
    for done, (text, case) in enumerate(zip(names, known, strict=True)):
        progress("reading", done, 2)
        if case is not None:
            scans.append(of_index(workspace.root, *case))
        else:
            scans.append(
                adhoc.read_scan(workspace, adhoc.one_scan(workspace, text), recipe, embedder)
            )
        _demand_readable(text, scans[-1].case)
    _demand_two(workspace.root, names, scans, known)
    return scans, rules_of(workspace.config, meta)


def _index(workspace: Workspace, names: Named) -> Index | None:
    """The index, where a name could be a case of it."""
    if all(map(adhoc.is_file, names)) or not workspace.storage.exists():
        return None
    return workspace.open_index()


def of_index(root: Path, index: Index, case: IndexedCase) -> EmbeddedScan:
    """A case of the index with its slice rows and its proxy, made anew where it keeps none."""
    (full,) = index.with_proxies([case.key])
    if full.status != "unreadable" and not full.proxy:
        full = with_proxy(root, full)
    rows = index.rows_of(*case.key, case.content) if case.n_slices else None
    return EmbeddedScan(full, rows)


def _demand_readable(text: str, case: IndexedCase) -> None:
    if not case.proxy:
        raise InputError(f"{text} cannot be shown: {case.reason}")


def _demand_two(
    root: Path, names: Named, scans: Sequence[EmbeddedScan], known: Sequence[object]
) -> None:
    """One file that two splits declare is two cases; a case and its own file are one scan."""
    one, other = (scan.case for scan in scans)
    same = one.key == other.key and one.content == other.content
    if not all(known):
        ours, theirs = (
            {(os.path.normpath(root / path), part_of(c.series)) for path in c.paths}
            for c in (one, other)
        )
        same = same or ours == theirs
    if same:
        raise InputError(f"{names[0]} and {names[1]} are one scan; name two to compare")


def channels_for(
    root: Path, scans: Sequence[EmbeddedScan], limits: Limits
) -> tuple[FileChannel, FileChannel]:
    """The channels of two scans that are compared.

    Args:
        root: The folder that their files are relative to.
        scans: Two, with their proxies.
        limits: What makes a copy.
    """
    one, other = scans
    if one.rows is None or other.rows is None:
        return FileChannel(root, one.case, 0), FileChannel(root, other.case, 0)
    sides = Sides(root, MemoryCases([one]), MemoryCases([other]), limits)
    return channels_of(one.case, other.case, sides)


class _Seen:
    """One scan as far as it can be seen."""

    def __init__(self, channel: FileChannel) -> None:
        self.channel, self.proxy = channel, channel.proxy()
        self.full: Scan | None = None
        with suppress(ReadError, MemoryError):
            self.full = channel.full()

    @property
    def best(self) -> Scan:
        """The finest there is."""
        return self.full or self.proxy


def _matrix(
    channels: Sequence[FileChannel], scans: Sequence[EmbeddedScan], place: np.ndarray
) -> Matrix | None:
    """Of the channels that are compared."""
    one, other = (scan.rows for scan in scans)
    if one is None or other is None:
        return None
    ours, theirs = _of_channel(one, channels[0].channel), _of_channel(other, channels[1].channel)
    return verify.matrix_of(ours, theirs, place)


def _of_channel(rows: Embedded, channel: int) -> Embedded:
    kept = rows.channel == channel
    names = [each.name for each in dataclasses.fields(Embedded)]
    return Embedded(**{name: getattr(rows, name)[kept] for name in names})


def _declared(scans: Sequence[EmbeddedScan], rules: Rules) -> PairDecision | None:
    """What hashes and declared subjects say, without a look at voxels."""
    one, other = ([scan.case] for scan in scans)
    found = verdicts.find(one, other, (), rules.limits)
    return found[0] if found else None


def _headline(names: Named, judged: Judged, declared: PairDecision | None) -> str:
    decision = judged.decision
    said, sure = decision.verdict, decision.confidence
    why = sentences.result_reason(judged.result())
    if declared is not None and (declared.verdict == "identical" or said is None):
        said, sure = declared.verdict, declared.confidence
        why = sentences.reason(declared)
    elif said is None:
        why = _MEANINGS[decision.rule]
    word = said or _WITHOUT.get(decision.rule, "no copy")
    return f"{names[0]} and {names[1]}: {word} (confidence {sure:.2f}): {why}"


def _voxels(judged: Judged, limits: Limits) -> str:
    """How strongly the voxels speak, beside what a copy needs."""
    found = judged.evidence
    if found is None:
        return "voxels: nothing to compare, one of them is constant"
    shown = max(found.agreement.cover_a, found.agreement.cover_b)
    # coarse and small scans agree more easily, which is taken off: one threshold serves all
    reached = excess(found, limits) - (0.0 if found.final else limits.clear_copy - limits.copy)
    text = f"voxels: strength {reached:.1f}, a copy has {limits.copy} or more"
    if judged.decision.verdict is not None:
        return text
    return (
        f"{text}; local correlation {found.agreement.correlation:.3f}, of fine structures "
        f"{found.agreement.fine:.3f}, {100 * shown:.0f} % of one lies in the other"
        + (", laid on it mirrored" if np.linalg.det(found.place[:3, :3]) < 0 else "")
    )


def _slices(matrix: Matrix | None, judged: Judged) -> str:
    if judged.inside is not None:
        return f"slices: {sentences.slices(line_of(judged.inside))}"
    if matrix is None:
        return "slices: too few to tell their order"
    if matrix.line is None:
        return "slices: no order of them fits the placement of the voxels"
    line, strangers = matrix.line, judged.decision.verdict is None
    said = sentences.slices(line, of_strangers=strangers)
    if strangers:  # two heads in one pose, slice by slice
        return f"slices: {said}, as those of two scans of one part of the body may"
    return f"slices: {said}; {100 * line.inliers:.0f} % of them lie on that line"


def missing(text: str) -> str:
    """The remark that a scan is shown from its small copy."""
    return f"note: the files of {text} are gone or changed; its small copy in the index is shown"
