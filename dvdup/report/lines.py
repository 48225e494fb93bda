"""One line a finding: what formats of lines and lists of problems say, and their fingerprints.

Comes in: findings and unchecked cases. Goes out: sentences of one printable line, and fingerprints
that tell the problems of a report apart and stay the same while the scans do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from dvdup.records import Finding, Member, Report, Unreadable
from dvdup.report.meanings import MEANINGS
from dvdup.report.names import case_label, files_text, public_path, public_reason
from dvdup.report.sentences import review
from dvdup.text import visible


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding or one unchecked case, as lists of problems have them."""

    rule: str
    """A key of `MEANINGS`."""
    owner: Member
    """The case it is reported for: side b of a pair, which is already in the other side."""
    other: Member | None
    """Side a of a pair."""
    message: str
    """One printable line that names both cases, their files and the reason."""
    fingerprint: str
    """As `Finding.fingerprint`; of an unchecked case the hash of its name."""
    ordinal: int
    """1 for the first problem of this fingerprint, 2 for the next: copies of one content."""
    finding: Finding | None
    """The pair; None for an unchecked case."""

    @property
    def path(self) -> str:
        """The main file as reports give it; "" without files."""
        return main_path(self.owner)

    @property
    def unique(self) -> str:
        """A fingerprint that no other problem of the report has, 32 hex digits."""
        if self.ordinal == 1:
            return self.fingerprint
        return _hash(self.fingerprint, str(self.ordinal))


def problems(report: Report) -> Iterator[Problem]:
    """Yield the findings of a report in its order, accepted ones included, then unchecked cases."""
    seen: Counter[str] = Counter()
    for finding in report.pairs:
        seen[finding.fingerprint] += 1
        yield Problem(
            finding.verdict,
            finding.b,
            finding.a,
            pair_line(finding),
            finding.fingerprint,
            seen[finding.fingerprint],
            finding,
        )
    for case in report.unreadable:
        mark = _hash(case.kind, case.split, case.case)
        seen[mark] += 1
        owner = Member(case.case, case.split, None, case.paths)
        yield Problem(case.kind, owner, None, unchecked_line(case), mark, seen[mark], None)


def pair_line(finding: Finding) -> str:
    """Return `test/x (file) is identical to train/y (file): reason`, and what a review said."""
    relation = MEANINGS[finding.verdict].relation
    sure = f" (confidence {min(finding.confidence, 0.99):.2f})" if finding.confidence < 1 else ""
    reason = visible(finding.reason) or visible(finding.basis)
    line = f"{full_name(finding.b)} {relation} {full_name(finding.a)}: {reason}{sure}"
    return "; ".join(filter(None, (line, review(finding))))


def unchecked_line(case: Unreadable) -> str:
    """Return `test/x (file) could not be checked: reason`."""
    name = full_name(Member(case.case, case.split, None, case.paths))
    return f"{name} could not be checked: {visible(public_reason(case))}"


def full_name(member: Member) -> str:
    """Return a case and its files, `test/x (test/x.nii.gz)`, on one printable line."""
    name, files = visible(case_label(member.split, member.case)), files_text(member)
    return name if files in ("", name) else f"{name} ({files})"


def main_path(member: Member) -> str:
    """Return the main file of a case as reports give it; "" without files."""
    return public_path(member.paths[0]) if member.paths else ""


def _hash(*texts: str) -> str:
    return blake2b(ascii(texts).encode(), digest_size=16).hexdigest()
