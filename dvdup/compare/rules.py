"""Everything a verdict depends on besides the scans."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dvdup.compare import calibrated, verdicts
from dvdup.compare.match import MatchSettings
from dvdup.compare.verdicts import Thresholds
from dvdup.config import Config
from dvdup.store import IndexMeta
from dvdup.verify import Limits


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything a verdict depends on besides the scans."""

    limits: Thresholds
    """Of the scores."""
    candidates: int
    """Candidates of a case that are no copies, after which no more are compared; 0: none at all."""
    voxels: Limits = field(default_factory=Limits)
    """Of the voxel evidence."""

    def describe(self) -> dict[str, Any]:
        """For the settings of a report."""
        voxels = {"candidates": self.candidates, **self.voxels.describe()}
        return {**self.limits.describe(), "voxels": voxels if self.candidates else None}

    @property
    def match(self) -> MatchSettings:
        """How pairs are scored."""
        return MatchSettings(margin=self.limits.margin, floor=self.limits.floor)


def rules_of(config: Config, meta: IndexMeta) -> Rules:
    """The rules for an index.

    Raises:
        ConfigError: A calibration is configured that was made with other settings.
    """
    return Rules(
        verdicts.thresholds_for(meta.embedder.name),
        config.verify.candidates,
        calibrated.limits_of(config, meta),
    )
