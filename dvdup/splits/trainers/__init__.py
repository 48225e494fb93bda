"""The files of splits that trainers read, written from a proposal.

A trainer is one module with `render(proposal, files) -> str` and one row of `TRAINERS`.
"""

from __future__ import annotations

from importlib import import_module

from dvdup.records import Proposal
from dvdup.splits.trainers.files import DatasetFiles, TableRow

__all__ = ["TRAINERS", "DatasetFiles", "TableRow", "trainer_file"]

TRAINERS: dict[str, str] = {
    "csv": "a table with the path and the split of each scan",
    "msd": "dataset.json of the Medical Segmentation Decathlon",
    "monai": "a datalist of MONAI",
    "nnunet": "splits_final.json of nnU-Net",
}
"""Every kind of file by the name that users give it, and what it is."""


def trainer_file(name: str, proposal: Proposal, files: DatasetFiles) -> str:
    """The text of a file in which the splits are as proposed, ending with a newline.

    Args:
        name: A name from `TRAINERS`.
        proposal: What changes.
        files: How the dataset is declared now.

    Raises:
        InputError: The splits cannot be written so.
    """
    module = import_module(f"dvdup.splits.trainers.{name}")
    text: str = module.render(proposal, files)
    return text
