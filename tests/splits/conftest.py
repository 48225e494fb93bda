from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest

from dvdup.records import GroupedCase, IndexedCase
from dvdup.splits import grouped


def make_cases(labels: Iterable[str], *groups: tuple[str, ...]) -> tuple[GroupedCase, ...]:
    """Cases by `split/case`; each tuple names cases that belong together."""
    keys = {label: tuple(label.split("/", 1)) for label in labels}
    rows = [IndexedCase(split, case, ()) for split, case in keys.values()]
    pairs = [(keys[one], keys[other]) for group in groups for one, other in pairwise(group)]
    return tuple(
        GroupedCase(each.split, each.case, each.group, None, (f"{each.label}.nii.gz",), True)
        for each in grouped(rows, pairs)
    )


@pytest.fixture(scope="session")
def cases() -> Callable[..., tuple[GroupedCase, ...]]:
    """`make_cases`."""
    return make_cases
