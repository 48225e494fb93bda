"""What each kind of finding means and asks for; the same words in every format with rules.

SARIF, JUnit and GitLab name a rule for each problem that they list, and the HTML page explains its
verdicts. A rule is a verdict, or a reason why a case was not checked.
"""

from __future__ import annotations

from dataclasses import dataclass

from dvdup.config import FAIL_ON, ReportConfig
from dvdup.records import Finding, Report


@dataclass(frozen=True, slots=True)
class Meaning:
    """One row of `MEANINGS`."""

    title: str
    """A few words."""
    relation: str
    """What one case is to the other: `test/x <relation> train/y`; "" where there is no other."""
    what: str
    """A sentence that says what was found."""
    help: str
    """A sentence that says what to do."""
    severity: str
    """How bad it is, in the words of Code Climate: blocker, critical, major, minor."""


_ONE_SPLIT = "Keep the scan in one split only: remove or move one file of the pair."

MEANINGS: dict[str, Meaning] = {
    "identical": Meaning(
        "The same voxels in two cases",
        "is identical to",
        "Both cases hold the same voxels, whatever their headers, containers and compression.",
        _ONE_SPLIT,
        "blocker",
    ),
    "near": Meaning(
        "The same scan, processed",
        "is a processed copy of",
        "One case is the other after processing: noise, other grey values, a crop, a rotation, a "
        "resampling.",
        _ONE_SPLIT,
        "critical",
    ),
    "partial": Meaning(
        "A part of one scan in another",
        "shares a part with",
        "A slab or a region of one case lies in the other, or a picture is one of its slices.",
        _ONE_SPLIT,
        "major",
    ),
    "same-subject": Meaning(
        "Two scans of one subject",
        "shows the same subject as",
        "The cases are two scans of one subject: its name is declared in both, or the voxels show "
        "one anatomy, acquired twice.",
        "Keep all scans of one subject in the same split.",
        "minor",
    ),
    "unreadable": Meaning(
        "A case that could not be checked",
        "",
        "The case could not be checked, so that nothing is known about it.",
        "Repair, fetch or exclude its files, then run the same command again.",
        "major",
    ),
    "stale": Meaning(
        "A case that is not as it was indexed",
        "",
        "The index does not hold the files of the case as they are now, so that nobody looked at "
        "them.",
        "Bring the index up to date with `dvdup sync`, then run the same command again.",
        "major",
    ),
}
"""By verdict, strongest first, then by kind of unchecked case."""


def fails(report: Report, finding: Finding) -> bool:
    """Return whether a pair makes the exit code 1, by the `fail_on` that the report was made with.

    A report without it (one that another program has written) goes by the default.
    """
    names = report.settings.get("fail_on")
    config = ReportConfig()
    if isinstance(names, list | tuple):
        known = [FAIL_ON.index(name) for name in names if name in FAIL_ON]
        config = ReportConfig(fail_on=FAIL_ON[: 1 + max(known, default=-1)])
    return not finding.accepted and config.fails(finding.verdict, finding.basis)
