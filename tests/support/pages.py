"""A browser for pages on disk, and a report that fills one."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dvdup.records import PairPictures, Picture, Pictures

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
REQUIRED = os.environ.get("BROWSER_TESTS") == "required"
"""Where a browser must be there, as in CI, its tests fail without one."""

needs_browser = pytest.mark.skipif(
    not REQUIRED and (CHROMIUM is None or find_spec("playwright") is None),
    reason="needs Chromium on the PATH and playwright",
)


@dataclass
class Watched:
    """A page, and what it did that no page should do."""

    page: Any
    faults: list[str] = field(default_factory=list)
    """Messages of the console, errors of scripts, requests to anywhere."""


@contextmanager
def opened(file: Path, *, width: int = 1280, scheme: str = "light") -> Iterator[Watched]:
    """Open a file in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        # --no-sandbox: containers of CI services run as root
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        watched = Watched(page)
        page.on("console", lambda message: watched.faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: watched.faults.append(f"error: {error}"))
        page.on("request", lambda request: _watch(watched, file, request.url))
        page.goto(file.as_uri())
        yield watched
        browser.close()


def _watch(watched: Watched, file: Path, url: str) -> None:
    if url != file.as_uri() and not url.startswith("data:"):
        watched.faults.append(f"request: {url}")


def picture(seed: int, caption: str, size: tuple[int, int] = (144, 120)) -> Picture:
    """A small picture, of about as many bytes as one of a slice."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (13, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    image.save(file, "WEBP", quality=60)
    return Picture(file.getvalue(), size, caption)


def pictures(n: int) -> Pictures:
    """Of n pairs; of the last one there are none."""
    drawn = [
        PairPictures(
            rows=tuple(
                tuple(
                    picture(100 * i + 10 * row + column, f"plane {row}, slice {column} of 0-9")
                    for column in range(3)
                )
                for row in range(3)
            ),
            matrix=picture(100 * i + 99, "right: axial 0-9, up: axial 0-9", (200, 200)),
        )
        for i in range(n - 1)
    ]
    return (*drawn, PairPictures(notes=("no picture: its file has <gone>",)))
