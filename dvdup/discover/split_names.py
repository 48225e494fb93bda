"""Names that say a split: train, Validation, test_set, fold_3."""

from __future__ import annotations

import re

from dvdup.config import split_name_fault

_SPLIT = re.compile(
    r"((images?|imgs?|scans?|volumes?|data)[ _.-]?)?"
    r"(train(ing)?|tr|trn|val|valid|validation|va|dev|devel|development|test(ing)?|ts|tst|te"
    r"|eval|evaluation|hold[ _-]?out|held[ _-]?out|fold(?=[ _-]?\d)|split(?=[ _-]?\d))"
    r"([ _.-]?(set|data|split|images?|scans?|cases))?[ _-]?\d{0,3}",
    re.IGNORECASE,
)
"""Names of split folders and of lists; the split is called so."""


def is_split_name(name: str) -> bool:
    """Whether a folder or a list of this name is a split."""
    return _SPLIT.fullmatch(name) is not None and split_name_fault(name) is None
