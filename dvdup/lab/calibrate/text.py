"""A calibration as text for a terminal, at most 80 columns wide; no I/O."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from dvdup.lab.calibrate.run import LeftOut, Result
from dvdup.lab.calibrate.threshold import LEVELS, Performance
from dvdup.lab.evaluate.statistics import Rate

_WIDTH = 80
_SHOWN = 20
_MANY = 0.05  # share of the cases from which copies between groups are no exception


def lines(result: Result) -> Iterator[str]:
    """The table, and what has to be known about it."""
    found = result.strengths
    yield from _wrapped(
        f"{len(found.stranger)} cases of {found.n_groups} groups in an index of "
        f"{result.n_cases} cases, {len(found.copy)} edited copies, embedder "
        f"{result.meta.embedder.name}."
    )
    yield ""
    yield from _columns(("", "before", "after"), list(_rows(result)))
    yield ""
    for sentence in _remarks(result):
        yield from _wrapped(sentence)
    yield from _left_out(result)


def _rows(result: Result) -> Iterator[tuple[str, str, str]]:
    fitted = result.fitted
    spread = f" ({fitted.threshold.low:.2f} to {fitted.threshold.high:.2f})"
    yield "threshold", f"{result.before:.2f}", f"{result.threshold:.2f}{spread}"
    yield (
        "false alarms in 1,000",
        f"{1000 * fitted.before.expected:.2g}",
        f"{1000 * fitted.after.expected:.2g}",
    )
    yield "  counted, %", _percent(fitted.before.alarms), _percent(fitted.after.alarms)
    for number, level in enumerate(LEVELS):
        before, after = (each.found[number] for each in (fitted.before, fitted.after))
        yield f"{level} copies found, %", _percent(before), _percent(after)


def _percent(rate: Rate | None) -> str:
    if rate is None:
        return "-"
    value, low, high = (100 * each for each in (rate.value, rate.low, rate.high))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


def _remarks(result: Result) -> Iterator[str]:
    fitted, n = result.fitted, len(result.strengths.stranger)
    if fitted.budget is None:
        yield "The threshold has the largest sum of sensitivity and specificity (Youden)."
    elif fitted.extrapolated:
        yield (
            f"EXTRAPOLATED: {n} cases cannot show a rate as low as {_one_in(fitted.budget)}; the "
            f"threshold comes from the tail of the {fitted.tail.points} highest strangers "
            f"({fitted.tail.name} distribution)."
        )
    else:
        yield f"At the threshold {_one_in(fitted.budget)} cases raises a false alarm, as counted."
    yield (
        "Counted are cases whose strangers raise an alarm, and copies found among those that come "
        "to be compared; after: with thresholds fitted on other groups. Intervals: 95 %, over "
        "groups."
    )
    if worse(fitted.before, fitted.after):
        yield "Beware: the new threshold finds clearly fewer copies than the one before."
    if result.unreadable:
        yield (
            f"{len(result.unreadable)} cases could not be read and were not edited, such as "
            f"{result.unreadable[0]}."
        )


def worse(before: Performance, after: Performance) -> bool:
    """Whether copies are lost beyond what chance does."""
    pairs = zip(before.found, after.found, strict=True)
    return any(a is not None and b is not None and b.high < a.value for a, b in pairs)


def _one_in(budget: float) -> str:
    return f"1 in {1 / budget:,.0f}" if budget <= 0.5 else f"{budget:g}"


def _left_out(result: Result) -> Iterator[str]:
    pairs = result.left_out
    if not pairs:
        return
    yield ""
    one = len(pairs) == 1
    yield from _wrapped(
        f"{len(pairs)} {'pair' if one else 'pairs'} of two groups {'is' if one else 'are'} called "
        f"{'a copy' if one else 'copies'} as things are, and left out of the strangers; look at "
        f"{'it' if one else 'them'}, {'it' if one else 'they'} may be leaks:"
    )
    yield from map(_pair, pairs[:_SHOWN])
    if len(pairs) > _SHOWN:
        yield f"  ... and {len(pairs) - _SHOWN} more"
    if len(pairs) > _MANY * len(result.strengths.stranger):
        yield from _wrapped(
            "That is many. If they are different scans, the threshold above is too low for this "
            "data: run it again with --all-strangers."
        )


def _pair(pair: LeftOut) -> str:
    a, b = pair.labels
    return f"  {pair.strength:.2f}  {a}  {b}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH)


def _columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
