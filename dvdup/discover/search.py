"""Look into folders: every file becomes part of a scan, or is remembered with a reason."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISDIR

from dvdup import remote
from dvdup.config.uris import (
    SCHEMES,
    checked_uri,
    is_object_uri,
    is_uri,
    path_of,
    without_secrets,
)
from dvdup.discover.formats import Formats, is_dicom_name, may_be_dicom_name
from dvdup.discover.names import clean, inside, join, nfc, printable, relative
from dvdup.discover.rules import POINTER, STORE_SUFFIX, ZARR_MARKERS, ZARR_SUFFIXES, Rules, known
from dvdup.errors import ConfigError, InputError, Interrupted, ReadError
from dvdup.pointers import AbsentOuts
from dvdup.pointers import is_folder as is_kept_folder
from dvdup.records import LONELY, Ignored

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
    """As `Case.series`."""
    person: str = ""
    """As `DicomSeries.person`."""
    instances: bytes = b""
    """As `Case.instances`."""


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
    whole: bool = False
    """Whether the folder is one case itself: an array in many files, or content not here."""


class Search:
    """The search of one dataset; gathers in `ignored` what is left out (path -> reason)."""

    def __init__(
        self,
        root: Path,
        formats: Formats,
        rules: Rules,
        *,
        dicom_only: bool = False,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Set up a search.

        Args:
            root: Folder that the paths of cases are relative to.
            formats: What is known about formats.
            rules: What is left out by name.
            dicom_only: Look for DICOM in every file, whatever it is called.
            should_stop: Whether the user wants to stop.
        """
        self.root = os.path.abspath(root)
        self.formats = formats
        self.rules = rules
        self.ignored: dict[str, str] = {}
        self._absent = AbsentOuts()
        self._dicom_only = dicom_only
        self._should_stop = should_stop

    def poll(self) -> None:
        """Give up if the user wants to stop.

        Raises:
            Interrupted: So it is.
        """
        if self._should_stop():
            raise Interrupted("stopped while looking for scans; run it again to go on")

    def path(self, *parts: str) -> str:
        """Absolute path of something relative to the root (or to the folder given first).

        Of an address on an object store, and of what is beside or below one, that of its stand-in.

        Raises:
            ConfigError: A part is an address that dvdup cannot use.
            InputError: The object store cannot be asked.
        """
        here = [part if not is_uri(part) else _place_of(part) for part in parts]
        path = os.path.normpath(os.path.join(self.root, *here))
        uri = remote.uri_of(path)
        return path if uri is None else _asked(uri)

    def name(self, path: str) -> str:
        """A path as in `Case.files`: relative to the root inside it, else absolute; POSIX.

        Raises:
            InputError: It has characters that cannot be stored or printed.
        """
        prefix = self.root.rstrip(os.sep) + os.sep
        within = path.startswith(prefix)
        if uri := remote.uri_of(path):
            return clean(uri)
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

        A Zarr store, `a.zarr`, is no folder: it is taken as a whole.

        Raises:
            InputError: The folder cannot be read.
        """
        found = self._entries(path, self.name(path))
        return [(e.name, _is_plain_folder(e)) for e in found if not e.name.startswith(HIDDEN)]

    def demand_content(self, top: str) -> None:
        """Refuse a folder whose content is not here, where nothing else explains what is missing.

        Raises:
            ConfigError: It has DVC pointers without what they stand for, or empty submodules.
        """
        for name, folder in self.entries(top):
            path = inside(top, name)
            content = name.removesuffix(POINTER)
            command = self.formats.absent(Path(path)) if folder and not os.listdir(path) else ""
            if not folder and content != name and not os.path.lexists(inside(top, content)):
                command = f"dvc pull {printable(self.name(inside(top, content)))}"
            if command:
                raise ConfigError(
                    f"{printable(content)} is not here; bring it with `{printable(command)}`"
                )
        for name in self._absent.names(top):
            raise ConfigError(f"{printable(name)} is not here; bring it with `dvc pull`")

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
        return self._collect(folders)

    def _collect(self, folders: list[Folder]) -> list[Scan]:
        partners = self._partners(folders)
        found: list[Scan] = []
        for folder in folders:
            if folder.whole:
                stem = folder.below or os.path.basename(folder.path)
                if _is_store_name(stem):
                    stem = stem[: -len(STORE_SUFFIX)]
                found.append(Scan(nfc(clean(stem)), (clean(folder.name) or ".",)))
            else:
                found += self._of_folder(folder, partners)
        return found

    def _of_folder(self, folder: Folder, partners: _Partners) -> Iterator[Scan]:
        """Every file of a folder: part of a scan, known to be none, or a case that tells."""
        candidates: list[str] = []
        stems = Counter(
            self.formats.case_name(name)
            for name in folder.files
            if inside(folder.path, name) not in partners.taken
        )
        for name in folder.files:
            self.poll()
            if inside(folder.path, name) in partners.taken:
                continue
            claimed = self.formats.claims(name)
            if is_dicom_name(name) or (claimed and self._dicom_only):
                candidates.append(name)
            elif claimed:
                own = self.formats.case_name(name)
                stem = name if stems[own] > 1 else own  # Y92.jpg and Y92.png are two cases
                yield self._scan(folder, name, stem, partners)
            elif what := known(name):
                self.leave_out(join(folder.name, name), what)
            elif is_kept_folder(Path(inside(folder.path, name)), Path(self.root)):
                yield self._scan(folder, name, name, partners)
            else:
                candidates.append(name)
        if candidates:
            yield from self._dicom(folder, candidates, partners)

    def _scan(self, folder: Folder, name: str, stem: str, partners: _Partners) -> Scan:
        main = clean(join(folder.name, name))
        return Scan(
            nfc(join(folder.below, stem)), (main, *partners.of.get(inside(folder.path, name), ()))
        )

    def file(self, path: str, top: str | None = None) -> Scan:
        """One scan out of a file that somebody named, there or not.

        Args:
            path: Its absolute path.
            top: Folder that its stem starts below; None: its stem is the bare name.
        """
        companions = self.formats.companions(Path(path))
        files = (self.name(path), *(self.name(os.path.normpath(one)) for one in companions))
        base, folder = os.path.basename(path), os.path.dirname(path)
        below = relative(folder, top) if top is not None else ""
        return Scan(nfc(join(below, self.formats.case_name(base))), files)

    def _partners(self, folders: list[Folder]) -> _Partners:
        partners = _Partners({}, set())
        for folder in folders:
            for name in folder.files:
                self.poll()
                if self.formats.claims(name) and not is_dicom_name(name):
                    path = inside(folder.path, name)
                    companions = self.formats.companions(Path(path))
                    if companions:
                        paths = [os.path.normpath(one) for one in companions]
                        partners.of[path] = tuple(map(self.name, paths))
                        partners.taken.update(paths)
        return partners

    def _dicom(self, folder: Folder, names: list[str], partners: _Partners) -> Iterator[Scan]:
        """The DICOM series of a folder, what should be one, and what no reader reads."""
        where = Path(folder.path)
        found = self.formats.dicom_series(where, [where / name for name in names], self.poll)
        alone = len(found.series) == 1
        for one in found.series:
            members = [path.name for path in one.files]
            scan = self._series(folder, members, "" if alone else one.mark, one.series)
            yield replace(scan, person=one.person, instances=one.instances)
        for path in found.no_image:
            self.leave_out(join(folder.name, path.name), "DICOM without an image")
        broken = [path.name for path in found.broken]
        for path in found.foreign:
            if not self.formats.claims(path.name) and may_be_dicom_name(path.name):
                broken.append(path.name)
            else:
                yield self._scan(folder, path.name, self.formats.case_name(path.name), partners)
        if broken:
            mark = "unreadable" if found.series else ""
            yield self._series(folder, sorted(broken), mark, "")

    def _series(self, folder: Folder, members: list[str], mark: str, series: str) -> Scan:
        """Called as the folder if it holds nothing else; else by what tells the series apart."""
        files = tuple(clean(join(folder.name, name)) for name in members)
        if len(members) == 1 and (mark or not folder.below):
            stem = join(folder.below, self._bare(members[0]))
        else:
            own = folder.below or os.path.basename(folder.path)
            stem = f"{own}-{mark}" if mark else own
        return Scan(nfc(stem), files, series)

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
        self.poll()
        here = identity(path)
        if here in above:
            self.leave_out(name + "/", "a link back to a folder above it")
            return
        entries = self._entries(path, name)
        if self._is_one_case(path, entries):
            if reason:
                self.leave_out(name + "/", reason)
            else:
                yield Folder(path, name, below, (), whole=True)
            return
        files, subfolders = self._sorted_out(path, name, entries, reason)
        yield Folder(path, name, below, tuple(files))
        for sub in subfolders:
            full = join(name, sub)
            out = self.rules.folder_out(full, sub, reason)
            if out and not self.rules.can_take_back:
                self.leave_out(full + "/", out)
                continue
            further = (*above, here)
            yield from self._walk(inside(path, sub), full, join(below, sub), out, further)

    def _is_one_case(self, path: str, entries: Sequence[os.DirEntry[str]]) -> bool:
        if path.lower().endswith(ZARR_SUFFIXES):
            return True
        if not entries:
            named_as_scan = self.formats.claims(os.path.basename(path))
            return named_as_scan or bool(self.formats.absent(Path(path)))
        return any(entry.name in ZARR_MARKERS for entry in entries)

    def _sorted_out(
        self, path: str, name: str, entries: Sequence[os.DirEntry[str]], reason: str | None
    ) -> tuple[list[str], list[str]]:
        """Names of the files and of the folders that are not left out by their names."""
        files: list[str] = []
        subfolders: list[str] = []
        labels: list[str] = []
        present = {entry.name for entry in entries}
        for entry in entries:
            self.poll()
            full, is_folder = join(name, entry.name), _is_folder(entry)
            is_store = is_folder and _is_store_name(entry.name)
            if entry.name.startswith(HIDDEN):
                self.leave_out(full + "/" if is_folder else full, "hidden")
            elif is_folder and not is_store:
                subfolders.append(entry.name)
            elif file := self._stood_for(full, entry.name, present):
                if out := self._file_out(
                    join(name, file), file, reason, is_file=file in present and not is_store
                ):
                    self.leave_out(full, out)
                    may_be_scan = out.startswith("label map ") and not known(file)
                    labels += [entry.name] if may_be_scan else []
                else:
                    files.append(file)
        for stands in self._absent.names(path):
            full = join(name, stands)
            if stands in files or stands.startswith(HIDDEN):
                continue
            if out := self._file_out(full, stands, reason, is_file=False):
                self.leave_out(full, out)
            else:
                files.append(stands)
        self._tell_lonely(name, labels, sorted((*files, *subfolders)))
        return sorted(files), subfolders

    def _stood_for(self, full: str, name: str, present: set[str]) -> str:
        """The file itself, or what its DVC pointer stands for; "" for one beside its content.

        A pointer to a folder of which only a part is here stands for itself.
        """
        content = name.removesuffix(POINTER)
        if content == name or not content:
            return name
        if content in present:
            if self.formats.absent(Path(self.path(full))):
                return name
            self.leave_out(full, f"side-car ({POINTER})")
            return ""
        return content

    def _file_out(self, path: str, name: str, reason: str | None, *, is_file: bool) -> str | None:
        out = self.rules.file_out(path, name, reason)
        if out or is_file:
            return out
        # a pointer may stand for a folder, and a Zarr store is one
        return self.rules.folder_out(path, name, reason)

    def _tell_lonely(self, folder: str, labels: Sequence[str], others: Sequence[str]) -> None:
        """Remember label maps that have nothing beside them that they could be labels of."""
        for name in labels:
            stem = self.formats.case_name(name)
            start = stem[: max(stem.rfind("_"), stem.rfind("-"), 0)]
            place = bisect_left(others, start)
            if place == len(others) or not others[place].startswith(start):
                full = printable(join(folder, name))
                self.ignored[full] = self.ignored[full].removesuffix(LONELY) + LONELY

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


def _is_plain_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, and no Zarr store."""
    return not _is_store_name(entry.name) and _is_folder(entry)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a closed folder
        return False


def _is_store_name(name: str) -> bool:
    return name.lower().endswith(STORE_SUFFIX)


def _place_of(text: str) -> str:
    """The path of an address: a folder of this machine, or a stand-in."""
    if text.startswith("file:"):
        return str(path_of(text))
    if not is_object_uri(text):
        raise ConfigError(
            f"{without_secrets(text)} is an address of a kind that dvdup does not read (it reads "
            f"{', '.join(f'{each}://' for each in (*SCHEMES, 'file'))}); copy what is there, and "
            "name the copy"
        )
    return _asked(text if remote.is_known(text) else checked_uri(text))


def _asked(uri: str) -> str:
    try:
        return remote.path_of(uri)
    except ReadError as error:
        raise InputError(str(error)) from error


def is_folder(path: str) -> bool:
    """Whether a path is a folder, or a link to one."""
    try:
        return S_ISDIR(os.stat(path).st_mode)
    except OSError:
        return False


def subfolders(path: str) -> list[str]:
    """Names of the folders in a folder that are not hidden, sorted; empty if it is unreadable.

    As in `Search.entries`, a Zarr store is no folder.
    """
    try:
        with os.scandir(path) as entries:
            shown = [entry for entry in entries if not entry.name.startswith(HIDDEN)]
            found = [entry.name for entry in shown if _is_plain_folder(entry)]
    except OSError:
        return []
    return sorted(found)


def files_in(path: str) -> list[str]:
    """Names of what is in a folder, no folder and not hidden, sorted; empty if it is unreadable."""
    try:
        with os.scandir(path) as entries:
            shown = [entry for entry in entries if not entry.name.startswith(HIDDEN)]
            found = [entry.name for entry in shown if not _is_plain_folder(entry)]
    except OSError:
        return []
    return sorted(found)


def identity(path: str) -> tuple[int, int]:
    """What tells a folder from all others, whatever link leads to it."""
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)  # reading it says what is wrong
    return (status.st_dev, status.st_ino)
