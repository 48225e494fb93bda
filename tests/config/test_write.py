"""A file that `init` writes gives back what was detected; groups and split names."""

from __future__ import annotations

import dataclasses
import tomllib

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dvdup.config import (
    LAYOUTS,
    DatasetConfig,
    group_of,
    load_config,
    settings_table,
    split_name_fault,
    to_toml,
)
from dvdup.config.uris import is_uri
from dvdup.config.write import toml_value
from dvdup.errors import ConfigError

ANY = st.characters(exclude_categories=["Cs"])
TEXT = st.text(ANY, min_size=1, max_size=15).map(str.strip).filter(bool)
PLACE = TEXT.filter(lambda text: not is_uri(text))  # addresses are checked, and written in one way
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
SPLITS = st.dictionaries(
    st.text(ANY, min_size=1, max_size=10).filter(lambda name: split_name_fault(name) is None),
    st.lists(TEXT, min_size=1, max_size=2).map(tuple),
    max_size=3,
)
DATASETS = st.builds(
    DatasetConfig,
    layout=st.sampled_from(LAYOUTS),
    path=PLACE,
    csv=st.none() | PLACE,
    json=st.none() | PLACE,
    folds=st.none() | PLACE,
    include=TEXTS,
    exclude=TEXTS,
    group=st.sampled_from([None, r"(sub-\d+)", "(?P<group>[^_\"'\\\\]+)_x"]),
    arrays=SPLITS | st.lists(TEXT, min_size=1, max_size=2).map(lambda names: {"": tuple(names)}),
    splits=SPLITS,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(dataset=DATASETS, notes=st.lists(st.text(ANY, max_size=30), max_size=2))
def test_what_was_detected_comes_back(tmp_path, dataset, notes):
    text = to_toml(dataset, notes)
    file = tmp_path / "dvdup.toml"
    file.write_text(text, encoding="utf-8", newline="\n")
    try:
        loaded = load_config(config=file, cwd=tmp_path, environ={}, overrides={})
    except ConfigError as error:  # two settings that exclude one another
        words = ("is set but dataset.layout", "are both set", "dataset.arrays is not set")
        assume(not any(word in str(error) for word in words))
        raise
    assert loaded.dataset == dataset
    default = load_config(config=None, cwd=tmp_path / "x", environ={}, overrides={})
    for name in ("embedder", "jobs", "slicing", "report", "store", "index"):
        assert getattr(loaded, name) == getattr(default, name)


def test_every_setting_stands_in_the_file_and_its_comment_can_be_taken_away():
    """The commented lines are examples that work."""
    lines = to_toml(DatasetConfig()).splitlines()
    opened = [
        line.removeprefix("# ") if line.startswith("# ") and " = " in line else line
        for line in lines
    ]
    table = tomllib.loads("\n".join(opened))
    for setting in settings_table():
        if setting.key.startswith("calibration."):
            continue  # written by `dvdup calibrate`
        value = table
        for name in setting.key.split("."):
            value = value[name]
        shown = setting.kind.parse(value)
        expected = setting.example if setting.default in (None, ()) else setting.default
        if setting.key == "dataset.arrays":
            expected = {"": setting.example}
        if setting.key != "dataset.splits":
            assert shown == expected, setting.key


def test_only_what_differs_is_written_out():
    found = DatasetConfig(layout="csv", csv="splits.csv", group="(s.)")
    table = tomllib.loads(to_toml(found))
    written = {key: value for key, value in table.pop("dataset").items() if key != "splits"}
    assert written == {"layout": "csv", "csv": "splits.csv", "group": "(s.)"}
    assert not any(table.values())


@given(st.text(ANY, max_size=30))
def test_any_text_is_one_line_of_toml(text):
    written = toml_value(text)
    assert "\n" not in written
    assert tomllib.loads(f"x = {written}")["x"] == text


@given(st.one_of(st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False)))
def test_any_number_is_toml(value):
    found = tomllib.loads(f"x = {toml_value(value)}")["x"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"(sub-\d+)", "a/sub-12_T1w", "sub-12"),
        (r"sub-(\d+)", "sub-12", "12"),
        (r"(?P<group>p\d)_(\d)", "p3_7", "p3"),
        (r"(sub-\d+)", "no subject", None),
        (r"x(.*)", "x", None),
        (r"(a)|b", "b", None),
    ],
)
def test_the_subject_in_a_name(pattern, text, found):
    assert group_of(pattern, text) == found


@pytest.mark.parametrize("name", ["", " ", "a/b", "a@1", "a\nb", "a\0"])
def test_names_that_no_split_can_have(name):
    assert split_name_fault(name)


@pytest.mark.parametrize("name", ["train", "fold 1", "überprüft", "7", "a.b-c_d"])
def test_names_that_a_split_can_have(name):
    assert split_name_fault(name) is None


def test_the_table_covers_the_dataclass():
    keys = {setting.key for setting in settings_table()}
    assert {f"dataset.{field.name}" for field in dataclasses.fields(DatasetConfig)} <= keys
    variables = [setting.variable for setting in settings_table() if setting.variable]
    assert len(set(variables)) == len(variables)
