"""Which cases are compared by their voxels, what their scores become, and what is told of it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest

from dvdup import verify
from dvdup.compare.scores import ONE, RankScores
from dvdup.lab.bench import Voxels, render, schema, to_document
from dvdup.lab.bench.aggregations import ABLATIONS, AGGREGATIONS
from dvdup.lab.bench.aggregations.verified import SHIPPED
from dvdup.lab.bench.database import Database, Query
from dvdup.lab.bench.plan import Line, Outcome, Record
from dvdup.lab.bench.results import Answers, Result, Settings, make_row
from dvdup.verify import ALL, Steps

SCORE = AGGREGATIONS["verified"].score


class Asked:
    """A query whose voxels answer 4.9, no copy, or 9.0 for copies; keeps what it was asked."""

    def __init__(self, change, bag, allowed=None, without="", copies=(), answer=None):
        self.asked = []
        n = len(change)
        allowed = np.ones(n, bool) if allowed is None else np.array(allowed)

        def compare(case: int, steps: Steps) -> float:
            self.asked.append((case, steps))
            return (9.0 if case in copies else 4.9) if answer is None else answer

        def rank_scores(*, variants: bool = True) -> RankScores:
            self.variants = variants
            ours = (np.where(allowed, np.array(each) * ONE // 100, -1) for each in (change, bag))
            return RankScores(*(each[None].astype(np.int64) for each in ours))

        self.query = Query(
            s=np.zeros((1, n), np.float32),
            channel=np.zeros(1, np.int16),
            allowed=allowed,
            nearest=lambda k: pytest.fail("no nearest slices are asked for"),
            database=Database(np.zeros((n, 2), np.float32), np.arange(n + 1), np.zeros(n)),
            scan=lambda: pytest.fail("no scan is asked for"),
            verify=compare,
            without=without,
            rank_scores=rank_scores,
        )
        self.scores = SCORE(self.query)

    @property
    def cases(self):
        return sorted(case for case, _ in self.asked)


CHANGE = (10, 90, 80, 20, 70, 0)
BAG = (15, 10, 70, 95, 60, 0)


@pytest.mark.parametrize(
    ("copies", "cases"),
    [
        ((), [1, 3]),
        ((1,), [1, 2, 3]),
        ((1, 2), [1, 2, 3, 4]),
        ((3,), [1, 2, 3]),
        ((1, 2, 3), [1, 2, 3, 4]),
        ((1, 2, 3, 4), [0, 1, 2, 3, 4]),
        (range(6), [0, 1, 2, 3, 4, 5]),
    ],
)
def test_the_first_of_each_list_is_compared_and_the_next_one_after_a_copy(copies, cases):
    asked = Asked(CHANGE, BAG, copies=copies)
    assert asked.cases == cases
    for case in cases:
        assert asked.scores[case] == (9.0 if case in copies else 4.9)


def test_the_first_of_both_lists_is_compared_once():
    assert Asked(CHANGE, CHANGE).cases == [1]


def test_ties_are_compared_in_the_order_of_the_cases():
    assert Asked([5] * 4, [5] * 4, copies=(0, 1)).cases == [0, 1, 2]


def test_who_is_no_candidate_is_below_all_that_were_compared():
    asked = Asked(CHANGE, BAG, answer=-9.0)
    others = [k for k in range(6) if k not in asked.cases]
    assert asked.scores[others].max() < asked.scores[asked.cases].min()
    assert np.isfinite(asked.scores).all()
    assert (np.argsort(-asked.scores[others]) == np.argsort(-np.array(CHANGE)[others])).all()


def test_barred_cases_are_never_compared():
    allowed = np.array([True, False, True, False, True, True])
    asked = Asked(CHANGE, BAG, allowed)
    assert asked.cases == [2]
    assert (asked.scores[~allowed] == -np.inf).all()
    assert Asked(CHANGE, BAG, np.zeros(6, bool)).asked == []


@pytest.mark.parametrize(("without", "cases"), [("change", [3]), ("bag", [1])])
def test_without_one_kind_of_candidate(without, cases):
    assert Asked(CHANGE, BAG, without=without).cases == cases


@pytest.mark.parametrize("without", ABLATIONS)
def test_variants_are_left_out_where_that_is_asked_for(without):
    assert Asked(CHANGE, BAG, without=without).variants == (without != "variants")


def test_every_step_has_its_row_that_leaves_out_nothing_else():
    by_step = {name: row.steps for name, row in ABLATIONS.items() if row.steps != ALL}
    assert by_step == {name: Steps(**{name: False}) for name in Steps.__slots__}
    for name, row in ABLATIONS.items():
        assert row.what
        assert {steps for _, steps in Asked(CHANGE, BAG, without=name).asked} == {row.steps}


def test_ablations_share_their_candidates():
    rows = [Asked(CHANGE, BAG, without=name).cases for name, row in ABLATIONS.items() if name in
            ("", *Steps.__slots__)]  # fmt: skip
    assert all(row == rows[0] for row in rows)


def made_row(outcomes, edited=("noise", "mild")):
    """Of three persons: scan 0 and 1 are found, scan 2 is mistaken for another."""
    key = Line("verified").key
    records = [Record(i, "none", "none", 5, 0.0, {key: out}) for i, out in enumerate(outcomes)]
    records += [Record(i, *edited, 5, 0.0, {key: out}) for i, out in enumerate(outcomes)]
    answers = Answers.of(records, ["a", "b", "c"])
    return make_row("thumbnail", Line("verified"), answers, Settings(0, 20), None, 1)


def test_the_shipped_threshold_is_judged_by_itself():
    """4.9 is no alarm and 5.1 is one, wherever a fitted threshold would lie."""
    row = made_row(
        [Outcome(8.0, True, 0, 4.9), Outcome(4.9, True, 0, 2.0), Outcome(5.1, False, 1, 5.1)]
    )
    found = row.shipped
    assert found.threshold == SHIPPED == verify.Limits().copy
    assert (found.sensitivity["mild"].count, found.sensitivity["mild"].of) == (1, 3)
    assert found.sensitivity["strong"] is None
    assert (found.specificity["unedited"].count, found.specificity["edited"].count) == (2, 2)
    assert (found.wrong_case.count, found.wrong_case.of) == (1, 3)
    assert 0 <= found.wrong_case.rate.low <= found.wrong_case.rate.value <= 1


def shown(edited):
    """The document of three queries under one edit, of which one is found, and its table."""
    outcomes = [Outcome(8.0, True, 0, 4.9), Outcome(4.9, True, 0, 2.0), Outcome(5.1, False, 1, 5.1)]
    data = {
        "scans": 3, "scans_found": 3, "persons": 3, "groups": "each scan a person", "quick": False,
        "edits": [edited[0]], "levels": [edited[1]], "seed": 0, "bootstrap": 20,
    }  # fmt: skip
    document = to_document(Result(data, (made_row(outcomes, edited),)))
    jsonschema.validate(document, schema())
    return document, render(document, "table", width=80), render(document, "markdown")


def test_further_edits_have_a_table_of_their_own():
    document, table, markdown = shown(("erase", "medium"))
    (row,) = document["rows"]
    found = row["at_shipped_threshold"]["by_edit"]
    assert {name: {level: (rate["count"], rate["of"]) for level, rate in levels.items()}
            for name, levels in found.items()} == {"erase": {"medium": (1, 3)}}  # fmt: skip
    (line,) = [line.split() for line in table.splitlines() if line.startswith("erase")]
    assert line[:5] == ["erase", "-", "1", "of", "3"]
    assert line[-1] == "-"
    assert max(map(len, table.splitlines())) <= 80
    (line,) = [line for line in markdown.splitlines() if line.startswith("| erase |")]
    assert line.startswith("| erase | - | 1 of 3 (")


def test_standard_edits_have_none():
    document, table, markdown = shown(("noise", "mild"))
    assert list(document["rows"][0]["at_shipped_threshold"]["by_edit"]) == ["noise"]
    assert "not among the standard" not in table + markdown


@pytest.fixture(scope="module")
def verified(run_bench, tmp_path_factory):
    """Few scans, really compared."""
    return run_bench(
        tmp_path_factory.mktemp("work"),
        embedders=("thumbnail", "correlation"),
        edits=("mirror",),
        scans=4,
        voxels=Voxels(verified=True),
    )


def test_mirrored_scans_are_found_by_their_voxels(verified):
    rows = {row.line.aggregation: row for row in verified.rows}
    assert list(rows) == ["count-top1", "count-top3", "dvdup", "verified", "volume"]
    row = rows["verified"]
    assert row.shipped.sensitivity["all"].rate.value == 1.0
    assert row.shipped.specificity["edited"].rate.value == 1.0
    assert row.shipped.wrong_case.count == 0
    assert row.first.value == 1.0


def test_what_it_gives_at_the_shipped_threshold_is_told_everywhere(verified):
    document = to_document(verified)
    jsonschema.validate(document, schema())
    told = {row["aggregation"] for row in document["rows"] if "at_shipped_threshold" in row}
    assert told == {"verified"}
    table = render(document, "table", width=80)
    assert max(map(len, table.splitlines())) <= 80
    assert "verified at 5, the threshold that dvdup comes with:" in table
    assert "8 of 8" in table
    assert "At the threshold that dvdup comes with" in render(document, "markdown")


@pytest.fixture
def counted(monkeypatch):
    """`verify.judge` that answers at once: copies only with all steps."""
    pairs = []

    def judge(a, b, full, limits, steps, **more):
        ours, theirs = full()
        sizes = ours.spacing, theirs.spacing  # a pair may be tried at several
        pairs.append((ours.values.tobytes(), theirs.values.tobytes(), sizes, steps))
        score = 6.0 if steps == ALL else 3.0
        decision = verify.Decision(None, "other-structure", 0.9)
        return SimpleNamespace(score=score, decision=decision)

    monkeypatch.setattr("dvdup.compare.pair.verify.judge", judge)
    return pairs


def test_every_pair_is_compared_once_for_each_set_of_steps(run_bench, tmp_path, counted):
    result = run_bench(
        tmp_path,
        embedders=("thumbnail",),
        edits=("noise",),
        scans=6,
        voxels=Voxels(ablate=True),
    )
    assert len(counted) == len(set(counted)) > 0
    assert [row.line.without for row in result.rows[3:]] == list(ABLATIONS)
    document = to_document(result)
    jsonschema.validate(document, schema())
    assert [row.get("without", "") for row in document["rows"][3:]] == list(ABLATIONS)
    shown = render(document, "table", width=80)
    assert max(map(len, shown.splitlines())) <= 80
    for name in ABLATIONS:
        assert f"\n-{name} " in shown or not name
    sensitivity = {
        row.get("without"): row["at_shipped_threshold"]["sensitivity"]["mild"]["value"]
        for row in document["rows"][3:]
    }
    assert sensitivity["greys"] == 0 < sensitivity[None]


def test_voxels_cost_nothing_where_nobody_asked(run_bench, tmp_path, counted):
    run_bench(tmp_path, embedders=("thumbnail",), edits=("noise",), scans=4)
    assert counted == []


def test_only_the_first_embedder_is_verified(run_bench, tmp_path, counted):
    """The baseline before it has no slices to find candidates by."""
    result = run_bench(
        tmp_path,
        embedders=("correlation", "thumbnail"),
        edits=("noise",),
        scans=4,
        voxels=Voxels(verified=True),
    )
    assert [row.embedder for row in result.rows if row.line.aggregation == "verified"] == [
        "thumbnail"
    ]


def test_what_was_verified_is_not_compared_again(run_bench, tmp_path, counted):
    few = {"embedders": ("thumbnail",), "edits": ("noise",), "scans": 4}
    run_bench(tmp_path, **few, voxels=Voxels(verified=True))
    [file] = tmp_path.glob("*/queries.jsonl")
    keys = {key for line in file.read_text().splitlines() for key in json.loads(line)["outcomes"]}
    assert Line("verified").key in keys
    before = len(counted)
    run_bench(tmp_path, **few, voxels=Voxels(verified=True))
    assert len(counted) == before
