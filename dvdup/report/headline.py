"""The sentences that say what a report means; every format for people starts and ends with them.

Comes in: a `Report`. Goes out: plain one-line sentences, names already made printable. An
incomplete check never reads as a clean one: if nothing was found, what could not be checked comes
first, and the rest speaks only of the cases that were checked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from dvdup.records import EVERY_SPLIT, Member, RefInfo, Report
from dvdup.report import changes
from dvdup.report.names import counted, listed, percent, public_path
from dvdup.report.totals import Comparison, comparisons, distinct_refs, totals, two_by_hand
from dvdup.text import visible

INCOMPLETE = "Incomplete"
"""How the sentence on unchecked cases starts."""


def ref_name(ref: RefInfo) -> str:
    """Return a ref as printed."""
    return visible(public_path(ref.ref))


def headline(report: Report) -> tuple[str, ...]:
    """Return the sentences that open a report, the most important one first; never empty."""
    if report.changes is not None:
        return _of_versions(report)
    compared = comparisons(report)
    by_names = bool(report.settings.get("names_only"))
    found = [_copied(one) for one in compared if one.copied]
    related = [_same_subject(one) for one in compared if one.same_subject]
    sums = totals(report)
    unchecked = _unchecked(report)
    if found:
        sentences = [*found, *_silent(compared), *related, *unchecked]
    elif related:
        sentences = [*unchecked, *related, _no_copy(by_names)]
    else:
        sentences = [*unchecked, _NO_NAME if by_names else _nothing(report, compared)]
    if sums.accepted:
        verb = "does" if sums.accepted == 1 else "do"
        sentences.append(f"{counted(sums.accepted, 'accepted pair')} {verb} not count.")
    return (
        *sentences,
        *_limited(report),
        *_look_alikes(report),
        *_approximate(report),
        *_expired(report),
    )


def _silent(compared: tuple[Comparison, ...]) -> list[str]:
    """Return the sentences on what was compared and has no copies, where something else has."""
    between = [one for one in compared if not one.within]
    silent = [one for one in between if not one.copied]
    clean = [ref_name(one.first) for one in compared if one.within and not one.copied]
    sentences = []
    if silent and len(compared) > 1:
        rest = "pair" if len(silent) == 1 else f"{len(silent):,} pairs"
        where = f"the other {rest} of splits" if len(silent) < len(between) else "splits"
        sentences.append(f"No copy found between {where}.")
    if clean:
        sentences.append(f"No copies found within {listed(clean)}.")
    return sentences


def _of_versions(report: Report) -> tuple[str, ...]:
    """Return the sentences on two versions of one thing."""
    told, unchecked = changes.sentences(report), _unchecked(report)
    sentences = [*told, *unchecked] if report.pairs else [*unchecked, *told]
    accepted = totals(report).accepted
    if accepted:
        verb = "does" if accepted == 1 else "do"
        sentences.append(f"{counted(accepted, 'accepted pair')} {verb} not count.")
    return (
        *sentences,
        *_limited(report),
        *_look_alikes(report),
        *_approximate(report),
        *_expired(report),
    )


def _limited(report: Report) -> list[str]:
    """Return the sentences on findings that were not asked for."""
    try:
        limits = [_Limit(**each) for each in report.settings.get("limited_to", ())]
        return [_left_out(each) for each in limits]
    except (TypeError, ValueError, OverflowError):  # settings are open: of another version
        return []


def _left_out(limit: _Limit) -> str:
    how, since = (visible(str(each)) for each in (limit.how, limit.since))
    cases, left = int(limit.cases), int(limit.left_out)
    if cases:
        those = "the case" if cases == 1 else f"one of the {cases:,} cases"
        said = f"Only pairs with {those} that {how} {since} count"
    else:
        said = f"No case {how} {since}"
    others = counted(left, "other pair") if left else "no other pair"
    return f"{said}; {others} {_is(max(1, left))} left out."


@dataclass(frozen=True, slots=True)
class _Limit:
    """An entry of `limited_to` in the settings."""

    how: str
    since: str
    cases: int
    left_out: int


_NO_NAME = "No subject and no file lies in two splits by names alone; no scan was looked at."


def _no_copy(by_names: bool) -> str:
    return "No scan was looked at." if by_names else "No scan itself was found twice."


def _look_alikes(report: Report) -> list[str]:
    """Return a sentence on sides whose scans resemble one another without being copies."""
    try:
        told = [_LookAlikes(**each) for each in report.settings.get("look_alikes", ())]
        shipped = float(report.settings["thresholds"]["voxels"]["copy"])
        span = "-".join(sorted({f"{float(each.threshold):.1f}" for each in told}))
        pairs, withheld = (
            sum(int(getattr(each, name)) for each in told) for name in ("pairs", "withheld")
        )
        names = sorted({visible(str(name)) for each in told for name in each.refs})
    except (KeyError, TypeError, ValueError, OverflowError):  # settings are open, see `_limited`
        return []
    if not told:
        return []
    sentence = (
        f"Scans of {' and '.join(names)} resemble one another, as scans brought to one template "
        f"do: a copy among them has a strength of {span}, not {shipped:.1f}, which "
        f"{counted(pairs, 'pair')} told."
    )
    if not withheld:
        return [sentence]
    return [sentence, f"{counted(withheld, 'pair')} below it {_is(withheld)} not called copies."]


def _approximate(report: Report) -> list[str]:
    """Return a sentence on sides of so many cases that candidates may have been missed."""
    try:
        names = sorted(
            {str(name) for pair in report.settings.get("approximate", ()) for name in pair}
        )
    except TypeError:  # settings are open: a report of another version
        return []
    if not names:
        return []
    return [
        f"Candidates of {' and '.join(map(visible, names))} were searched approximately, as there "
        "are so many cases: strongly changed copies can be missed."
    ]


@dataclass(frozen=True, slots=True)
class _LookAlikes:
    """An entry of `look_alikes` in the settings."""

    refs: list[str]
    threshold: float
    pairs: int
    withheld: int


def _expired(report: Report) -> list[str]:
    """Return the sentence on acceptances that hold no longer."""
    n = sum(pair.acceptance is not None and pair.acceptance.expired for pair in report.pairs)
    if not n:
        return []
    return [f"{counted(n, 'pair')} {_is(n)} no longer accepted: the last day has passed."]


def summary(report: Report) -> str:
    """Return the one line that closes a report: pairs by verdict, accepted, unreadable, cases."""
    sums = totals(report)
    verdicts = [f"{n:,} {verdict}" for verdict, n in sums.verdicts.items() if n]
    parts = [counted(sums.pairs, "pair") + (f": {', '.join(verdicts)}" if verdicts else "")]
    if report.changes:
        parts.insert(0, f"Changes: {changes.in_one_line(report)}")
    if sums.accepted:
        parts.append(f"{sums.accepted:,} accepted")
    if sums.unreadable:
        parts.append(f"{sums.unreadable:,} could not be checked")
    return f"{'; '.join(parts)}. Cases: {_by_ref(report)}."


def next_steps(report: Report) -> tuple[str, ...]:
    """Return what to do now, a sentence for each kind of finding; empty for a clean report."""
    sums = totals(report)
    steps = []
    if sums.copies:
        steps.append(_keep_one(report))
    if sums.verdicts["same-subject"]:
        steps.append("Keep all scans of one subject in the same split.")
    if is_stale(report):
        steps.append("Bring the index up to date with `dvdup sync`.")
    if sums.unreadable and not all(case.kind == "stale" for case in report.unreadable):
        steps.append("Repair, fetch or exclude what could not be checked.")
    if steps and not any(map(_holds_file, comparisons(report))):
        steps.append("Then run the same command again.")
    return tuple(steps)


def _keep_one(report: Report) -> str:
    copied = [one for one in comparisons(report) if one.copied]
    if any(_holds_file(one) for one in copied):
        return "Leave out what is already there."
    if any(one.first.split == one.second.split and not one.within for one in copied):
        return "Keep each scan once: leave out what came as a copy of what was there."
    what = _holders(report)
    if any(one.within for one in copied):
        return f"Keep each scan once: remove the other {what} of every pair."
    one_of = " or ".join(word.removesuffix("s") for word in what.split(" or "))
    return f"Keep each scan in one split only: remove or move one {one_of} of every pair."


def _holders(report: Report) -> str:
    """What holds the scans that were found twice: files, rows of arrays, or both."""
    found = {
        "rows" if _is_part(member) else "files"
        for pair in report.pairs
        if not pair.accepted and pair.verdict != "same-subject"
        for member in (pair.a, pair.b)
    }
    return " or ".join(sorted(found)) or "files"


def _is_part(member: Member) -> bool:
    """Whether a case is a row of a file of many, which its id names: `X_train.npy#000017`."""
    return any(f"{path.rpartition('/')[2]}#" in member.case for path in member.paths)


def _holds_file(one: Comparison) -> bool:
    return not one.first.split or not one.second.split


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _has(number: int) -> str:
    return "has" if number == 1 else "have"


def _cases_of(ref: RefInfo, number: int) -> str:
    if not ref.split and ref.cases == 1:
        return ref_name(ref)
    name = ref_name(ref)
    return counted(number, "case" if name == "all" else f"{name} case")


def _of(number: int, ref: RefInfo) -> str:
    """Return `3 of 41 test cases`, or the name of a file given by hand."""
    if not ref.split and ref.cases == 1:
        return ref_name(ref)
    return f"{number:,} of {_cases_of(ref, max(number, ref.cases))}"


def _share(number: int, ref: RefInfo) -> str:
    return f"({percent(number / max(number, ref.cases, 1), 1)})"


def _copied(one: Comparison) -> str:
    share, first = _share(one.copied, one.second), ref_name(one.first)
    if one.within:
        subject = _of(one.copied, one.second)
        return f"{subject} {_has(one.copied)} a copy within {first} {share}."
    if not one.second.split and one.second.cases <= 1:
        if not one.first.split:
            return f"{first} is the same scan as {ref_name(one.second)}."
        return f"{ref_name(one.second)} is already in {first}."
    subject = _of(one.copied, one.second)
    return f"{subject} {_is(one.copied)} already in {first} {share}."


def _same_subject(one: Comparison) -> str:
    number, first = one.same_subject, ref_name(one.first)
    if not one.second.split and one.second.cases <= 1:
        return f"{ref_name(one.second)} shows a subject that is also in {first}."
    more = " more" if one.copied else ""
    related = f"{number:,}{more} of {_cases_of(one.second, max(number, one.second.cases))}"
    if one.within:
        verb = "shares" if number == 1 else "share"
        return f"{related} {verb} the subject with another case of {first}."
    return f"{related} {_is(number)} of a subject that is also in {first}."


def _unchecked(report: Report) -> list[str]:
    """Return the sentences on cases that were not checked, or not as they are now."""
    sentences = []
    stale = [case for case in report.unreadable if case.kind == "stale"]
    n = sum(case.case != EVERY_SPLIT for case in stale)
    if len(stale) > n:
        splits = listed(sorted({visible(c.split) for c in stale if c.case == EVERY_SPLIT}))
        sentences.append(f"{INCOMPLETE}: not all cases of {splits} could be looked at.")
    if n:
        sentences.append(
            f"{INCOMPLETE}: {counted(n, 'case')} {_is(n)} not as {'it' if n == 1 else 'they'} "
            f"{'was' if n == 1 else 'were'} indexed, or not indexed yet."
        )
    if any(case.kind == "unreadable" for case in report.unreadable):
        sentences.append(_unreadable(report))
    return sentences


def is_stale(report: Report) -> bool:
    """Return whether the report speaks of files as they were, not as they are."""
    return any(case.kind == "stale" for case in report.unreadable)


def _unreadable(report: Report) -> str:
    refs = {_place(report, ref): ref for ref in distinct_refs(report)}
    left = _broken(report)
    if EVERY_SPLIT in refs:
        n = sum(left.values())
        return f"{INCOMPLETE}: could not check {counted(n, 'case')}."
    parts = [_of(left.pop(place), ref) for place, ref in refs.items() if left[place]]
    if left:
        parts.append(counted(sum(left.values()), "other case"))
    return f"{INCOMPLETE}: could not check {listed(parts)}."


def _place(report: Report, ref: RefInfo) -> str:
    """What tells the cases of a ref: the split or, of two files given by hand, the name."""
    return ref.split or (ref.ref if two_by_hand(report) else "")


def _broken(report: Report) -> Counter[str]:
    """Count what could not be checked by `_place`."""
    files = two_by_hand(report)
    return Counter(
        case.split or (case.case if files else "")
        for case in report.unreadable
        if case.kind == "unreadable"
    )


def _nothing(report: Report, compared: tuple[Comparison, ...]) -> str:
    """Return the sentence of a report without findings, limited to what was checked."""
    apart = " as indexed" if is_stale(report) else ""
    apart += " apart from accepted pairs" if totals(report).accepted else ""
    apart += " among what is new" if report.settings.get("limited_to") else ""
    refs = distinct_refs(report)
    if not any(ref.cases for ref in refs):
        return f"Nothing to compare: {listed(map(ref_name, refs)) or 'the index'} holds no case."
    if len(compared) == 1:
        return f"{_nothing_between(report, compared[0])}{apart}."
    rest = "the rest of " if sum(_broken(report).values()) else ""
    by_hand = [ref_name(ref) for ref in refs if not ref.split]
    if by_hand:
        splits = listed(ref_name(ref) for ref in refs if ref.split)
        return f"No copy of {listed(by_hand)} found in {rest}{splits}{apart}."
    cases = counted(sum(ref.cases for ref in refs), "case")
    inside = ", neither between splits nor within one" if report.settings.get("within") else ""
    return f"No copy found{apart} among {rest}{cases} in {counted(len(refs), 'split')}{inside}."


def _nothing_between(report: Report, one: Comparison) -> str:
    first, second = ref_name(one.first), ref_name(one.second)
    broken = _broken(report)
    left_out, lacking = (broken[_place(report, ref)] for ref in (one.second, one.first))
    checked = one.second.cases - left_out
    if two_by_hand(report) and left_out + lacking:
        return "Nothing was compared"
    if checked <= 0:
        return f"No {second} case was compared"
    if one.first.cases <= lacking:
        return f"Nothing was compared, for lack of {first} cases"
    asked = f"{'other ' if left_out else ''}{second} {_plural('case', checked)}"
    if one.within:
        return f"No copies found within the {checked:,} {asked}"
    rest = "the rest of " if lacking and one.first.split else ""
    if not one.second.split and one.second.cases == 1:
        if two_by_hand(report):
            return f"{first} is no copy of {second}"
        return f"No copy of {second} found in {rest}{first}"
    return f"No copy of the {checked:,} {asked} found in {rest}{first}"


def _plural(noun: str, number: int) -> str:
    return noun if number == 1 else f"{noun}s"


def _by_ref(report: Report) -> str:
    refs = [
        f"{ref.cases:,} {ref_name(ref)}" if ref.split else ref_name(ref)
        for ref in distinct_refs(report)[:: 1 if two_by_hand(report) else -1]
    ]
    return ", ".join(refs) or "none"
