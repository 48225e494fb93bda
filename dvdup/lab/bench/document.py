"""The result as a JSON document, contract `dvdup/bench@1`, and back.

Every other output is made from the document, so that what was saved can be shown again. Floats
have 4 places; nothing in it depends on the time or the place of the run but `slices_per_second`.
"""

from __future__ import annotations

import json
import math
from importlib.resources import files
from typing import Any

from dvdup import __version__
from dvdup.errors import InputError
from dvdup.lab.bench.results import Counts, Rates, Result, Row, Shipped
from dvdup.lab.evaluate.statistics import Count, Rate

SCHEMA = "dvdup/bench@1"
"""Value of the `schema` key; the number grows with any change that breaks a reader."""
PLACES = 4
"""Decimal places of every float."""

Document = dict[str, Any]


def to_document(result: Result) -> Document:
    """The result as JSON values."""
    return {
        "schema": SCHEMA,
        "dvdup": __version__,
        "data": {**result.data, "unreadable": [case.case for case in result.unreadable]},
        "rows": [_row(row) for row in result.rows],
    }


def to_json(document: Document) -> str:
    """The document as ASCII text ending with a newline."""
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def from_json(text: str) -> Document:
    """Read a document.

    Raises:
        InputError: The text is no such document.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InputError(f"not the result of a bench: it is not JSON ({error})") from error
    found = document.get("schema") if isinstance(document, dict) else None
    if found != SCHEMA:
        raise InputError(f"not the result of a bench: its schema is {found!r}, expected {SCHEMA!r}")
    return dict(document)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document, as packaged."""
    text = files("dvdup.lab.bench").joinpath("bench.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _row(row: Row) -> dict[str, Any]:
    speed = row.slices_per_second
    return {
        "embedder": row.embedder,
        "aggregation": row.line.aggregation,
        "index": row.line.index,
        "variants": row.line.variants,
        "youden": {
            "threshold": _rate(row.youden.threshold),
            "sensitivity": _rate(row.youden.sensitivity),
            "specificity": _rate(row.youden.specificity),
        },
        "sensitivity_at_specificity_99": {
            **_rates(row.sensitivity),
            "by_edit": {edit: _rates(levels) for edit, levels in row.by_edit.items()},
            "specificity": _rate(row.specificity),
        },
        "wrong_case_rate": _rate(row.wrong_case),
        "first": _rate(row.first),
        "first_five": _rate(row.first_five),
        "negatives": row.n_negatives,
        "negatives_edited": row.n_negatives_edited,
        "positives": row.n_positives,
        "slices_per_second": None if speed is None else round(speed),
        "bytes_per_case": row.bytes_per_case,
        **({"without": row.line.without} if row.line.without else {}),
        **({"at_shipped_threshold": _shipped(row.shipped)} if row.shipped else {}),
    }


def _shipped(found: Shipped) -> dict[str, Any]:
    return {
        "threshold": _rounded(found.threshold),
        "sensitivity": _counts(found.sensitivity),
        "specificity": _counts(found.specificity),
        "wrong_case": _count(found.wrong_case),
        "by_edit": {edit: _counts(levels) for edit, levels in found.by_edit.items()},
    }


def _counts(counts: Counts) -> dict[str, Any]:
    return {name: _count(count) for name, count in counts.items()}


def _count(count: Count | None) -> dict[str, Any] | None:
    """`count` queries out of `of`."""
    if count is None:
        return None
    return {**(_rate(count.rate) or {}), "count": count.count, "of": count.of}


def _rates(rates: Rates) -> dict[str, Any]:
    return {name: _rate(rate) for name, rate in rates.items()}


def _rate(rate: Rate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    return {"value": _rounded(rate.value), "ci": [_rounded(rate.low), _rounded(rate.high)]}


def _rounded(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("a rate is not finite")
    return round(float(value), PLACES) + 0.0  # + 0.0: minus zero is zero
