"""A plan on paper for datasets of very many cases: `scale.md` is made from it.

    python examples/scale.py [CASES...]

Everything is computed from `CONSTANTS`, each of which says where it was measured, and from the
constants by which dvdup itself guesses how long a command takes.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dvdup.compare.shortlist import FIRST
from dvdup.config.settings import VerifyConfig
from dvdup.forecast import PAIR, READ, VARIANTS

TEST = 0.2
"""Share of the cases that lie in test and ask; the others lie in train."""
COMPARED = 1.4
"""Pairs of a clean case of test whose voxels are compared, the bar that dvdup is held to."""
CORES = (1, 16, 256)
SIZES = (100_000, 1_000_000, 10_000_000)


@dataclass(frozen=True)
class Constant:
    """Something that was measured."""

    value: float
    unit: str
    what: str
    where: str


_HERE = "`tests/perf/approximate.py`, a million slices, one core"
_LEFT = "the same, what is left of the whole search by shortlists"
_INDEX = "an index of 12 crops of the hippocampus, `builtin`"
_FORECAST = "`dvdup.forecast`: heads between 2 mm and 1 mm, one core"
CONSTANTS = {
    "read": Constant(READ, "s", "a scan read, cut and embedded", _FORECAST),
    "variants": Constant(VARIANTS, "s", "its views embedded, by which it is found", _FORECAST),
    "compare": Constant(PAIR, "s", "the voxels of a pair compared", _FORECAST),
    "exact": Constant(26.0e-6, "s", "the rank scores of a pair", _HERE),
    "coarse": Constant(5.3e-6, "s", "the coarse scores of a pair", _HERE),
    "listed": Constant(916e-6, "s", "those of a pair on a shortlist, its rows read", _LEFT),
    "lists": Constant(403e-6, "s", "the kept lists of a case read and written", _HERE),
    "proxy": Constant(59_344, "bytes", "a case in the table of cases", _INDEX),
    "slices": Constant(19_786, "bytes", "its slices in the table of slices", _INDEX),
    "rows": Constant(37_971, "bytes", "its variant rows", _HERE),
    "kept": Constant(6_942, "bytes", "the kept lists of a case that asks", _HERE),
}


@dataclass(frozen=True)
class Step:
    """A part of a command."""

    what: str
    seconds: float
    """Of one core."""
    is_shared: bool = True
    """Whether the cores share it."""

    def on(self, cores: int) -> float:
        """Seconds on so many cores, where none waits for another."""
        return self.seconds / cores if self.is_shared else self.seconds


def of(name: str) -> float:
    """A constant."""
    return CONSTANTS[name].value


def storage(cases: int) -> dict[str, float]:
    """Bytes beside a dataset."""
    return {
        "cases, with small copies": cases * of("proxy"),
        "slices": cases * of("slices"),
        "variant rows": cases * of("rows"),
        "kept lists": cases * TEST * of("kept"),
    }


def searches(asking: float, others: float) -> tuple[Step, Step]:
    """The search for candidates, exactly and by shortlists."""
    pairs = asking * others
    drawn = min(2 * FIRST, others)
    by_shortlists = pairs * of("coarse") + asking * drawn * of("listed")
    return (
        Step("search, exact", pairs * of("exact")),
        Step("search, by shortlists", by_shortlists),
    )


def first_check(cases: int) -> list[Step]:
    """What the first check of train and test does; of the two searches it makes one."""
    asking, others = TEST * cases, (1 - TEST) * cases
    return [
        Step("read and embed", cases * of("read")),
        Step("embed views", cases * of("variants")),
        *searches(asking, others),
        Step("compare voxels", asking * COMPARED * of("compare")),
        Step("read and write lists", asking * of("lists"), is_shared=False),
    ]


def first_by_shortlists() -> int:
    """The fewest cases that dvdup searches by shortlists, as it comes."""
    return math.isqrt(round(VerifyConfig().exact_pairs / (TEST * (1 - TEST)))) + 1


def is_exact(cases: int) -> bool:
    """Whether dvdup searches so many cases exactly, as it comes."""
    return cases < first_by_shortlists()


def total(steps: Sequence[Step], cores: int, *, exact: bool) -> float:
    """Seconds of a check with one of the searches."""
    left_out = "search, by shortlists" if exact else "search, exact"
    return sum(step.on(cores) for step in steps if step.what != left_out)


def storage_table(sizes: Sequence[int]) -> Iterator[str]:
    """Lines of Markdown."""
    yield f"| cases | {' | '.join(storage(1))} | together |"
    yield "|---" * (len(storage(1)) + 2) + "|"
    for cases in sizes:
        parts = storage(cases)
        cells = [_size(each) for each in (*parts.values(), sum(parts.values()))]
        yield f"| {cases:,} | {' | '.join(cells)} |"


def time_table(sizes: Sequence[int]) -> Iterator[str]:
    """Lines of Markdown."""
    steps = [step.what for step in first_check(1)]
    yield f"| cases | cores | {' | '.join(steps)} | together |"
    yield "|---" * (len(steps) + 3) + "|"
    for cases in sizes:
        found = first_check(cases)
        for cores in CORES:
            cells = [_span(step.on(cores)) for step in found]
            exact = is_exact(cases)
            cells.append(_span(total(found, cores, exact=exact)))
            yield f"| {cases:,} | {cores} | {' | '.join(cells)} |"


def constants_table() -> Iterator[str]:
    """Lines of Markdown."""
    yield "| what | measured | where |"
    yield "|---|---|---|"
    for each in CONSTANTS.values():
        if each.unit == "bytes":
            value = f"{each.value:,.0f} bytes"
        else:
            value = f"{each.value:g} s" if each.value > 0.01 else f"{each.value * 1e6:g} us"
        yield f"| {each.what} | {value} | {each.where} |"


def _size(n: float) -> str:
    for unit in ("kB", "MB", "GB"):
        n /= 1000
        if n < 1000:
            return f"{n:.3g} {unit}"
    return f"{n / 1000:.3g} TB"


_UNITS = (("s", 60), ("min", 60), ("h", 24), ("days", 365))


def _span(seconds: float) -> str:
    n = seconds
    for unit, many in _UNITS:
        if n < 2 * many or (unit == "days" and n < 1000):
            return f"{n:.2g} {unit}" if n < 10 else f"{n:,.0f} {unit}"
        n /= many
    return f"{n:,.0f} years"


def main() -> None:
    """Print the plan."""
    sizes = [int(each) for each in sys.argv[1:]] or SIZES
    for table in (storage_table(sizes), time_table(sizes), constants_table()):
        print("\n".join(table), end="\n\n")


if __name__ == "__main__":
    main()
