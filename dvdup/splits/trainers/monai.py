"""A datalist of MONAI: the lists `training`, `validation` and `test`, as proposed.

An entry that a `dataset.json` has for a case is taken over with its label; the others have their
image alone. Format: `monai.data.load_decathlon_datalist`.
"""

from __future__ import annotations

import json

from dvdup.records import Proposal
from dvdup.splits.trainers.files import DatasetFiles
from dvdup.splits.trainers.lists import lists_of
from dvdup.splits.trainers.msd import KEYS


def render(proposal: Proposal, files: DatasetFiles) -> str:
    """Return the file."""
    return json.dumps(lists_of(proposal, files, KEYS), indent=2, ensure_ascii=False) + "\n"
