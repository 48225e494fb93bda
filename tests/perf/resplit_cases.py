"""Measure how long a proposal takes for many cases whose groups lie across three splits.

Run as `python tests/perf/resplit_cases.py [CASES ...]`; prints a line for each number of cases.
"""

from __future__ import annotations

import random
import sys
import time

from dvdup.records import GroupedCase, SplitWish
from dvdup.splits import parted, propose

SPLITS = ("train", "val", "test")


def tangle(n: int) -> tuple[list[GroupedCase], SplitWish]:
    """N cases of 0.75 n groups, dealt at random, with five classes; test is kept, all is asked."""
    luck = random.Random(0)
    cases = [
        GroupedCase(
            split=luck.choices(SPLITS, (0.7, 0.15, 0.15))[0],
            case=f"c{number}",
            group=f"{luck.randrange(max(1, n * 3 // 4)):016x}",
            subject=None,
            paths=(),
            checked=True,
        )
        for number in range(n)
    ]
    labels = {case.key: luck.choice("abcde") for case in cases}
    return cases, SplitWish(SPLITS, frozenset({"test"}), sizes=True, labels=labels)


def main() -> None:
    for n in map(int, sys.argv[1:] or ("2000",)):
        cases, wish = tangle(n)
        start = time.perf_counter()
        proposal = propose(cases, wish)
        seconds = time.perf_counter() - start
        assert not parted(proposal)
        print(f"{n} cases: {seconds:.1f} s, {proposal.moved} moved, {proposal.dropped} dropped")


if __name__ == "__main__":
    main()
