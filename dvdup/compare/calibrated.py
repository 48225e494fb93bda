"""A stored calibration and the index at hand: whether it holds, and what is worth saying."""

from __future__ import annotations

from dvdup import verify
from dvdup.config import CalibrationConfig, Config
from dvdup.errors import ConfigError
from dvdup.records import Say
from dvdup.store import Index, IndexMeta
from dvdup.verify import Limits

_GROWN = 2  # times as many cases ask for a new calibration


def limits_of(config: Config, meta: IndexMeta) -> Limits:
    """The constants of the voxel evidence: as shipped, or with the calibrated threshold.

    Raises:
        ConfigError: The calibration was made with another embedder, recipe or scale.
    """
    found = config.calibration
    if found.threshold is None:
        return Limits()
    reason = misfit(found, meta)
    if reason is not None:
        raise ConfigError(
            f"the calibration in {_named(config)} {reason}; run `dvdup calibrate` again, or "
            "remove [calibration] from it"
        )
    return Limits().with_copy(found.threshold)


def misfit(found: CalibrationConfig, meta: IndexMeta) -> str | None:
    """Why a calibration says nothing about an index, None if it does."""
    spec = meta.embedder
    if found.embedder != spec.name:
        return f"was made with the embedder {found.embedder}, not with {spec.name}"
    if (found.weights or "") != spec.weights_hash:
        return f"was made with other weights of {spec.name}"
    if found.recipe != meta.recipe_hash:
        return "was made with another slicing recipe"
    if found.strength != verify.STRENGTH:
        return "was made by a dvdup that measures the strength of evidence in another way"
    return None


def remark(config: Config, index: Index) -> str | None:
    """What the user should know about a calibration that holds, but not quite any more."""
    found = config.calibration
    if found.threshold is None or found.cases is None or found.candidates is None:
        return None
    now = n_cases(index)
    if now >= _GROWN * found.cases:
        return (
            f"note: the index has grown from {found.cases} to {now} cases since "
            "`dvdup calibrate`; more false alarms are to be expected, run it again"
        )
    if config.verify.candidates > found.candidates:
        return (
            f"note: {config.verify.candidates} candidates a case are compared now, "
            f"{found.candidates} when `dvdup calibrate` was run; run it again"
        )
    return None


def warn_if_outgrown(config: Config, index: Index, say: Say) -> None:
    """Say that a calibration was made for a smaller index."""
    line = remark(config, index)
    if line is not None:
        say(line)


def n_cases(index: Index) -> int:
    """Cases that can be compared."""
    return sum(case.n_slices > 0 for case in index.cases)


def _named(config: Config) -> str:
    return config.file.name if config.file is not None else "the configuration"
