"""What resembles others whoever it shows is no copy unless it is equal."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dvdup import edits
from dvdup.verify import Scan, judge
from dvdup.verify.proof import proves_nothing

SIZE = (1.0, 1.0, 1.0)


def page(dose: str) -> Scan:
    """A dose report: the same form for everybody, a few digits apart."""
    picture = Image.new("L", (256, 256))
    draw = ImageDraw.Draw(picture)
    for line in range(14):
        draw.text((10, 10 + 16 * line), f"Series {line}   kV 120   mAs 98   CTDI", fill=255)
    draw.text((150, 230), dose, fill=255)
    return Scan(np.asarray(picture, np.float32)[:, :, None], SIZE)


def test_dose_reports_of_two_patients_are_no_copies():
    one, other = page("7.31 mGy"), page("5.02 mGy")
    found = judge(one, other)
    assert (found.decision.verdict, found.decision.rule) == (None, "proves-nothing")
    assert found.decision.decided
    assert judge(one, page("7.31 mGy")).decision.verdict == "identical"


@pytest.mark.parametrize("side", [8, 12, 15])
def test_volumes_of_few_voxels_are_copies_only_where_values_are_equal(person, side):
    start = [(n - side) // 2 for n in person(1).shape]
    box = tuple(slice(first, first + side) for first in start)
    one, other = (Scan(np.ascontiguousarray(person(each)[box]), SIZE) for each in (1, 2))
    assert judge(one, other).decision.rule == "proves-nothing"
    noisy = edits.apply("noise", "mild", one.values, SIZE, "p")
    assert judge(one, Scan(noisy.values, SIZE)).decision.verdict is None
    flipped = Scan(np.ascontiguousarray(one.values[::-1]), SIZE)
    assert judge(one, flipped).decision.verdict == "identical"


def test_scans_and_radiographs_prove_something(person):
    assert not proves_nothing(Scan(person(1), SIZE))
    assert not proves_nothing(Scan(person(1)[:, :, 22:23], SIZE))
    assert not proves_nothing(Scan(person(1)[:8, :8, :8], SIZE, full=False))
    assert not proves_nothing(Scan(np.zeros((20, 20, 1)), SIZE))
