"""The plan for very many cases: its laws, and that it is made of what was measured."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dvdup.config.settings import VerifyConfig

SCRIPT = Path(__file__).parents[1] / "examples" / "scale.py"


@pytest.fixture(scope="module")
def scale() -> SimpleNamespace:
    # classes of a script are found by the name of their module
    name = "scale_of_examples"
    module = sys.modules[name] = type(sys)(name)
    module.__dict__.update(runpy.run_path(str(SCRIPT), run_name=name))
    return SimpleNamespace(**module.__dict__)


def step(scale, cases: int, what: str):
    return next(each for each in scale.first_check(cases) if each.what == what)


def test_every_constant_was_measured_somewhere(scale):
    for each in scale.CONSTANTS.values():
        assert each.value > 0
        assert each.what
        assert each.where


@pytest.mark.parametrize("what", ["read and embed", "embed views", "compare voxels"])
def test_what_is_done_to_each_case_grows_with_their_number(scale, what):
    assert step(scale, 2000, what).seconds == pytest.approx(2 * step(scale, 1000, what).seconds)


def test_the_search_grows_with_the_pairs(scale):
    one, many = (step(scale, n, "search, exact").seconds for n in (10_000, 100_000))
    assert many == pytest.approx(100 * one)


def test_shortlists_cost_less_where_they_are_used_and_more_among_few(scale):
    def ratio(cases: int) -> float:
        exact = step(scale, cases, "search, exact").seconds
        return step(scale, cases, "search, by shortlists").seconds / exact

    assert ratio(1000) > 1
    assert ratio(scale.first_by_shortlists()) < 0.5
    assert ratio(10_000_000) < ratio(100_000)


def test_the_plan_changes_searches_where_the_command_does(scale):
    n = scale.first_by_shortlists()
    share = scale.TEST * (1 - scale.TEST)
    assert share * n**2 > VerifyConfig().exact_pairs >= share * (n - 1) ** 2
    assert scale.is_exact(n - 1)
    assert not scale.is_exact(n)


def test_cores_share_all_but_the_lists(scale):
    for each in scale.first_check(1000):
        assert each.on(16) == pytest.approx(each.seconds / (16 if each.is_shared else 1))
    assert [each.what for each in scale.first_check(9) if not each.is_shared] == [
        "read and write lists"
    ]


def test_one_search_counts(scale):
    steps = scale.first_check(1000)
    both = sum(each.seconds for each in steps)
    exact, shortlists = (scale.total(steps, 1, exact=each) for each in (True, False))
    assert exact == pytest.approx(both - step(scale, 1000, "search, by shortlists").seconds)
    assert shortlists == pytest.approx(both - step(scale, 1000, "search, exact").seconds)


def test_the_script_prints_a_line_for_every_size_and_number_of_cores(scale, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["scale.py", "30000", "5000000"])
    scale.main()
    printed = capsys.readouterr().out.splitlines()
    for size in ("30,000", "5,000,000"):
        assert sum(line.startswith(f"| {size} |") for line in printed) == 1 + len(scale.CORES)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.5, "0.5 s"),
        (90, "90 s"),
        (600, "10 min"),
        (86_400, "24 h"),
        (864_000, "10 days"),
        (3.2e9, "101 years"),
    ],
)
def test_spans_are_told_in_a_unit_that_fits(scale, seconds, said):
    assert scale._span(seconds) == said
