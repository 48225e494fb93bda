"""Very many cases, for which a few stand in: candidates of shortlists, which the report tells."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dvdup.compare.search import Search

LIMIT = "DVDUP_VERIFY_EXACT_PAIRS"
DIFF = ("diff", "train", "test", "--jobs", "1", "-f", "json")
SAID = (
    "Candidates of test and train were searched approximately, as there are so many cases: "
    "strongly changed copies can be missed."
)


@pytest.fixture(autouse=True)
def _in_an_index(near_copy, dvdup, monkeypatch):
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")
    dvdup(near_copy, "sync", "-q")


def test_as_it_comes_few_cases_are_searched_exactly(near_copy, dvdup):
    ran = dvdup(near_copy, *DIFF)
    assert "approximate" not in ran.json["settings"]
    assert "approximately" not in ran.stderr


def test_beyond_the_limit_the_report_says_so_and_finds_the_same(
    near_copy, dvdup, console, monkeypatch
):
    exact = dvdup(near_copy, *DIFF).json
    monkeypatch.setenv(LIMIT, "2")
    ran = dvdup(near_copy, *DIFF)
    assert ran.code == 1
    assert ran.json["pairs"] == exact["pairs"]
    assert ran.json["settings"] == {**exact["settings"], "approximate": [["train", "test"]]}
    assert "1 x 3 cases are more pairs than verify.exact_pairs" in ran.stderr
    told = console(near_copy, *DIFF[:3], DVDUP_VERIFY_EXACT_PAIRS="2", DVDUP_VERIFY_CANDIDATES="1")
    assert SAID in " ".join(told.stdout.split())


def test_at_the_limit_all_pairs_are_scored(near_copy, dvdup, monkeypatch):
    monkeypatch.setenv(LIMIT, "3")
    assert "approximate" not in dvdup(near_copy, *DIFF).json["settings"]


def test_a_new_copy_is_found_without_a_new_search(near_copy, dvdup, phantom, save, monkeypatch):
    monkeypatch.setenv(LIMIT, "0")
    dvdup(near_copy, *DIFF)
    save(near_copy / "test/second.nii.gz", (phantom(1) * 1.2 + 7).astype(np.int16))
    dvdup(near_copy, "sync", "-q")
    kept = dvdup(near_copy, *DIFF)
    assert {pair["b"]["case"] for pair in kept.json["pairs"]} == {"copy", "second"}
    for file in (near_copy / ".dvdup/cache").glob("answers.sqlite*"):
        file.unlink()
    for file in (near_copy / ".dvdup/results").glob("*.json"):
        file.unlink()
    assert json.loads(dvdup(near_copy, *DIFF).stdout) == kept.json


def test_what_is_kept_of_shortlists_outlives_gc(near_copy, dvdup, monkeypatch):
    monkeypatch.setenv(LIMIT, "0")
    dvdup(near_copy, *DIFF)
    dvdup(near_copy, "gc")
    for file in (near_copy / ".dvdup/results").glob("*.json"):
        file.unlink()
    scored, asked = Search.scored, []

    def noted(self, pairs):
        asked.extend(pairs)
        return scored(self, pairs)

    monkeypatch.setattr(Search, "scored", noted)
    assert dvdup(near_copy, *DIFF).json["pairs"]
    assert not asked
    for file in (near_copy / ".dvdup/results").glob("*.json"):
        file.unlink()
    for file in (near_copy / ".dvdup/cache").glob("answers.sqlite*"):
        file.unlink()
    dvdup(near_copy, *DIFF)
    assert asked  # where nothing is kept, it would have been


def test_a_query_says_so_too(near_copy, dvdup, monkeypatch):
    monkeypatch.setenv(LIMIT, "0")
    ran = dvdup(near_copy, "query", "test/copy.nii.gz", "-f", "json", "--jobs", "1")
    assert ran.json["settings"]["approximate"] == [["index", "test/copy.nii.gz"]]
    assert [pair["a"]["case"] for pair in ran.json["pairs"]] == ["p0"]
