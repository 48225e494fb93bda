"""From files, environment and flags to one `Config`."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath

from dvdup.config.kinds import Unfit, did_you_mean
from dvdup.config.settings import CalibrationConfig, Config, DatasetConfig, build, settings_table
from dvdup.config.uris import checked_uri, is_object_uri, is_uri, path_of
from dvdup.errors import ConfigError

CONFIG_NAME = "dvdup.toml"
PROJECT_NAME = "pyproject.toml"

_PREFIX = "DVDUP_"
_CONFIG_VARIABLE = "DVDUP_CONFIG"
_SETTINGS = {setting.key: setting for setting in settings_table()}
_SECTIONS = {key.rpartition(".")[0] for key in _SETTINGS} - {""}


def load_config(
    *,
    config: Path | None,
    cwd: Path,
    environ: Mapping[str, str],
    overrides: Mapping[str, object],
    outside: bool = False,
    warn: Callable[[str], None] = lambda line: None,
) -> Config:
    """Combine flags, environment, configuration file and defaults.

    Args:
        config: Configuration file asked for, relative to `cwd`. None looks for one, from `cwd`
            upwards to the top of the git repository or of the file system.
        cwd: The working folder.
        environ: The environment; an empty variable counts as not set.
        overrides: Flags, keyed as in `settings_table`; texts are parsed as variables are.
        outside: Whether a file may put the index outside of its own folder. A flag or variable
            may, they are the user's; a file may have come with somebody's data.
        warn: Called with a line about each variable that starts as ours do and is none of them.

    Returns:
        The settings. An `index` from a flag or variable is relative to `cwd`, as typed; one from
        a file is relative to that file.

    Raises:
        ConfigError: A file, a key or a value cannot be used; says where it stands.
    """
    cwd = Path(os.path.abspath(cwd))
    if config is None and environ.get(_CONFIG_VARIABLE, "").strip():
        config = Path(environ[_CONFIG_VARIABLE].strip())
    file = _find(cwd) if config is None else Path(os.path.abspath(cwd / config))
    values = dict(_from_file(file, _shown(file, cwd))) if file is not None else {}
    nearer = dict(_from_environ(environ, warn)) | dict(_from_flags(overrides))
    root = file.parent if file is not None else cwd
    for source, base in ((values, root), (nearer, cwd)):
        if "index" in source:
            source["index"] = _index(str(source["index"]), base, root)
    if file is not None and "index" in values and "index" not in nearer and not outside:
        _demand_inside(str(values["index"]), file, cwd)
    if file is not None and "runner" in values and "runner" not in nearer:
        _demand_own_machine(str(values["runner"]), file, cwd)
    declares = file is not None and not (values and all(map(_calibrates, values)))
    loaded: Config = build(Config, values | nearer, root=root, file=file, declares=declares)
    loaded = dataclasses.replace(loaded, dataset=_located(loaded.dataset))
    _check_dataset(loaded.dataset)
    _check_calibration(loaded.calibration, file, cwd)
    return loaded


def _find(cwd: Path) -> Path | None:
    for folder in (cwd, *cwd.parents):
        own, project = folder / CONFIG_NAME, folder / PROJECT_NAME
        in_project = project.is_file() and _own_table(project, _shown(project, cwd)) is not None
        if own.is_file() and in_project:
            raise ConfigError(
                f"{_shown(own, cwd)} and [tool.dvdup] in {PROJECT_NAME} beside it both configure "
                "dvdup; keep one of them"
            )
        if own.is_file() or in_project:
            return own if own.is_file() else project
        if (folder / ".git").exists():
            return None
    return None


def _from_file(file: Path, shown: str) -> Iterator[tuple[str, object]]:
    table: Mapping[str, object] | None
    if file.name == PROJECT_NAME:
        table = _own_table(file, shown)
        if table is None:
            raise ConfigError(f"{shown} has no [tool.dvdup]; add it, or name another file")
        shown = f"{shown}: [tool.dvdup]"
    else:
        table = _toml(file, shown)
    yield from _from_table(table, shown)


def _own_table(project: Path, shown: str) -> Mapping[str, object] | None:
    """The [tool.dvdup] of a pyproject.toml, None if it has none."""
    if b"dvdup" not in _bytes(project, shown):
        return None  # whether somebody else's file is valid is not our business
    tool = _toml(project, shown).get("tool")
    table = tool.get("dvdup") if isinstance(tool, Mapping) else None
    return table if isinstance(table, Mapping) else None


def _bytes(file: Path, shown: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError(f"configuration file {shown}: {reason}; name one to read") from error


def _toml(file: Path, shown: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(_bytes(file, shown).decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        text = str(error)
        raise ConfigError(f"{shown} is not valid TOML: {text[:1].lower()}{text[1:]}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown} is not UTF-8 text (byte {error.start}); save it so") from error


def _from_table(
    table: Mapping[str, object], shown: str, prefix: str = ""
) -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        key = prefix + name
        if key in _SETTINGS:
            yield key, _parsed(key, value, f"{shown}: {key}")
        elif key not in _SECTIONS:
            raise _unknown_key(name, prefix, shown)
        elif not isinstance(value, Mapping):
            raise ConfigError(f"{shown}: {key} must be a table, got {value!r}; write [{key}]")
        else:
            yield from _from_table(value, shown, f"{key}.")


def _unknown_key(name: str, prefix: str, shown: str) -> ConfigError:
    below = [key[len(prefix) :] for key in _SETTINGS if key.startswith(prefix)]
    known = list(dict.fromkeys(key.partition(".")[0] for key in below))
    meant = did_you_mean(name, known) or ";"
    where = f"known in [{prefix[:-1]}]" if prefix else "known"
    return ConfigError(f"{shown}: unknown key {prefix}{name}{meant} {where}: {', '.join(known)}")


def _from_environ(
    environ: Mapping[str, str], warn: Callable[[str], None]
) -> Iterator[tuple[str, object]]:
    keys = {setting.variable: setting.key for setting in _SETTINGS.values() if setting.variable}
    known = sorted([*keys, _CONFIG_VARIABLE])
    for name in sorted(environ):
        if not name.startswith(_PREFIX) or name == _CONFIG_VARIABLE:
            continue
        if name not in keys:  # others use the prefix too: DVDUP_VERSION in CI files
            meant = did_you_mean(name, known)
            warn(f"note: the variable {name} is none of dvdup's and has no effect{meant}")
        elif environ[name].strip():
            yield keys[name], _parsed_text(keys[name], environ[name].strip(), name)


def _from_flags(overrides: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in overrides.items():
        if key not in _SETTINGS:
            raise ConfigError(f"unknown setting {key}{did_you_mean(key, list(_SETTINGS))}")
        flag = "--" + key.rpartition(".")[2].replace("_", "-")
        parse = _parsed_text if isinstance(value, str) else _parsed
        yield key, parse(key, value, flag)  # type: ignore[arg-type]


def _parsed_text(key: str, text: str, where: str) -> object:
    from_text = _SETTINGS[key].kind.from_text
    if from_text is None:
        raise ConfigError(f"{where}: {key} can be set in a file only")
    try:
        return from_text(text)
    except ValueError as error:
        raise _unfit(key, text, where, error) from error


def _parsed(key: str, value: object, where: str) -> object:
    try:
        return _SETTINGS[key].kind.parse(value)
    except ValueError as error:
        raise _unfit(key, value, where, error) from error


def _unfit(key: str, value: object, where: str, error: ValueError) -> ConfigError:
    why = f" ({error})" if isinstance(error, Unfit) and str(error) else ""
    return ConfigError(f"{where} must be {_SETTINGS[key].kind.what}, got {value!r}{why}")


def _demand_inside(index: str, file: Path, cwd: Path) -> None:
    """Refuse an index of a configuration file that lies elsewhere, links followed."""
    real = os.path.realpath(file.parent / index)
    inside = PurePath(real).is_relative_to(os.path.realpath(file.parent))
    if is_object_uri(index) or not inside:
        raise ConfigError(
            f"{_shown(file, cwd)}: index {index!r} lies outside of the folder of that file; if you "
            "trust it, add --outside-index, or name the index yourself with --index"
        )


def _demand_own_machine(runner: str, file: Path, cwd: Path) -> None:
    """Refuse the cluster of a configuration file: what it answers is run as code here."""
    if is_uri(runner):
        raise ConfigError(
            f"{_shown(file, cwd)}: runner {runner!r} is another machine, which could do anything "
            "with this one; if you trust it, name it yourself with --runner or DVDUP_RUNNER"
        )


def _index(text: str, base: Path, root: Path) -> str:
    """A folder relative to the root where it lies inside, else absolute; or an address.

    Raises:
        ConfigError: It is an address that dvdup cannot use.
    """
    is_file = text.startswith("file:")
    if is_uri(text) and not is_file:
        return checked_uri(text)
    folder = PurePath(os.path.abspath(base / (path_of(text) if is_file else text)))
    return (folder.relative_to(root) if folder.is_relative_to(root) else folder).as_posix()


def _shown(file: Path, cwd: Path) -> str:
    """A file as messages name it: relative to the working folder."""
    try:
        return Path(os.path.relpath(file, cwd)).as_posix()
    except ValueError:  # on another drive
        return str(file)


_FILES = {
    "csv": ("csv", "dicom", "bids"),
    "json": ("monai", "croissant"),
    "folds": ("msd",),
    "splits": ("folders", "lists", "dicom", "bids"),
}
"""Keys of the dataset -> the layouts that use them."""


def _located(dataset: DatasetConfig) -> DatasetConfig:
    """Addresses as they are used: those of folders of this machine as paths, others checked.

    Raises:
        ConfigError: One cannot be used.
    """
    return dataclasses.replace(
        dataset,
        path=_place(dataset.path),
        csv=dataset.csv and _place(dataset.csv),
        json=dataset.json and _place(dataset.json),
        folds=dataset.folds and _place(dataset.folds),
        splits={split: tuple(map(_place, each)) for split, each in dataset.splits.items()},
    )


def _place(text: str) -> str:
    if not is_uri(text):
        return text
    return path_of(text).as_posix() if text.startswith("file:") else checked_uri(text)


def _check_dataset(dataset: DatasetConfig) -> None:
    """Refuse settings that the layout would leave unused."""
    given = [key for key in _FILES if getattr(dataset, key)]
    for key in given:
        if dataset.layout not in ("auto", *_FILES[key]):
            raise ConfigError(
                f"dataset.{key} is set but dataset.layout is {dataset.layout}; set it to "
                f"{' or '.join(_FILES[key])}, or take one of the two away"
            )
    if len(given) > 1:
        raise ConfigError(
            f"dataset.{given[0]} and dataset.{given[1]} are both set, and each names the splits; "
            "take one of them away"
        )
    if dataset.layout == "arrays" and not dataset.arrays:
        raise ConfigError(
            "dataset.layout is arrays, but dataset.arrays is not set; name the files in it"
        )


def _calibrates(key: str) -> bool:
    return key.startswith("calibration.")


def _check_calibration(calibration: CalibrationConfig, file: Path | None, cwd: Path) -> None:
    """A calibration holds only together with what it was fitted on."""
    missing = calibration.missing
    if file is not None and missing and calibration != CalibrationConfig():
        raise ConfigError(
            f"{_shown(file, cwd)}: [calibration] has no {missing[0]}; run `dvdup calibrate` "
            "again, or remove the table"
        )
