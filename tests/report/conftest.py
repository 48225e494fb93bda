from __future__ import annotations

from hashlib import blake2b
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st

from dvdup.records import (
    VERDICTS,
    Acceptance,
    CaseNote,
    Directed,
    Finding,
    Group,
    Member,
    RefInfo,
    Report,
    Unreadable,
)

SETTINGS: dict[str, Any] = {
    "embedder": "thumbnail",
    "weights": "",
    "recipe": "0123456789abcdef",
    "thresholds": {"near": {"shared": 0.4, "similarity": 0.9}},
    "fail_on": ["identical", "near", "partial", "same-subject:declared"],
}


def member(split: str, case: str, *paths: str, group: str | None = None) -> Member:
    return Member(case, split, group, paths or (f"{split}/{case}.nii.gz",))


def finding(a: Member, b: Member, verdict: Any = "identical", **changes: Any) -> Finding:
    """A finding with the scores that go with its verdict."""
    score = {"near": 0.95, "partial": 0.41}.get(verdict)
    values: dict[str, Any] = {
        "basis": {"identical": "voxel-hash", "same-subject": "declared"}.get(verdict, "slices"),
        "reason": {
            "identical": "equal voxels",
            "near": "slices agree throughout",
            "partial": "a slab is shared",
            "same-subject": "declared as the same subject",
        }[verdict],
        "confidence": 1.0 if score is None else 0.9876543,
        "count_score": Directed(score - 0.1, score) if score else None,
        "shared_score": Directed(score, score + 0.02) if score else None,
        "similarity": Directed(score + 0.01, score + 0.02) if score else None,
        "fingerprint": blake2b(
            ascii(sorted([a.label, b.label])).encode(), digest_size=16
        ).hexdigest(),
    }
    return Finding(a, b, verdict, **{**values, **changes})


def report(refs: tuple[RefInfo, ...], pairs: list[Finding], **changes: Any) -> Report:
    values: dict[str, Any] = {"groups": (), "unreadable": ()}
    return Report(SETTINGS, refs, tuple(pairs), **{**values, **changes})


TRAIN, TEST = RefInfo("train", "train", 100), RefInfo("test", "test", 41)


def small() -> Report:
    """Four kinds of findings between two splits, one accepted."""
    train = [member("train", f"hippocampus_{i:03d}") for i in range(1, 6)]
    pairs = [
        finding(train[0], member("test", "hippocampus_301")),
        finding(train[1], member("test", "exported_7", "test/exported_7.nrrd"), "near"),
        finding(
            train[2],
            member("test", "slab", *[f"test/slab/IM{i:04d}.dcm" for i in range(60)]),
            "partial",
            alignment={"offset_mm": -9.00004, "slices": [[12, 96], [3, 87]], "mirrored": False},
            voxel={"cells": 412.0, "correlation": 0.98765, "strength": 6.12},
        ),
        finding(
            member("train", "sub-04_ses-1", group="sub-04"),
            member("test", "sub-04_ses-2", group="sub-04"),
            "same-subject",
        ),
        finding(
            train[4],
            member("test", "phantom"),
            "near",
            accepted=True,
            acceptance=Acceptance("a phantom, in both on purpose", "2027-01-31"),
        ),
    ]
    return report((TRAIN, TEST), pairs)


def reviewed() -> Report:
    """Accepted pairs: by a program that gave no reason, for ever, for a while, and no longer."""
    said = (
        None,
        Acceptance("the same phantom | on `purpose`"),
        Acceptance("until the new release", "2027-01-31"),
        Acceptance("was to be replaced", "2024-12-31", expired=True),
    )
    pairs = [
        finding(
            member("train", f"scan_{i}"),
            member("test", f"copy_{i}"),
            "near",
            accepted=each is None or not each.expired,
            acceptance=each,
        )
        for i, each in enumerate(said)
    ]
    return report((TRAIN, TEST), pairs)


def empty() -> Report:
    return report((TRAIN, TEST), [])


def within() -> Report:
    """One split against itself: three copies of one scan and a pair."""
    p, q, r, s, t = (member("train", f"scan_{c}") for c in "pqrst")
    pairs = [finding(p, q), finding(p, r), finding(q, r, "near"), finding(s, t, "near")]
    group = Group("g1", ("train/scan_p", "train/scan_q", "train/scan_r"), "near")
    other = Group("g2", ("train/scan_s", "train/scan_t"), "near")
    ref = RefInfo("train", "train", 160)
    return report((ref, ref), pairs, groups=(group, other))


def unreadable() -> Report:
    """Nothing found, and not everything checked."""
    broken = (
        Unreadable("cut_off", "test", ("test/cut_off.nii.gz",), "cut off after 1,024 bytes"),
        Unreadable(
            "pointer",
            "test",
            ("test/pointer.nii.gz",),
            "git-lfs pointer, the content is not here: run `git lfs pull`",
        ),
        Unreadable("empty", "train", ("train/empty.nii.gz",), "the file is empty"),
    )
    return report((TRAIN, TEST), [], unreadable=broken)


def stale() -> Report:
    """Nothing found in the index, which is not up to date."""
    out_of_date = (
        Unreadable("changed", "test", ("test/changed.nii.gz",), "its files have changed", "stale"),
        Unreadable("empty", "test", ("test/empty.nii.gz",), "the file is empty"),
        Unreadable("new", "train", ("train/new.nii.gz",), "it is not indexed yet", "stale"),
    )
    return report((TRAIN, TEST), [], unreadable=out_of_date)


def many() -> Report:
    """Three splits, copies in all of them, names that are long or hostile."""
    refs = (TRAIN, RefInfo("val", "val", 20), TEST)
    path = "derivatives/preproc/sub-OAS30001/ses-d0129/anat/sub-OAS30001_ses-d0129_run-01_T1w.nii"
    long = member("train", "sub-OAS30001_ses-d0129_run-01_space-MNI152NLin2009cAsym_T1w", path)
    copies = [member("train", f"copy_{i}") for i in range(3)]
    twins = [member("test", "twin_a"), member("test", "twin_b")]
    pairs = [finding(a, b) for a in copies for b in twins]
    pairs += [
        finding(long, member("val", "a\nb|c`d<i>e[red]f@g\x1b[31m", "val/a\nb|c.nii.gz")),
        finding(member("train", "=SUM(A1)"), member("test", "頭部スキャン_12"), "near"),
        finding(member("val", "v1"), member("test", "v1_again"), "near"),
        finding(member("test", "one"), member("test", "two"), "partial"),
    ]
    labels = sorted(case.label for case in [*copies, *twins])
    broken = Unreadable("bad\udc80", "val", ("val/bad\udc80.nii",), "wrong magic number")
    group = Group("g1", tuple(labels), "identical")
    return report(refs, pairs, groups=(group,), unreadable=(broken,))


ODD = (
    "two words",
    "50%20off%",
    "頭部 é",
    "a\nb",
    "::error title=x::pwn",
    "a|b",
    "a`b`",
    "=cmd()",
    "<script>alert(1)</script>",
    "q\"uo'te",
    "[text](1)",
    "##[error]x",
    "bad\udc80",
    "comma, colon: x",
)
"""Names that some format must escape."""


def odd() -> Report:
    """A pair for each odd name, on both sides."""
    pairs = [
        finding(
            member("train", name), member("test", f"{name} copy"), "near", reason=f"like {name}"
        )
        for name in ODD
    ]
    broken = [Unreadable(name, "test", (f"test/{name}.nii",), f"no {name}") for name in ODD]
    return report((TRAIN, TEST), pairs, unreadable=tuple(broken))


def sixty() -> Report:
    """More pairs than GitHub shows, of contents that are all alike; some are accepted."""
    pairs = [
        finding(
            member("train", f"a{i:02}"),
            member("test", f"x{i:02}"),
            "identical" if i < 40 else "same-subject",
            basis="voxel-hash" if i < 40 else "inferred",
            fingerprint="0" * 32,
            accepted=i % 10 == 9,
        )
        for i in range(60)
    ]
    return report((TRAIN, TEST), pairs)


@pytest.fixture(scope="session")
def samples() -> dict[str, Report]:
    """One report of each kind that has a golden file."""
    makers = (small, reviewed, empty, within, unreadable, stale, many)
    return {maker.__name__: maker() for maker in makers}


@pytest.fixture(scope="session")
def build() -> Any:
    """The builders above, for reports made in a test."""
    return SimpleNamespace(
        member=member,
        finding=finding,
        report=report,
        odd=odd,
        sixty=sixty,
        ODD=ODD,
        TRAIN=TRAIN,
        TEST=TEST,
    )


@pytest.fixture(scope="session")
def reports() -> st.SearchStrategy[Report]:
    """Any report a room could hand over, hostile names included."""
    any_character = st.characters()  # half characters too, which names of files may hold
    name = st.text(any_character, min_size=1, max_size=60)
    name |= st.text("ab_-/.", min_size=1, max_size=300)
    split = st.sampled_from(["train", "val", "te st\n", "[red]"])
    share = st.floats(0, 1)
    directed = st.none() | st.builds(Directed, share, share)
    paths = st.lists(name, max_size=3).map(tuple)
    json_like = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=6,
    )
    content = st.dictionaries(st.text(max_size=6), json_like, max_size=3)
    voxels = st.sampled_from(["", "0" * 32, "bytes:" + "0" * 32])
    members = st.builds(Member, name, split, st.none() | name, paths, voxels)
    findings = st.builds(
        Finding,
        a=members,
        b=members,
        verdict=st.sampled_from(VERDICTS),
        basis=st.sampled_from(["voxel-hash", "slices", "declared", "inferred"]),
        reason=st.text(max_size=200),
        confidence=share,
        count_score=directed,
        shared_score=directed,
        similarity=st.none() | st.builds(Directed, st.floats(-1, 1), st.floats(-1, 1)),
        fingerprint=st.text("0123456789abcdef", min_size=32, max_size=32),
        alignment=st.none() | content,
        voxel=st.none() | content,
        accepted=st.booleans(),
        acceptance=st.none()
        | st.builds(
            Acceptance, st.text(min_size=1), st.none() | st.dates().map(str), st.booleans()
        ),
    )
    labels = st.lists(members.map(lambda m: m.label), min_size=2, max_size=5, unique=True)
    groups = st.builds(
        Group,
        st.text("abc", min_size=1, max_size=8),
        labels.map(sorted).map(tuple),
        st.sampled_from(VERDICTS),
    )
    return st.builds(
        Report,
        settings=content,
        refs=st.lists(st.builds(RefInfo, split, split, st.integers(0, 9)), max_size=3).map(tuple),
        pairs=st.lists(findings, max_size=4).map(tuple),
        groups=st.lists(groups, max_size=2).map(tuple),
        unreadable=st.lists(
            st.builds(
                Unreadable, name, split, paths, name, st.sampled_from(["unreadable", "stale"])
            ),
            max_size=2,
        ).map(tuple),
        notes=st.lists(st.builds(CaseNote, name, split, st.text()), max_size=2).map(tuple),
    )
