"""Cases that have only got another name between two versions of one split; these are no copies."""

from __future__ import annotations

from collections.abc import Sequence

from dvdup.compare.refs import Ref
from dvdup.records import Finding, Key


def renamed(before: Ref, after: Ref) -> dict[Key, Key]:
    """Which cases of a version are those of another one under a new name.

    A case was renamed if its old name is not there any more, the new one was not there before, and
    both have the same content. Where one content had several names that went, or several that
    came, they are taken in order: one that came in excess is a copy.

    Args:
        before: A split at one version.
        after: The same split at another one.

    Returns:
        New key -> old key; empty for refs of two splits, and for a ref and itself.
    """
    if before.info.split != after.info.split or before.info.ref == after.info.ref:
        return {}
    went, came = _only_in(before, after), _only_in(after, before)
    return {
        new: old
        for content in sorted(went.keys() & came.keys())
        for new, old in zip(came[content], went[content], strict=False)
    }


def _only_in(ref: Ref, other: Ref) -> dict[str, list[Key]]:
    """Keys of the cases whose names are not in another version, by content."""
    there = {case.key for case in other.cases}
    found: dict[str, list[Key]] = {}
    for case in ref.cases:
        if case.key not in there and case.content:
            found.setdefault(case.content, []).append(case.key)
    return found


def without_renamed(findings: Sequence[Finding], before: Ref, after: Ref) -> tuple[Finding, ...]:
    """Leave out pairs of a renamed case and names of its content that are not there any more."""
    names = renamed(before, after)
    if not names:
        return tuple(findings)
    contents = {case.key: case.content for case in (*before.cases, *after.cases)}
    there = {case.key for case in after.cases}

    def only_renamed(finding: Finding) -> bool:
        old, new = ((side.split, side.case) for side in (finding.a, finding.b))
        return new in names and old not in there and contents[old] == contents[new]

    return tuple(finding for finding in findings if not only_renamed(finding))


def remark(before: Ref, after: Ref) -> str | None:
    """What to say about renamed cases; None if there are none."""
    names = renamed(before, after)
    if not names:
        return None
    (_, new), (_, old) = min(names.items())
    n = "1 case was" if len(names) == 1 else f"{len(names):,} cases were"
    return (
        f"note: {n} renamed between {before.info.ref} and {after.info.ref}, such as {old}, which "
        f"is {new} now; that is no copy"
    )
