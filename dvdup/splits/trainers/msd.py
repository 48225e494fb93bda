"""`dataset.json` of the Medical Segmentation Decathlon with its lists as proposed.

Whatever else the file says stays, `numTraining` and `numTest` are counted anew. Format:
http://medicaldecathlon.com.
"""

from __future__ import annotations

import json
from typing import Any

from dvdup.records import Proposal
from dvdup.splits.trainers.files import DatasetFiles
from dvdup.splits.trainers.lists import lists_of

KEYS = {"train": "training", "val": "validation", "test": "test"}
"""Split -> the list of its cases."""
_COUNTS = {"training": "numTraining", "test": "numTest"}


def render(proposal: Proposal, files: DatasetFiles) -> str:
    """Return the file."""
    lists = lists_of(proposal, files, KEYS)
    document: dict[str, Any] = {**files.listed, **lists}
    for name, count in _COUNTS.items():
        if count in files.listed or not files.listed:
            document[count] = len(lists.get(name, ()))
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
