"""Fixtures of the reader tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from reader_scans import Read

from dvdup import readers
from dvdup.records import Case, Volume


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read files of the test's folder as one case."""

    def read_names(*names: str, series: str | None = None) -> Volume:
        return readers.read_volume(tmp_path, Case("train", "c", names, series=series))

    return read_names
