"""How large an HTML report of many pairs is, and how soon a browser answers.

    python tests/perf/html_report.py [PAIRS]

Makes a report with pictures of the size that slices have, writes it to a temporary folder and opens
it in the Chromium on the PATH. Prints bytes, the time to render, and in the browser: until the page
is interactive (its script has run), until a search is answered, until it is sorted by name, and
until all pictures are unfolded. Each is the median of three.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "support"))

from pages import opened, pictures

from dvdup.records import Finding, Member, RefInfo, Report
from dvdup.report import render

ROUNDS = 3


def made(pairs: int) -> Report:
    """A report of so many near copies."""
    found = [
        Finding(
            Member(f"scan-{i:04}", "train", None, (f"train/scan-{i:04}.nii.gz",)),
            Member(f"copy-{i:04}", "test", None, (f"test/copy-{i:04}.nii.gz",)),
            "near",
            "voxels",
            "rotated 15 degrees; local correlation 0.998, of fine structures 0.988",
            0.99,
            None,
            None,
            None,
            f"{i:032x}",
            alignment={"angle": 15.0, "scale": [1.0, 1.0, 1.0], "offset_mm": [0.0, 1.0, 2.0]},
            voxel={"correlation": 0.998, "fine": 0.988, "overlap": [1.0, 0.9]},
        )
        for i in range(pairs)
    ]
    refs = (RefInfo("train", "train", 2 * pairs), RefInfo("test", "test", pairs))
    return Report({"embedder": "builtin"}, refs, tuple(found), (), ())


def in_browser(file: Path) -> dict[str, float]:
    """Milliseconds of one visit."""
    with opened(file, width=1280) as watched:
        page = watched.page
        page.wait_for_load_state("load")
        # a call that is followed by a frame: what a user waits for
        timed = """(work) => new Promise((done) => {
            const start = performance.now();
            work();
            requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
        })"""
        found = {
            "interactive": page.evaluate(
                "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
            ),
            "search": page.evaluate(
                f"({timed})(() => {{ const s = document.getElementById('search');"
                "s.value = 'copy-01'; s.dispatchEvent(new Event('input', {bubbles: true})); })"
            ),
            "sort": page.evaluate(
                f"({timed})(() => document.querySelector('th[data-key=left] button').click())"
            ),
            "unfold": page.evaluate(f"({timed})(() => document.getElementById('unfold').click())"),
        }
        assert watched.faults == [], watched.faults
        return found


def median(measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Of each number over the rounds."""
    rounds = [measure() for _ in range(ROUNDS)]
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def main() -> None:
    """Measure and print."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    report, drawn = made(pairs), pictures(pairs)
    start = time.perf_counter()
    text = render(report, "html", pictures=drawn)
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_text(text, encoding="utf-8")
        print(f"{pairs} pairs: {len(text) / 1e6:.1f} MB, rendered in {seconds:.2f} s")
        for name, value in median(lambda: in_browser(file)).items():
            print(f"{name:12} {value:6.0f} ms")


if __name__ == "__main__":
    main()
