"""Which files are left out by their names: include, exclude, and label maps by default."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dvdup.errors import ConfigError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

LABEL_FOLDERS = (
    "label", "labels*", "mask", "masks", "seg", "segs", "segmentation*", "annotation*",
    "gt", "ground", "groundtruth*", "ground_truth*", "ground-truth*",
)  # fmt: skip
"""Folders of label maps, compared without regard to case; nothing below them becomes a case."""

LABEL_FILES = (
    "*[_-]seg.*", "*.seg.*", "seg.*", "*[_-]segmentation.*", "segmentation.*", "segmentation-*",
    "*[_-]label.*", "*[_-]labels.*", "*[_-]labelmap.*", "label.*", "labels.*", "label[0-9]*",
    "*[_-]mask.*", "*[_-]masks.*", "mask.*", "*[_-]gt.*", "gt.*", "*[_-]groundtruth.*",
    "*[_-]annotation.*", "*_dseg.*", "*_probseg.*", "*aseg.*",
)  # fmt: skip
"""Names of label maps, compared without regard to case."""


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, patterns)))


_LABEL_FOLDER, _LABEL_FILE = _any_of(LABEL_FOLDERS), _any_of(LABEL_FILES)


def looks_like_labels(name: str, *, folder: bool) -> str | None:
    """The pattern by which a file or folder name is one of label maps, or None."""
    lower = name.lower()
    if not (_LABEL_FOLDER if folder else _LABEL_FILE).match(lower):
        return None
    patterns = LABEL_FOLDERS if folder else LABEL_FILES
    return next(pattern for pattern in patterns if fnmatch.fnmatchcase(lower, pattern))


class Rules:
    """The patterns of one dataset.

    `exclude` works as a .gitignore beside the configuration file: later patterns win, `!PATTERN`
    takes back, also what is left out as a label map. `include`, if any, must fit a file too.
    """

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        """Compile the patterns.

        Raises:
            ConfigError: One of them is no pattern.
        """
        self._exclude_texts = tuple(exclude)
        self._include = _compiled(include, "dataset.include")
        self._exclude = _compiled(exclude, "dataset.exclude")
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

    def _by_user(self, path: str) -> tuple[bool, str | None]:
        """(whether `exclude` says something about a path, why it is left out)."""
        if self._exclude is None:
            return False, None
        found = self._exclude.check_file(path.lstrip("/"))
        if not found.include or found.index is None:
            return found.include is not None, None
        return True, f"excluded by {self._exclude_texts[found.index]}"

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
