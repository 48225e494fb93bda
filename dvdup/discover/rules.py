"""What is known to be no scan by its name: label maps, side-cars, and what the user left out.

`KNOWN` and `KNOWN_NAMES` are the whole list of what else may lie among scans. A file that no reader
claims and that is not in it is not passed over: it becomes a case that cannot be checked.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from dvdup.errors import ConfigError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

LABEL_FOLDERS = (
    "label", "labels*", "labelled[_-]dicom*", "labeled[_-]dicom*", "labelmap*", "label[_-]maps",
    "mask", "masks", "masks[_-]*", "*[_-]mask", "*[_-]masks",
    "seg", "segs", "seg-*", "segmentation*", "*[_-]segmentations", "annotation*",
    "gt", "*[_-]gt", "gt[_-]seg*", "ground", "groundtruth*", "ground_truth*", "ground-truth*",
    "prediction", "predictions", "*[_-]predictions", "preds", "contours",
)  # fmt: skip
"""Folders of label maps, compared without regard to case; nothing below them becomes a case."""

_CAMEL_FOLDER = re.compile(r".*[a-z0-9](Masks?|Labels?|Segmentations?)")
"""`liverMask`, told by its capital."""

_TAIL = ("", "[0-9]", "[0-9][0-9]", "[0-9][0-9][0-9]")


def _numbered(*words: str) -> tuple[str, ...]:
    """Patterns of names that end in a word, with up to three digits behind it."""
    return tuple(f"*[_-]{word}{digits}.*" for word in words for digits in _TAIL)


LABEL_FILES = (
    *_numbered("seg", "mask", "msk", "label"),
    *(f"*[_-]{word}.*" for word in (
        "segs", "masks", "labels", "roi", "rois", "lesion", "lesions", "segmentation",
        "segmentations", "labelmap", "gt", "groundtruth", "ground[_-]truth", "annotation",
        "annotations", "contour", "contours", "manual", "manual[0-9]", "pred", "prediction",
        "dseg", "probseg",
    )),
    "seg.*", "segm.*", "segmentation.*", "segmentation-*", "*.seg.*", "*.label.*", "mask.*",
    "mask[0-9]*", "masks.*", "label.*", "labels.*", "label[0-9]*", "labels-*", "gt.*", "roi.*",
    "lesion.*", "pred.*", "prediction.*", "*aseg.*", "*aparc*+aseg.*",
    "wmparc.*", "ribbon.*", "*[hl].ribbon.*",
)  # fmt: skip
"""Names of label maps, compared without regard to case."""

KNOWN: dict[str, tuple[str, ...]] = {
    "text or document": (
        *(".txt", ".md", ".rst", ".log", ".out", ".err", ".tex", ".bib", ".rtf", ".pdf", ".doc"),
        *(".docx", ".odt", ".ppt", ".pptx", ".html", ".htm", ".css", ".svg", ".eps", ".ps"),
    ),
    "table": (
        *(".csv", ".tsv", ".xls", ".xlsx", ".ods", ".parquet", ".feather", ".stats"),
        *(".json", ".jsonl", ".ndjson", ".sarif", ".yaml", ".yml", ".xml", ".toml", ".ini", ".cfg"),
        ".conf",
    ),
    "side-car": (
        *(".bval", ".bvec", ".bvals", ".bvecs", ".md5", ".sha1", ".sha256", ".sha512", ".sum"),
        *(".sig", ".lock", ".url", ".lnk", ".edf", ".wav", ".mp3"),
    ),
    "transform": (".tfm", ".xfm", ".lta"),
    "mesh, surface or tracts": (
        *(".stl", ".ply", ".obj", ".off", ".vtp", ".gii", ".fcsv", ".trk", ".tck", ".trx"),
        *(".annot",),
    ),
    "code": (
        *(".py", ".pyc", ".ipynb", ".m", ".r", ".rmd", ".jl", ".sh", ".bash", ".bat", ".cmd"),
        *(".ps1", ".c", ".cpp", ".h", ".hpp", ".cu", ".java", ".js", ".ts", ".go", ".rs", ".sql"),
    ),
}
"""What lies among scans and is none -> lower-case suffixes; `.gz` behind them changes nothing."""

KNOWN_NAMES = (
    "readme", "license", "licence", "copying", "notice", "authors", "contributors", "citation",
    "changes", "changelog", "history", "news", "version", "todo", "install", "manifest",
    "makefile", "dockerfile", "snakefile", "checksums", "md5sums", "sha1sums", "sha256sums",
    "sha512sums", "_success", "dicomdir", "thumbs.db", "ehthumbs.db", "desktop.ini",
)  # fmt: skip
"""Whole names of such files, compared without regard to case."""

POINTER = ".dvc"
"""Suffix of what DVC keeps beside a file or folder, or in place of one that is not here."""

STORE_SUFFIX = ".zarr"
"""A folder so named is one file to everybody who looks for scans."""

ZARR_SUFFIXES = (STORE_SUFFIX, ".n5")
ZARR_MARKERS = frozenset((".zgroup", ".zarray", ".zattrs", "zarr.json"))
"""A folder so named, or with one of these in it, is one array in many files."""

_SUFFIX_OF = {suffix: what for what, suffixes in KNOWN.items() for suffix in suffixes}


def known(name: str) -> str | None:
    """What a file that no reader claims is, judged by its name; None if that is not known."""
    lower = name.lower()
    if lower in KNOWN_NAMES:
        return f"no scan ({name})"
    stem, suffix = os.path.splitext(lower.removesuffix(".gz"))
    what = _SUFFIX_OF.get(suffix) if stem else None
    return f"{what} ({suffix})" if what else None


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, patterns)))


_LABEL_FOLDER, _LABEL_FILE = _any_of(LABEL_FOLDERS), _any_of(LABEL_FILES)


def looks_like_labels(name: str, *, folder: bool) -> str | None:
    """The pattern by which a file or folder name is one of label maps, or None."""
    lower = name.lower()
    if folder and _CAMEL_FOLDER.fullmatch(name):
        return name
    if not (_LABEL_FOLDER if folder else _LABEL_FILE).match(lower):
        return None
    patterns = LABEL_FOLDERS if folder else LABEL_FILES
    return next(pattern for pattern in patterns if fnmatch.fnmatchcase(lower, pattern))


class Rules:
    """The patterns of one dataset.

    `exclude` works as a .gitignore beside the configuration file: later patterns win, `!PATTERN`
    takes back, also what is left out as a label map. `include`, if any, must fit a file too.
    """

    def __init__(
        self,
        include: Sequence[str],
        exclude: Sequence[str],
        usual: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Compile the patterns.

        Args:
            include: As `dataset.include`.
            exclude: As `dataset.exclude`.
            usual: What the layout leaves out: pattern -> what it is; `exclude` goes before it.

        Raises:
            ConfigError: One of them is no pattern.
        """
        self._reasons = (*usual.values(), *(f"excluded by {text}" for text in exclude))
        self._include = _compiled(include, "dataset.include")
        self._exclude = _compiled((*usual, *exclude), "dataset.exclude")
        self.can_take_back = any(text.startswith("!") for text in exclude)
        """Whether something inside an excluded folder may be wanted after all."""

    def folder_out(self, path: str, name: str, inherited: str | None) -> str | None:
        """Why what is in a folder is left out, or None; `inherited` is its parent's reason."""
        decided, reason = self._by_user(path + "/")
        if decided:
            return reason
        pattern = None if inherited else looks_like_labels(name, folder=True)
        return f"label maps ({pattern}/)" if pattern else inherited

    def file_out(self, path: str, name: str, inherited: str | None) -> str | None:
        """Why a file is left out, or None; `inherited` is the reason of its folder."""
        decided, reason = self._by_user(path)
        if reason:
            return reason
        if not decided:
            if inherited:
                return inherited
            if pattern := looks_like_labels(name, folder=False):
                return f"label map ({pattern})"
        return self._not_included(path)

    def named_file_out(self, path: str) -> str | None:
        """As `file_out` for a file that somebody named: only the user's own patterns count."""
        return self._by_user(path)[1] or self._not_included(path)

    def named_folder_out(self, path: str) -> str | None:
        """As `folder_out` for a folder that somebody named: only the user's own patterns count."""
        return self._by_user(path.rstrip("/") + "/")[1]

    def row_out(self, path: str) -> str | None:
        """Why `exclude` leaves out a row of a file, named as `X_train.npy#000017`, or None."""
        return self._by_user(path)[1]

    def _by_user(self, path: str) -> tuple[bool, str | None]:
        """(whether `exclude` says something about a path, why it is left out)."""
        if self._exclude is None:
            return False, None
        found = self._exclude.check_file(path.lstrip("/"))
        if not found.include or found.index is None:
            return found.include is not None, None
        return True, self._reasons[found.index]

    def _not_included(self, path: str) -> str | None:
        if self._include is None or self._include.match_file(path.lstrip("/")):
            return None
        return "not in dataset.include"


def _compiled(patterns: Sequence[str], key: str) -> GitIgnoreSpec | None:
    if not patterns:
        return None
    from pathspec import GitIgnoreSpec  # some 15 ms, for those who use it

    for pattern in patterns:
        try:
            GitIgnoreSpec.from_lines([pattern])
        except ValueError as error:
            raise ConfigError(f"{key}: {pattern!r} is no pattern as in .gitignore") from error
    return GitIgnoreSpec.from_lines(patterns)
