"""What a calibration says, draws and stores."""

from __future__ import annotations

import dataclasses

import pytest

from dvdup.config import load_config
from dvdup.errors import InputError
from dvdup.lab.calibrate import draw, lines, store
from dvdup.lab.calibrate.plot import demand_file
from dvdup.lab.calibrate.run import LeftOut
from dvdup.lab.calibrate.text import worse
from dvdup.lab.evaluate.statistics import Rate


def test_the_table_fits_80_columns_and_says_both_thresholds(result):
    made = result()
    text = list(lines(made))
    assert max(map(len, text)) <= 80
    assert any("60 cases of 60 groups" in line for line in text)
    (row,) = (line for line in text if line.startswith("threshold"))
    assert "5.00" in row
    assert f"{made.threshold:.2f}" in row


@pytest.mark.parametrize(
    ("budget", "words"),
    [(0.001, "EXTRAPOLATED"), (0.1, "1 in 10 cases"), (None, "Youden")],
)
def test_it_says_where_the_threshold_comes_from(result, budget, words):
    text = " ".join(lines(result(60, budget)))
    assert words in text
    assert ("EXTRAPOLATED" in text) == (budget == 0.001)


def test_pairs_that_are_left_out_are_named(result):
    pairs = tuple(LeftOut(("train", f"a{i}"), ("test", f"b{i}"), 8.0) for i in range(25))
    text = "\n".join(lines(result(left_out=pairs)))
    assert "25 pairs of two groups are called copies" in text.replace("\n", " ")
    assert "8.00  train/a0  test/b0" in text
    assert "... and 5 more" in text
    assert "--all-strangers" in text
    one = "\n".join(lines(result(left_out=pairs[:1])))
    assert "1 pair of two groups is called a copy" in one
    assert "--all-strangers" not in one


def test_lost_copies_are_told(result):
    made = result()
    bad = (Rate(0.5, 0.4, 0.6), Rate(0.5, 0.4, 0.6))
    after = dataclasses.replace(made.fitted.after, found=bad)
    assert worse(made.fitted.before, after)
    assert not worse(made.fitted.before, made.fitted.before)
    lost = dataclasses.replace(made, fitted=dataclasses.replace(made.fitted, after=after))
    assert any(line.startswith("Beware") for line in lines(lost))


@pytest.mark.parametrize("budget", [0.001, None])
def test_the_same_picture_twice(result, tmp_path, budget):
    for name in ("one.png", "two.png"):
        draw(result(60, budget), tmp_path / name)
    one = (tmp_path / "one.png").read_bytes()
    assert one[:4] == b"\x89PNG"
    assert one == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize("name", ["plot.jpg", "no/plot.png"])
def test_a_picture_that_cannot_be_written_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="--plot"):
        demand_file(tmp_path / name)


def test_what_is_stored_is_what_comes_back(result, tmp_path):
    (tmp_path / "dvdup.toml").write_text("jobs = 1  # slow machine\n")
    made = result()
    config = load_config(config=None, cwd=tmp_path, environ={}, overrides={})
    assert store(config, made) == "dvdup.toml"
    loaded = load_config(config=None, cwd=tmp_path, environ={}, overrides={})
    assert loaded.jobs == 1
    assert "# slow machine" in (tmp_path / "dvdup.toml").read_text()
    assert loaded.calibration.threshold == made.threshold
    assert loaded.calibration.budget == 0.001
    assert loaded.calibration.weights is None
    assert loaded.calibration.missing == ()
