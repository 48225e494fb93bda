"""Print the scans of one folder that are in another one already.

    python diff_folders.py data/train data/test

The folders need no layout and no dvdup.toml, and nothing is left behind. The exit code is that of
`dvdup diff`: 0 clean, 1 findings, 2 some scans could not be checked.
"""

from __future__ import annotations

import sys
import tempfile

import dvdup


def diff_folders(train: str, test: str, index: str) -> tuple[dvdup.Report, int]:
    """Index two folders and compare them; gives the report and the exit code."""
    dataset = dvdup.open_dataset(settings={"index": index, "embedder": "thumbnail"})
    dataset.add([train], split="train")
    dataset.add([test], split="test")
    report = dataset.diff("train", "test")
    return report, dataset.exit_code(report)


def main() -> int:
    """Print one line a finding, strongest first."""
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory() as index:
            report, code = diff_folders(*sys.argv[1:], index)
    except dvdup.DvdupError as error:
        print(error, file=sys.stderr)
        return 2
    for pair in report.pairs:
        print(f"{pair.b.paths[0]} is {pair.verdict} to {pair.a.paths[0]}: {pair.reason}")
    for case in report.unreadable:
        print(f"{case.paths[0]} could not be checked: {case.reason}")
    return code


if __name__ == "__main__":
    sys.exit(main())
