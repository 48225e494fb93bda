"""Groups of cases that belong into one split, and what to change so that they lie in one.

In: the cases of an index and which pairs of them may not be parted. Out: a group for every case, a
proposal of what to move or drop, and the files of splits that trainers read. Nothing here reads or
changes a scan.
"""

from dvdup.splits.groups import grouped, groups_of, pairs_of_subjects
from dvdup.splits.proposal import parted, propose
from dvdup.splits.trainers import TRAINERS, DatasetFiles, TableRow, trainer_file

__all__ = [
    "TRAINERS",
    "DatasetFiles",
    "TableRow",
    "grouped",
    "groups_of",
    "pairs_of_subjects",
    "parted",
    "propose",
    "trainer_file",
]
