"""The variant rows of a database, as a file of the work folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dvdup.compare.variant_rows import VariantRows


def save(file: Path, cases: Sequence[VariantRows]) -> None:
    """Write the rows of all cases, whole or not at all."""
    part = file.with_name(file.name + ".part")
    with part.open("wb") as stream:
        payloads: dict[str, Any] = {
            f"{n:09}": np.frombuffer(case.to_bytes(), np.uint8) for n, case in enumerate(cases)
        }
        np.savez(stream, allow_pickle=False, **payloads)
    part.replace(file)


def load(file: Path) -> list[VariantRows]:
    """Read them back, in the same order."""
    with np.load(file) as found:
        return [VariantRows.from_bytes(found[name].tobytes()) for name in sorted(found.files)]
