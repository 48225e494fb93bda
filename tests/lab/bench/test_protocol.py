"""What a whole run says about scans of which everything is known."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest

from dvdup.edits import names_of
from dvdup.errors import ConfigError, InputError, Interrupted
from dvdup.lab.bench import from_json, schema, to_document, to_json
from dvdup.lab.bench.plan import QUICK_EDITS, Line, Plan, Task, plan_edits
from dvdup.lab.bench.results import EVERYDAY
from dvdup.lab.bench.tables import headline
from dvdup.lab.bench.work import Work
from dvdup.records import Hooks


def rows_of(result, embedder="thumbnail"):
    return {
        (row.line.aggregation, row.line.variants): row
        for row in result.rows
        if row.embedder == embedder
    }


def records(work):
    [file] = work.glob("*/queries.jsonl")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {(line["scan"], line["edit"], line["level"]): line for line in lines}


def test_every_method_has_its_rows(result):
    assert [(row.embedder, row.line.aggregation, row.line.variants) for row in result.rows] == [
        ("thumbnail", "count-top1", False),
        ("thumbnail", "count-top3", False),
        ("thumbnail", "dvdup", False),
        ("thumbnail", "dvdup", True),
        ("correlation", "volume", False),
    ]


def test_the_numbers_of_queries(result):
    row = result.rows[0]
    assert row.n_negatives == 12
    assert row.n_positives == row.n_negatives_edited == 12 * (2 + 3 * 3)
    assert result.data["persons"] == 6
    assert list(row.by_edit) == ["mirror", "noise", "gamma", "slab"]
    assert list(row.by_edit["mirror"]) == ["medium", "strong"]


def test_gamma_is_found_and_a_mirror_escapes_the_count(result):
    rows = rows_of(result)
    assert rows["dvdup", True].by_edit["gamma"]["strong"].value == 1.0
    assert rows["count-top1", False].by_edit["mirror"]["medium"].value < 0.5


def test_what_is_stronger_is_found_less(result):
    for row in result.rows:
        noise, slab = row.by_edit["noise"], row.by_edit["slab"]
        assert noise["mild"].value >= noise["medium"].value >= noise["strong"].value
        assert noise["mild"].value > noise["strong"].value
        assert slab["mild"].value >= slab["medium"].value >= slab["strong"].value
        # with `dvdup` alone no slab is found: its weights are made for `builtin`, to which
        # thumbnails are all alike; with variants every one is
        if row.line.aggregation != "dvdup":
            assert slab["mild"].value > slab["strong"].value


def test_variants_find_the_mirror(result):
    plain, varied = (rows_of(result)["dvdup", variants] for variants in (False, True))
    assert varied.by_edit["mirror"]["medium"].value > 0.9
    assert varied.by_edit["mirror"]["strong"].value > plain.by_edit["mirror"]["strong"].value


def test_rates_and_intervals_are_in_order(result):
    for row in result.rows:
        for rate in (*row.sensitivity.values(), row.specificity, row.wrong_case, row.first):
            assert 0 <= rate.low <= rate.value <= rate.high <= 1
        assert row.youden.threshold.low <= row.youden.threshold.high


def test_the_document_fits_its_schema(result):
    jsonschema.Draft202012Validator.check_schema(schema())
    document = to_document(result)
    jsonschema.validate(document, schema())
    assert from_json(to_json(document)) == document
    assert EVERYDAY == ("mild", "medium")


def test_another_document_is_refused():
    for text in ("", "[]", '{"schema": "dvdup/report@1"}'):
        with pytest.raises(InputError, match="not the result of a bench"):
            from_json(text)


def test_a_person_is_a_stranger_to_itself(run_bench, tmp_path):
    """With its person in the database scan 1 finds scan 2, its noisy copy; without it nothing."""
    together, apart = tmp_path / "together", tmp_path / "apart"
    for work, groups in ((together, "(id + 1) // 2"), (apart, None)):
        run_bench(work, groups=groups, embedders=("correlation",), edits=("noise",))
    key = Line("volume").key
    one = records(together)[0, "none", "none"]["outcomes"][key]
    other = records(apart)[0, "none", "none"]["outcomes"][key]
    assert one[3] < 0.9
    assert other[3] > 0.95
    assert one[0] == other[0] == pytest.approx(1.0, abs=1e-3)


def test_an_identical_copy_is_right_and_no_stranger(run_bench, tmp_path):
    """Scans 11 and 12 are equal: whichever is found, it is right, whatever the persons say."""
    run_bench(tmp_path, embedders=("correlation",), edits=("noise",))
    key = Line("volume").key
    for scan in (10, 11):
        best, right, rank, stranger = records(tmp_path)[scan, "noise", "mild"]["outcomes"][key]
        assert best > 0.95
        assert right == 1
        assert rank == 0
        assert stranger < 0.95


def test_the_same_input_gives_the_same_bytes(run_bench, tmp_path):
    one = run_bench(tmp_path / "a", edits=("noise", "slab"))
    other = run_bench(tmp_path / "b", edits=("noise", "slab"), jobs=2)
    assert to_json(to_document(one)) == to_json(to_document(other))


def test_a_stopped_run_goes_on_and_says_the_same(run_bench, tmp_path):
    whole = run_bench(tmp_path / "whole", embedders=("correlation",))
    asked = 0

    def soon() -> bool:
        nonlocal asked
        asked += 1
        return asked > 40

    with pytest.raises(Interrupted, match="run it again"):
        run_bench(tmp_path / "part", Hooks(should_stop=soon), embedders=("correlation",))
    done = len(records(tmp_path / "part"))
    assert 0 < done < 12 * 12
    [file] = (tmp_path / "part").glob("*/queries.jsonl")
    file.write_bytes(file.read_bytes()[:-30])  # killed while it wrote
    steps = []
    hooks = Hooks(progress=lambda what, n, total: steps.append((what, n, total)))
    again = run_bench(tmp_path / "part", hooks, embedders=("correlation",))
    assert ("querying", 0, 12 * 12 - done + 1) in steps
    assert to_json(to_document(again)) == to_json(to_document(whole))


def test_a_finished_run_asks_nothing_again(run_bench, tmp_path):
    run_bench(tmp_path, embedders=("correlation",), edits=("noise",))
    steps = []
    hooks = Hooks(progress=lambda what, n, total: steps.append((what, n, total)))
    run_bench(tmp_path, hooks, embedders=("correlation",), edits=("noise",))
    assert [step for step in steps if step[0] != "reading"] == [("querying", 0, 0)]


def test_more_edits_are_added_to_what_is_there(run_bench, tmp_path):
    run_bench(tmp_path, embedders=("correlation",), edits=("noise",))
    steps = []
    hooks = Hooks(progress=lambda what, n, total: steps.append((what, n, total)))
    more = run_bench(tmp_path, hooks, embedders=("correlation",), edits=("noise", "gamma"))
    assert ("querying", 0, 12 * 3) in steps
    assert list(more.rows[0].by_edit) == ["noise", "gamma"]


def test_a_new_line_is_added_to_finished_queries(run_bench, tmp_path):
    pytest.importorskip("faiss")
    run_bench(tmp_path, embedders=("thumbnail",), edits=("noise",))
    more = run_bench(tmp_path, embedders=("thumbnail",), edits=("noise",), indexes=("exact", "lsh"))
    assert [row.line.index for row in more.rows] == ["exact", "lsh", "exact", "lsh", "exact"]


def test_lines_of_earlier_runs_are_not_forgotten(run_bench, tmp_path):
    """Plain, then with variants, then plain again: nothing is asked twice."""
    few = {"embedders": ("thumbnail",), "edits": ("noise",), "scans": 4}
    run_bench(tmp_path, **few)
    run_bench(tmp_path, **few, variants=True)
    steps = []
    hooks = Hooks(progress=lambda what, n, total: steps.append((what, n, total)))
    for variants in (False, True):
        run_bench(tmp_path, hooks, **few, variants=variants)
    assert [step for step in steps if step[0] == "querying"] == [("querying", 0, 0)] * 2


def test_missing_names_what_is_left(tmp_path):
    work = Work(tmp_path, "key")
    task = Task(0, "mild", ("noise", "gamma"))
    assert work.missing(task, (Line("dvdup"),)) == task


def test_quick_takes_fewer_scans_and_edits_and_says_so(run_bench, tmp_path):
    found = run_bench(tmp_path, embedders=("correlation",), edits=(), quick=True, scans=6)
    assert found.data["quick"] is True
    assert found.data["scans"] == 6
    assert found.data["scans_found"] == 12
    assert "blur" not in found.data["edits"]


def test_one_person_is_too_few(run_bench, tmp_path):
    with pytest.raises(InputError, match="at least two persons"):
        run_bench(tmp_path, groups="id // 100")


def test_unknown_names_are_told_before_any_work(run_bench, tmp_path):
    with pytest.raises(InputError, match=r"no edit .fog.*, and the suites standard and extended"):
        run_bench(tmp_path, edits=("fog",))
    with pytest.raises(ConfigError, match="unknown index"):
        run_bench(tmp_path, indexes=("annoy",))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("asked", "planned"),
    [
        ((), names_of("standard")),
        (("standard",), names_of("standard")),
        (("extended",), names_of("extended")),
        (("extended", "standard"), names_of("standard", "extended")),
        (("extended", "noise"), ("noise", *names_of("extended"))),
        (("erase", "noise"), ("noise", "erase")),
    ],
)
def test_edits_are_named_one_by_one_or_by_suite(asked, planned):
    assert plan_edits(asked, quick=False) == planned
    assert plan_edits(asked, quick=True) == (planned if asked else QUICK_EDITS)


def test_the_plan_holds_edits_of_both_suites():
    tasks = list(Plan(("noise", "erase", "mixup"), scans=(0,)).tasks())
    assert [task.edits for task in tasks[1:]] == [("noise", "erase", "mixup")] * 3


def test_the_plan_holds_every_edit_of_every_strength():
    tasks = list(Plan(("mirror", "noise"), scans=(0, 2)).tasks())
    assert [(task.scan, task.level, task.edits) for task in tasks[:4]] == [
        (0, "none", ("none",)),
        (0, "mild", ("noise",)),
        (0, "medium", ("mirror", "noise")),
        (0, "strong", ("mirror", "noise")),
    ]
    assert len(tasks) == 8
    assert np.unique([task.scan for task in tasks]).tolist() == [0, 2]


def test_only_some_are_asked_about_and_all_may_be_found(run_bench, tmp_path):
    few = {"embedders": ("thumbnail",), "edits": ("noise",), "groups": "(id + 1) // 2"}
    result = run_bench(tmp_path, **few, ask="00[3-6]$")
    assert (result.data["scans"], result.data["asked"]) == (12, 4)
    row = rows_of(result)["count-top1", False]
    assert (row.n_negatives, row.n_positives) == (4, 12)
    document = to_document(result)
    jsonschema.validate(document, schema())
    assert "12 scans of 6 persons, of which 4 were queries" in " ".join(headline(document))
    everybody = run_bench(tmp_path, **few)
    assert everybody.data.get("asked") is None
    assert rows_of(everybody)["count-top1", False].n_negatives == 12


@pytest.mark.parametrize(("ask", "why"), [("(", "no regular expression"), ("x", "none of 12")])
def test_a_rule_that_asks_nobody_is_told(run_bench, tmp_path, ask, why):
    with pytest.raises(InputError, match=why):
        run_bench(tmp_path, embedders=("thumbnail",), ask=ask)
