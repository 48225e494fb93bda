"""Folders full of empty files, and discovery as the pipeline calls it."""

from __future__ import annotations

import pytest

from dvdup import discover
from dvdup.config import DatasetConfig
from dvdup.sealed import nowhere
from dvdup.workspace import readers_as_formats


@pytest.fixture
def touch(tmp_path):
    """Make files of some names; discovery does not read them."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


@pytest.fixture
def declared(tmp_path):
    """Discover with some settings."""

    def run(**settings):
        formats = readers_as_formats(nowhere())
        return discover.discover(tmp_path, DatasetConfig(**settings), formats)

    return run


@pytest.fixture
def found(declared):
    """Discover with some settings: {(split, case id): files}, and what was left out."""

    def run(**settings):
        declaration = declared(**settings)
        cases = {case.key: case.files for case in declaration.cases}
        return cases, {path.path: path.reason for path in declaration.ignored}

    return run


@pytest.fixture
def by_hand(tmp_path, monkeypatch):
    """Name files by hand: the cases found."""

    def run(*paths, split="train", case=None, group=None, **settings):
        monkeypatch.chdir(tmp_path)
        return discover.by_hand(
            tmp_path,
            paths,
            split=split,
            case=case,
            group=group,
            dataset=DatasetConfig(**settings),
            formats=readers_as_formats(nowhere()),
        ).cases

    return run


@pytest.fixture
def detect(tmp_path):
    """What `dvdup init` takes the folder for."""
    return lambda: discover.detect(tmp_path, readers_as_formats(nowhere()))
