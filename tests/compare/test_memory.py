"""Scans in memory as one side of a comparison: equal ones are scored once, and all are reported."""

from __future__ import annotations

import numpy as np

from dvdup.compare.memory import EmbeddedScan, MemoryCases
from dvdup.records import Embedded, IndexedCase


def scan(name, content):
    numbers = np.zeros(1, np.int16)
    rows = Embedded(np.ones((1, 1), np.float32), numbers, numbers, numbers, numbers)
    return EmbeddedScan(IndexedCase("", name, (), content=content, n_slices=1), rows)


def test_one_of_every_content_votes_for_all():
    unread = EmbeddedScan(IndexedCase("", "d", (), status="unreadable"), None)
    cases = MemoryCases([scan("a", "x"), scan("b", "y"), scan("c", "x"), unread])
    assert [case.case_id for case in cases.voting] == ["a", "b"]
    assert cases.copies == {("", "a"): [("", "a"), ("", "c")], ("", "b"): [("", "b")]}
    assert cases.side().keys == (("", "a"), ("", "b"))
    assert cases.voting is cases.voting  # which tells a side from itself


def test_a_folder_with_two_copies_of_one_scan_has_two_findings(tmp_path, dvdup, save, phantom):
    """Both are asked about, so that none passes for a scan that is not in the index."""
    (tmp_path / "dvdup.toml").write_text('embedder = "thumbnail"\n', encoding="utf-8")
    for seed in range(3):
        save(tmp_path / f"train/p{seed}.nii.gz", phantom(seed, (24, 24, 20)))
    dvdup(tmp_path, "add", "train", "--split", "train", "-q")
    noise = np.random.default_rng(0).normal(0, 20, (24, 24, 20))
    copy = (phantom(1, (24, 24, 20)) + noise).astype(np.float32)
    for name in "ab":
        save(tmp_path / f"bought/{name}.nii.gz", copy)
    args = ("query", "bought", "--candidates", "1", "-f", "json", "-q")
    pairs = dvdup(tmp_path, *args).json["pairs"]
    assert {(pair["a"]["case"], pair["b"]["case"]) for pair in pairs} == {("p1", "a"), ("p1", "b")}
