"""Look into folders: every file becomes part of a scan, or is remembered with a reason."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from dvdup.discover.formats import Formats, is_dicom_name, may_be_dicom_name
from dvdup.discover.names import clean, inside, join, nfc, no_reader, printable, relative, short
from dvdup.discover.rules import Rules
from dvdup.errors import InputError
from dvdup.records import Ignored

HIDDEN = (".", "__MACOSX")
"""How the names begin that are passed over."""


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan on disk; a layout makes it a case."""

    stem: str
    """Path below the searched folder, POSIX, NFC, without suffix; a DICOM series: its folder."""
    files: tuple[str, ...]
    """As in `Case.files`."""
    series: str | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder and those of its files that are not left out."""

    path: str
    """On this machine."""
    name: str
    """As in `Case.files`; "" for the root."""
    below: str
    """Relative to the searched folder; "" for itself."""
    files: tuple[str, ...]
    """Names, sorted."""


class Search:
    """The search of one dataset; gathers in `ignored` what is left out (path -> reason)."""

    def __init__(
        self,
        root: Path,
        formats: Formats,
        rules: Rules,
        *,
        dicom_only: bool = False,
    ) -> None:
        """Set up a search.

        Args:
            root: Folder that the paths of cases are relative to.
            formats: What is known about formats.
            rules: What is left out by name.
            dicom_only: Take DICOM series only, whatever their files are called.
        """
        self.root = os.path.abspath(root)
        self.formats = formats
        self.rules = rules
        self.ignored: dict[str, str] = {}
        self._dicom_only = dicom_only

    def path(self, *parts: str) -> str:
        """Absolute path of something relative to the root (or to the folder given first)."""
        return os.path.normpath(os.path.join(self.root, *parts))

    def name(self, path: str) -> str:
        """A path as in `Case.files`: relative to the root inside it, else absolute; POSIX.

        Raises:
            InputError: It has characters that cannot be stored or printed.
        """
        prefix = self.root.rstrip(os.sep) + os.sep
        within = path.startswith(prefix)
        name = path[len(prefix) :] if within else "" if path == self.root else path
        return clean(name.replace(os.sep, "/") if os.sep != "/" else name)

    def leave_out(self, name: str, reason: str) -> None:
        """Remember that a path did not become a case; the first reason stays."""
        self.ignored.setdefault(printable(name), reason)

    def take(self, files: Sequence[str]) -> None:
        """Forget that files were left out: they became part of a case after all."""
        for name in files:
            self.ignored.pop(name, None)

    def all_ignored(self) -> tuple[Ignored, ...]:
        """What was left out, sorted by path."""
        return tuple(Ignored(path, self.ignored[path]) for path in sorted(self.ignored))

    def entries(self, path: str) -> list[tuple[str, bool]]:
        """(name, whether it is a folder) of what is in a folder and not hidden, sorted.

        Raises:
            InputError: The folder cannot be read.
        """
        found = self._entries(path, self.name(path))
        return [(e.name, _is_folder(e)) for e in found if not e.name.startswith(HIDDEN)]

    def scans(self, top: str, below: str = "") -> list[Scan]:
        """All scans in a folder and below.

        Args:
            top: Absolute path of a folder.
            below: What the stems begin with.

        Returns:
            Scans by folder; ids are not yet checked for being unique.

        Raises:
            InputError: A folder cannot be read.
        """
        return self._collect(list(self._walk(top, self.name(top), below, None, ())))

    def picked(self, files: Iterable[str], top: str | None = None) -> list[Scan]:
        """The scans that single files make up; DICOM files of one folder are grouped to series.

        Args:
            files: Absolute paths; they are taken whatever the rules say.
            top: Folder that the stems start below; None: stems are bare names.
        """
        by_folder: dict[str, set[str]] = {}
        for path in files:
            by_folder.setdefault(os.path.dirname(path), set()).add(os.path.basename(path))
        folders = [
            Folder(path, self.name(path), relative(path, top), tuple(sorted(by_folder[path])))
            for path in sorted(by_folder)
        ]
        return self._collect(folders, sniff=True)

    def _collect(self, folders: list[Folder], *, sniff: bool = False) -> list[Scan]:
        partners = self._partners(folders)
        found: list[Scan] = []
        for folder in folders:
            candidates: list[str] = []
            for name in folder.files:
                path = inside(folder.path, name)
                if path in partners.taken:
                    continue
                if self._may_be_dicom(name) or (sniff and self._starts_as_dicom(path, name)):
                    candidates.append(name)
                elif not self.formats.claims(name) or self._dicom_only:
                    reason = "not DICOM" if self._dicom_only else no_reader(name)
                    self.leave_out(join(folder.name, name), reason)
                else:
                    stem = join(folder.below, self.formats.case_name(name))
                    main = clean(join(folder.name, name))
                    found.append(Scan(nfc(stem), (main, *partners.of.get(path, ()))))
            found += self._series(folder, candidates)
        return found

    def file(self, path: str) -> Scan:
        """One scan out of a file that somebody named; its stem is the bare name."""
        companions = self.formats.companions(Path(path))
        files = (self.name(path), *(self.name(os.path.normpath(one)) for one in companions))
        return Scan(nfc(self.formats.case_name(os.path.basename(path))), files)

    def _may_be_dicom(self, name: str) -> bool:
        if is_dicom_name(name):
            return True
        if self.formats.claims(name) or name.upper() == "DICOMDIR":
            return False
        return self._dicom_only or may_be_dicom_name(name)

    def _starts_as_dicom(self, path: str, name: str) -> bool:
        return not self.formats.claims(name) and self.formats.maybe_dicom(Path(path))

    def _partners(self, folders: list[Folder]) -> _Partners:
        partners = _Partners({}, set())
        for folder in folders:
            for name in folder.files:
                if self.formats.claims(name) and not is_dicom_name(name):
                    path = inside(folder.path, name)
                    companions = self.formats.companions(Path(path))
                    if companions:
                        paths = [os.path.normpath(one) for one in companions]
                        partners.of[path] = tuple(map(self.name, paths))
                        partners.taken.update(paths)
        return partners

    def _series(self, folder: Folder, names: list[str]) -> Iterator[Scan]:
        """The DICOM series of a folder; files that belong to none are left out."""
        if not names:
            return
        where = Path(folder.path)
        series = self.formats.dicom_series(where, [where / name for name in names])
        good = sum(uid != "" for uid, _ in series)
        left = set(names)
        for uid, paths in series:
            members = [path.name for path in paths]
            left.difference_update(members)
            files = tuple(clean(join(folder.name, name)) for name in members)
            alone = good + (uid == "") == 1
            yield Scan(nfc(self._series_stem(folder, uid, members, alone)), files, uid)
        for name in left:
            reason = "DICOM without an image" if is_dicom_name(name) else no_reader(name)
            self.leave_out(join(folder.name, name), reason)

    def _series_stem(self, folder: Folder, uid: str, members: list[str], alone: bool) -> str:
        """The folder if it holds just this series; else what tells the series apart."""
        single = self._bare(members[0]) if len(members) == 1 else ""
        if single and (not alone or not folder.below):
            return join(folder.below, single)
        own = folder.below or os.path.basename(folder.path)
        return own if alone else f"{own}-{short(uid) if uid else 'unreadable'}"

    def _bare(self, name: str) -> str:
        return self.formats.case_name(name) if is_dicom_name(name) else name

    def _walk(
        self,
        path: str,
        name: str,
        below: str,
        reason: str | None,
        above: tuple[tuple[int, int], ...],
    ) -> Iterator[Folder]:
        """Go through a folder, sorted by name, following links but never round in a circle."""
        identity = _identity(path)
        if identity in above:
            self.leave_out(name + "/", "a link back to a folder above it")
            return
        files: list[str] = []
        subfolders: list[str] = []
        for entry in self._entries(path, name):
            full = join(name, entry.name)
            is_folder = _is_folder(entry)
            if entry.name.startswith(HIDDEN):
                self.leave_out(full + "/" if is_folder else full, "hidden")
            elif is_folder:
                subfolders.append(entry.name)
            elif out := self.rules.file_out(full, entry.name, reason):
                self.leave_out(full, out)
            elif entry.is_symlink() or entry.is_file():  # a broken link: content that is not here
                files.append(entry.name)
            else:
                self.leave_out(full, "not a regular file")
        yield Folder(path, name, below, tuple(files))
        for sub in subfolders:
            full = join(name, sub)
            out = self.rules.folder_out(full, sub, reason)
            if out and not self.rules.can_take_back:
                self.leave_out(full + "/", out)
                continue
            further = (*above, identity)
            yield from self._walk(inside(path, sub), full, join(below, sub), out, further)

    def _entries(self, path: str, name: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(path) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise InputError(
                f"folder {printable(name) or '.'} cannot be read: {reason}; make it readable, or "
                "leave it out with dataset.exclude"
            ) from error


@dataclass(frozen=True, slots=True)
class _Partners:
    of: dict[str, tuple[str, ...]]
    """Path of a main file -> names of its companions."""
    taken: set[str]
    """Paths of all companions."""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a closed folder
        return False


def is_folder(path: str) -> bool:
    """Whether a path is a folder, or a link to one."""
    try:
        return S_ISDIR(os.stat(path).st_mode)
    except OSError:
        return False


def subfolders(path: str) -> list[str]:
    """Names of the folders in a folder that are not hidden, sorted; empty if it is unreadable."""
    try:
        with os.scandir(path) as entries:
            found = [e.name for e in entries if not e.name.startswith(HIDDEN) and e.is_dir()]
    except OSError:
        return []
    return sorted(found)


def _identity(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)  # reading it says what is wrong
    return (status.st_dev, status.st_ino)
