"""Table, Markdown and plots, all from the document."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from dvdup.errors import ConfigError, InputError
from dvdup.lab.bench import (
    FORMATS,
    demand_format,
    draw,
    from_json,
    render,
    schema,
    summary,
    to_document,
    to_json,
)


@pytest.fixture(scope="session")
def document(result):
    return to_document(result)


def test_the_table_fits_eighty_columns(document):
    text = render(document, "table", width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii(), [line for line in text.splitlines() if not line.isascii()]
    assert "12 scans of 6 persons" in text
    for word in ("thumbnail", "correlation", "count-top1", "dvdup variants", "volume"):
        assert word in text


def test_the_table_shows_the_figures_of_the_document(document):
    row = document["rows"][2]
    shown = next(
        line for line in render(document, "table").splitlines() if line.startswith("dvdup ")
    )
    at = row["sensitivity_at_specificity_99"]
    for rate in (row["youden"]["sensitivity"], at["mild"], at["strong"], at["all"]):
        assert f"{100 * rate['value']:.1f}" in shown


def test_quick_and_unreadable_are_said(document):
    data = {**document["data"], "quick": True, "unreadable": ["x", "y"], "scans_found": 20}
    text = render({**document, "data": data}, "table")
    assert "Quick: only mirror, noise" in text
    assert "12 of 20 scans" in text
    assert "2 scans could not be read" in text


def test_the_markdown_table_has_a_line_a_row(document):
    lines = render(document, "markdown").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(document["rows"])
    assert len({line.count("|") for line in table}) == 1


BENCH = Path(__file__).parents[3] / "examples" / "bench"


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("msd_hippocampus_verified", ["`dvdup diff`", "published count"]),
        ("brains_verified", ["`dvdup diff`", "published count"]),
        ("mixed", ["candidate score only", "published count"]),
    ],
)
def test_the_summary_sets_what_is_decided_beside_the_count(name, by):
    document = from_json((BENCH / f"{name}.json").read_text(encoding="utf-8"))
    lines = [line.split(" | ") for line in summary({name: document}, "x.md").splitlines()[2:]]
    assert [line[2] for line in lines] == by
    assert all(line[0] == f"| [{name}](x.md#{name})" for line in lines)
    if name == "mixed":
        return
    (row,) = [
        row for row in document["rows"] if row["aggregation"] == "verified" and "without" not in row
    ]
    at = row["at_shipped_threshold"]
    worse = min(rate["value"] for rate in at["specificity"].values())
    shown = [at["sensitivity"]["mild"]["value"], at["sensitivity"]["strong"]["value"], worse]
    assert [lines[0][3], lines[0][5], lines[0][6]] == [f"{100 * value:.1f}" for value in shown]


def test_the_summary_of_a_run_without_timing(document):
    rows = [{**row, "slices_per_second": None} for row in document["rows"]]
    last = summary({"a": {**document, "rows": rows}}, "x.md").splitlines()[-1]
    assert last.endswith("| - |")


def test_color_only_if_asked_for(document):
    assert "\x1b" not in render(document, "table")
    assert "\x1b" in render(document, "table", color=True)


def test_plots_are_pictures_and_the_same_every_time(result, document, tmp_path):
    from PIL import Image

    document = {**document, "rows": document["rows"][:1]}
    files = draw(document, result.curves, tmp_path / "a")
    assert [file.name for file in files] == ["roc.png", "edits-thumbnail-count-top1.png"]
    for file in files:
        with Image.open(file) as picture:
            assert min(picture.size) > 200
    again = draw(document, result.curves, tmp_path / "b")
    assert [f.read_bytes() for f in files] == [f.read_bytes() for f in again]


def test_plots_that_cannot_be_written_are_told(document, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write plots"):
        draw(document, (), tmp_path / "file")


def test_an_unknown_format_is_told():
    with pytest.raises(ConfigError, match=", ".join(FORMATS)):
        demand_format("html")


SAVED = sorted((Path(__file__).parents[3] / "examples" / "bench").glob("*.json"))


@pytest.mark.parametrize("file", SAVED, ids=lambda file: file.stem)
def test_saved_results_fit_the_schema_and_can_be_shown(file):
    saved = from_json(file.read_text(encoding="utf-8"))
    jsonschema.validate(saved, schema())
    assert to_json(saved) == file.read_text(encoding="utf-8")
    assert render(saved, "table").count("\n") > len(saved["rows"])
