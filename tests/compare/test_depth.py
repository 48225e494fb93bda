"""How far it is from a command to the comparison of voxels: so few steps that one can read them."""

from __future__ import annotations

import sys
from pathlib import Path

import dvdup as package
from dvdup import verify

PACKAGE = Path(package.__file__).parent
DEEPEST = 10


def frames_of_dvdup() -> list[str]:
    """The functions of the package that are being run, the command first."""
    found = []
    frame = sys._getframe(1)
    while frame is not None:
        if Path(frame.f_code.co_filename).is_relative_to(PACKAGE):
            found.append(frame.f_code.co_name)
        frame = frame.f_back
    return found[::-1]


def test_a_diff_reaches_the_voxels_in_few_steps(near_copy, dvdup, monkeypatch):
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")
    dvdup(near_copy, "sync", "-q")
    chains, judge = [], verify.judge

    def noted(*args, **more):
        chains.append([*frames_of_dvdup(), "judge"])
        return judge(*args, **more)

    monkeypatch.setattr(verify, "judge", noted)
    ran = dvdup(near_copy, "diff", "train", "test", "--jobs", "1", "-f", "json")
    assert [pair["verdict"] for pair in ran.json["pairs"]] == ["near"]
    longest = max(chains, key=len)
    assert longest[0] == "main"
    assert len(longest) <= DEEPEST, longest
