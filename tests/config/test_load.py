"""Flag > variable > file > default; what cannot be used is refused where it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dvdup.config import CONFIG_NAME, DEFAULT_EMBEDDER, FAIL_ON, load_config, settings_table
from dvdup.errors import ConfigError


def load(cwd: Path, environ=None, overrides=None, config=None, outside=False):
    return load_config(
        config=config,
        cwd=cwd,
        environ=environ or {},
        overrides=overrides or {},
        outside=outside,
    )


def value_of(loaded, key: str):
    for name in key.split("."):
        loaded = getattr(loaded, name)
    return loaded


@pytest.fixture
def write(tmp_path: Path):
    """Write `dvdup.toml` (or another file) in the test's folder."""

    def make(text: str, name: str = CONFIG_NAME) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return make


# Every setting, from every source. (in TOML, as text, what it becomes); text None: file only.
SAMPLES = {
    "index": ('"there"', "there", "there"),
    "embedder": ('"dinov1"', "dinov1", "dinov1"),
    "device": ('"cuda:1"', "cuda:1", "cuda:1"),
    "batch": ("7", "7", 7),
    "jobs": ("3", "3", 3),
    "runner": ('"ray"', "ray", "ray"),
    "offline": ("true", "yes", True),
    "dataset.layout": ('"dicom"', "dicom", "dicom"),
    "dataset.path": ('"data"', "data", "data"),
    "dataset.csv": ('"t.csv"', "t.csv", "t.csv"),
    "dataset.json": ('"d.json"', "d.json", "d.json"),
    "dataset.folds": ('"splits_final.json"', "splits_final.json", "splits_final.json"),
    "dataset.include": ('["a*", "b"]', "a*, b", ("a*", "b")),
    "dataset.exclude": ('"old/"', "old/", ("old/",)),
    "dataset.group": ('"(s[0-9]+)"', "(s[0-9]+)", "(s[0-9]+)"),
    "dataset.arrays": ('["X_*.npy", "a.npz#x"]', "X_*.npy,a.npz#x", {"": ("X_*.npy", "a.npz#x")}),
    "dataset.splits": ('{train = "a", test = ["b", "c"]}', None,
                       {"train": ("a",), "test": ("b", "c")}),
    "read.max_bytes": ('"4GB"', "4 GB", 4 * 10**9),
    "read.cache_bytes": ('"4GB"', "4 GB", 4 * 10**9),
    "slicing.planes": ('["axial"]', "axial", ("axial",)),
    "slicing.spacing_mm": ("2", "2.5", 2.0),
    "slicing.max_slices": ("50", "50", 50),
    "verify.candidates": ("3", "3", 3),
    "verify.exact_pairs": ("5000", "5000", 5000),
    "report.fail_on": ('"near"', "near", ("identical", "near")),
    "report.allow_unreadable": ("true", "on", True),
    "report.within": ("true", "1", True),
    "store.commit_rows": ("9", "9", 9),
    "store.commit_seconds": ("1.5", "1.5", 1.5),
    "store.proxies": ("false", "no", False),
    "calibration.threshold": ("4.5", None, 4.5),
    "calibration.budget": ("0.001", None, 0.001),
    "calibration.embedder": ('"builtin"', None, "builtin"),
    "calibration.weights": ('"abc"', None, "abc"),
    "calibration.recipe": ('"def"', None, "def"),
    "calibration.strength": ("1", None, 1),
    "calibration.candidates": ("5", None, 5),
    "calibration.cases": ("50", None, 50),
    "calibration.null_cases": ("40", None, 40),
}  # fmt: skip

CALIBRATION = {key: text for key, (text, *_) in SAMPLES.items() if key.startswith("calibration.")}


def in_file(key: str, text: str) -> str:
    table, _, name = key.rpartition(".")
    return f"[{table}]\n{name} = {text}\n" if table else f"{name} = {text}\n"


def test_there_is_a_sample_of_every_setting():
    assert list(SAMPLES) == [setting.key for setting in settings_table()]


@pytest.mark.parametrize("key", SAMPLES)
def test_default_without_any_source(tmp_path, key):
    (setting,) = [each for each in settings_table() if each.key == key]
    assert value_of(load(tmp_path), key) == setting.default
    assert setting.meaning


@pytest.mark.parametrize("key", SAMPLES)
def test_from_the_file(tmp_path, write, key):
    text, _, expected = SAMPLES[key]
    others = CALIBRATION.items() if key in CALIBRATION else ()  # holds as a whole only
    write(
        in_file(key, text)
        + "".join(f"{k.rpartition('.')[2]} = {v}\n" for k, v in others if k != key)
    )
    assert value_of(load(tmp_path), key) == expected


@pytest.mark.parametrize("key", SAMPLES)
def test_from_a_variable_and_a_flag(tmp_path, key):
    _, text, expected = SAMPLES[key]
    (setting,) = [each for each in settings_table() if each.key == key]
    if text is None:
        assert setting.variable == ""
        with pytest.raises(ConfigError, match="can be set in a file only"):
            load(tmp_path, overrides={key: "x"})
        return
    expected = 2.5 if key == "slicing.spacing_mm" else expected
    assert value_of(load(tmp_path, {setting.variable: text}), key) == expected
    assert value_of(load(tmp_path, overrides={key: text}), key) == expected


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("2kB", 2000), ("2 KiB", 2048), ("1.5G", 1_500_000_000), ("3MiB", 3 << 20)],
)
def test_a_size_as_people_write_it(tmp_path, text, size):
    assert load(tmp_path, {"DVDUP_READ_MAX_BYTES": text}).read.max_bytes == size


@pytest.mark.parametrize("text", ["0", "-1", "4 lots", "GB", "1e9", "0.1"])
def test_what_is_no_size(tmp_path, text):
    with pytest.raises(ConfigError, match="a number of bytes, as 4000000000 or 4GB"):
        load(tmp_path, {"DVDUP_READ_MAX_BYTES": text})


@pytest.mark.parametrize("sources", range(8), ids="{:03b}".format)
def test_precedence(tmp_path, write, sources):
    """All eight ways in which flag, variable and file are there or not."""
    flag, variable, file = bool(sources & 4), bool(sources & 2), bool(sources & 1)
    if file:
        write('embedder = "from-file"\n')
    environ = {"DVDUP_EMBEDDER": "from-variable"} if variable else {}
    overrides = {"embedder": "from-flag"} if flag else {}
    expected = (
        "from-flag" if flag
        else "from-variable" if variable
        else "from-file" if file
        else DEFAULT_EMBEDDER
    )  # fmt: skip
    assert load(tmp_path, environ, overrides).embedder == expected


def test_a_nearer_source_replaces_one_setting_only(tmp_path, write):
    write("jobs = 2\n[report]\nwithin = true\n[slicing]\nmax_slices = 9\n")
    loaded = load(tmp_path, {"DVDUP_WITHIN": "no"}, {"batch": 5})
    assert (loaded.jobs, loaded.batch, loaded.slicing.max_slices) == (2, 5, 9)
    assert loaded.report.within is False


def test_flags_come_typed_too(tmp_path):
    loaded = load(tmp_path, overrides={"jobs": 4, "report.allow_unreadable": True})
    assert (loaded.jobs, loaded.report.allow_unreadable) == (4, True)
    with pytest.raises(ConfigError, match=r"--jobs must be a whole number of at least 0, got -1"):
        load(tmp_path, overrides={"jobs": -1})


def test_an_empty_variable_is_not_set(tmp_path):
    assert load(tmp_path, {"DVDUP_JOBS": " ", "DVDUP_EMBEDDER": ""}).jobs == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("embeder = 'x'", "dvdup.toml: unknown key embeder, did you mean embedder? known: index"),
        ("[datasets]", "unknown key datasets, did you mean dataset?"),
        ("[dataset]\nlayuot = 'msd'", "unknown key dataset.layuot, did you mean layout? known in "
         "[dataset]: layout, path"),
        ("[report.x]\ny = 1", "unknown key report.x; known in [report]: fail_on"),
        ("dataset = 'x'", "dataset must be a table, got 'x'; write [dataset]"),
        ("jobs = '4'", "dvdup.toml: jobs must be a whole number of at least 0, got '4'"),
        ("jobs = true", "must be a whole number of at least 0, got True"),
        ("jobs = 1.5", "must be a whole number"),
        ("batch = 0", "batch must be a whole number of at least 1, got 0"),
        ("offline = 1", "offline must be true or false, got 1"),
        ("offline = 'yes'", "offline must be true or false, got 'yes'"),
        ("embedder = ''", "embedder must be a text, got ''"),
        ("embedder = 5", "embedder must be a text, got 5"),
        ("[slicing]\nspacing_mm = 0", "spacing_mm must be a number above 0, got 0"),
        ("[slicing]\nspacing_mm = true", "must be a number above 0"),
        ("[slicing]\nspacing_mm = nan", "must be a number above 0"),
        ("[slicing]\nspacing_mm = inf", "must be a number above 0"),
        ("[slicing]\nspacing_mm = '3'", "must be a number above 0"),
        ("[dataset]\nlayout = 'bid'", "one of auto, folders, lists, csv, msd, monai, bids"),
        ("[dataset]\nlayout = 'arrays'", "dataset.arrays is not set"),
        ("[dataset.arrays]\n'a/b' = 'x.npy'", "split 'a/b' has a character"),
        ("[dataset]\ninclude = [1]", "dataset.include must be a list of texts"),
        ("[dataset]\ngroup = '('", "must be a regular expression with one group"),
        ("[dataset]\ngroup = 'sub'", "it has 0 groups; mark the subject as (?P<group>...)"),
        ("[dataset]\ngroup = '(a)(b)'", "it has 2 groups"),
        ("[dataset]\nsplits = 'x'", "must be a table of splits"),
        ("[dataset.splits]\n'a/b' = 'x'", "split 'a/b' has a character that no split name can"),
        ("[dataset.splits]\n'a@b' = 'x'", "split 'a@b' has a character"),
        ("[dataset.splits]\n' ' = 'x'", "split ' ' is empty"),
        ("[dataset.splits]\na = []", "a split needs at least one place"),
        ("[report]\nfail_on = 'neer'", "unknown: neer, did you mean near?"),
        ("[report]\nfail_on = []", "write none"),
        ("[report]\nfail_on = ['none', 'near']", "none stands alone"),
        ("[dataset]\ncsv = 't.csv'\nlayout = 'msd'", "csv is set but dataset.layout is msd"),
        ("[dataset]\nlayout = 'msd'\nsplits = {a = 'b'}", "set but dataset.layout is msd"),
        ("[dataset]\ncsv = 't.csv'\nsplits = {a = 'b'}", "csv and dataset.splits are both set"),
        ("[dataset]\nlayout = 'folders'\njson = 'd.json'", "set it to monai or croissant"),
        ("[dataset]\nfolds = 'f.json'\ncsv = 't.csv'", "csv and dataset.folds are both set"),
        ("jobs = x", "dvdup.toml is not valid TOML: invalid value (at line 1"),
        ("jobs = 1\njobs = 2", "dvdup.toml is not valid TOML: cannot overwrite a value"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used(tmp_path, write, text, said):
    write(text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert said in str(caught.value)
    assert str(caught.value).startswith("dvdup.toml") or "dataset." in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"DVDUP_JOBS": "many"}, "DVDUP_JOBS must be a whole number of at least 0, got 'many'"),
        ({"DVDUP_OFFLINE": "maybe"}, "DVDUP_OFFLINE must be true or false, got 'maybe'"),
        ({"DVDUP_FAIL_ON": "x"}, "DVDUP_FAIL_ON must be some of identical, near"),
        ({"DVDUP_SLICING_SPACING_MM": "-2"}, "must be a number above 0"),
        ({"DVDUP_CONFIG": "nowhere.toml"}, "configuration file nowhere.toml: no such file"),
    ],
)
def test_a_variable_that_cannot_be_used(tmp_path, environ, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        load(tmp_path, environ)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DVDUP_EMBEDER", ", did you mean DVDUP_EMBEDDER?"),
        ("DVDUP_REPORT_FAIL_ON", ""),
        ("DVDUP_DATASET_SPLITS", ""),
        ("DVDUP_VERSION", ""),
    ],
)
def test_a_variable_that_is_none_of_ours_is_told_and_does_not_stop(tmp_path, name, meant):
    said: list[str] = []
    load_config(config=None, cwd=tmp_path, environ={name: "x"}, overrides={}, warn=said.append)
    (line,) = said
    assert f"the variable {name} is none of dvdup's" in line
    assert meant in line


def test_other_variables_are_not_ours(tmp_path):
    assert load(tmp_path, {"DVDUPLICATE": "x", "PATH": "y", "dvdup_jobs": "z"}).jobs == 0


def test_a_flag_that_cannot_be_used(tmp_path):
    with pytest.raises(ConfigError, match=r"--fail-on must be some of .* got 'x'"):
        load(tmp_path, overrides={"report.fail_on": "x"})
    with pytest.raises(ConfigError, match="unknown setting fail_on, did you mean"):
        load(tmp_path, overrides={"fail_on": "near"})


# Which file


def test_it_is_looked_for_upwards_to_the_top_of_the_repository(tmp_path, write):
    write("jobs = 5")
    deep = tmp_path / "a/b"
    deep.mkdir(parents=True)
    loaded = load(deep)
    assert (loaded.jobs, loaded.root, loaded.file) == (5, tmp_path, tmp_path / CONFIG_NAME)
    (tmp_path / "a/.git").mkdir()
    loaded = load(deep)
    assert (loaded.jobs, loaded.root, loaded.file) == (0, deep, None)


def test_the_nearest_one_counts(tmp_path, write):
    write("jobs = 5")
    write("jobs = 6", "a/dvdup.toml")
    assert load(tmp_path / "a").jobs == 6
    assert load(tmp_path / "a", config=Path("../dvdup.toml")).jobs == 5
    assert load(tmp_path / "a", {"DVDUP_CONFIG": "../dvdup.toml"}).jobs == 5
    assert load(tmp_path, {"DVDUP_CONFIG": "dvdup.toml"}, config=Path("a/dvdup.toml")).jobs == 6


def test_in_pyproject(tmp_path, write):
    write("[tool.dvdup]\njobs = 3\n[tool.dvdup.report]\nwithin = true\n", "pyproject.toml")
    loaded = load(tmp_path)
    assert (loaded.jobs, loaded.report.within) == (3, True)
    assert loaded.file == tmp_path / "pyproject.toml"


def test_a_pyproject_without_our_table_is_somebody_elses(tmp_path, write):
    write("jobs = 5")
    write("[tool.ruff]\n# not dvdup's\n", "a/pyproject.toml")
    assert load(tmp_path / "a").jobs == 5
    write("this is no TOML", "a/pyproject.toml")
    assert load(tmp_path / "a").jobs == 5
    with pytest.raises(ConfigError, match=r"pyproject.toml has no \[tool.dvdup\]"):
        load(tmp_path, config=Path("a/pyproject.toml"))


def test_faults_in_pyproject_name_the_table(tmp_path, write):
    write("[tool.dvdup]\njobz = 3\n", "pyproject.toml")
    with pytest.raises(ConfigError, match=r"^pyproject.toml: \[tool.dvdup\]: unknown key jobz"):
        load(tmp_path)


def test_two_files_beside_each_other_are_one_too_many(tmp_path, write):
    write("jobs = 1")
    write("[tool.dvdup]\njobs = 2\n", "pyproject.toml")
    with pytest.raises(ConfigError, match="both configure dvdup; keep one of them"):
        load(tmp_path)
    assert load(tmp_path, config=Path(CONFIG_NAME)).jobs == 1


def test_files_that_cannot_be_read(tmp_path, write):
    with pytest.raises(ConfigError, match=r"file nope.toml: no such file or directory; name one"):
        load(tmp_path, config=Path("nope.toml"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="configuration file folder: "):
        load(tmp_path, config=Path("folder"))
    (tmp_path / CONFIG_NAME).write_bytes(b"jobs = 1 # \xff")
    with pytest.raises(ConfigError, match=r"not UTF-8 text \(byte 11\); save it so"):
        load(tmp_path)
    (tmp_path / CONFIG_NAME).write_bytes(b"\xef\xbb\xbfjobs = 4")
    assert load(tmp_path).jobs == 4


# Single values


@pytest.mark.parametrize(
    ("source", "cwd", "expected"),
    [
        ("file", ".", "store"),
        ("file", "deep", "store"),
        ("variable", "deep", "deep/store"),
        ("flag", "deep", "deep/store"),
    ],
)
def test_an_index_is_relative_to_where_it_was_written(tmp_path, write, source, cwd, expected):
    write('index = "store"' if source == "file" else "")
    (tmp_path / "deep").mkdir()
    environ = {"DVDUP_INDEX": "store"} if source == "variable" else {}
    overrides = {"index": "store"} if source == "flag" else {}
    assert load(tmp_path / cwd, environ, overrides).index == expected


def test_an_index_elsewhere(tmp_path):
    outside = load(tmp_path / "a", overrides={"index": "../b"}).index
    assert Path(outside) == tmp_path / "b"


@pytest.mark.parametrize(
    "uri", ["http://host/x", "az:/b/x", "s3://", "s3://me:secret@b/x", "gs://b/x?key=secret"]
)
@pytest.mark.parametrize("source", ["file", "variable", "flag"])
def test_an_index_that_is_nowhere_is_refused(tmp_path, write, source, uri):
    write(f'index = "{uri}"' if source == "file" else "")
    environ = {"DVDUP_INDEX": uri} if source == "variable" else {}
    with pytest.raises(ConfigError, match="is no address of a folder") as raised:
        load(tmp_path, environ, {"index": uri} if source == "flag" else {})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("uri", ["s3://bucket/x", "gs://b/x/y", "az://b/x/"])
def test_an_index_on_an_object_store(tmp_path, write, uri):
    """A file may have come with somebody's data, and must not choose where the index goes."""
    assert load(tmp_path, {"DVDUP_INDEX": uri}).index == uri.rstrip("/")
    assert load(tmp_path, overrides={"index": uri}).index == uri.rstrip("/")
    write(f'index = "{uri}"')
    with pytest.raises(ConfigError, match="lies outside of the folder of that file"):
        load(tmp_path)
    assert load(tmp_path, outside=True).index == uri.rstrip("/")


def test_a_file_address_is_a_folder(tmp_path):
    folder = tmp_path / "my index"
    assert Path(load(tmp_path / "a", overrides={"index": folder.as_uri()}).index) == folder
    assert load(tmp_path, overrides={"index": folder.as_uri()}).index == "my index"


@pytest.mark.parametrize("index", ["/elsewhere", "..", "../other/.dvdup", "link/index"])
def test_a_file_may_not_put_the_index_elsewhere(tmp_path, write, index):
    """It may have come with somebody's data, and an index is written to and deleted from."""
    (tmp_path / "link").symlink_to(tmp_path.parent)
    write(f'index = "{index}"')
    with pytest.raises(ConfigError, match="lies outside of the folder of that file; if you trust"):
        load(tmp_path)
    assert load(tmp_path, outside=True).index
    assert load(tmp_path, {"DVDUP_INDEX": "mine"}).index == "mine"
    assert load(tmp_path, overrides={"index": index}).index


@pytest.mark.parametrize("word", FAIL_ON)
def test_a_verdict_stands_for_the_stronger_ones(tmp_path, word):
    found = load(tmp_path, {"DVDUP_FAIL_ON": word}).report
    assert found.fail_on == FAIL_ON[: FAIL_ON.index(word) + 1]
    verdict, _, basis = word.partition(":")
    assert found.fails(verdict, basis or "voxel-hash")
    assert found.fails("identical", "voxel-hash")
    assert found.fails("same-subject", "inferred") == (word == "same-subject")


def test_nothing_fails_on_none(tmp_path):
    found = load(tmp_path, {"DVDUP_FAIL_ON": "none"}).report
    assert found.fail_on == ()
    assert not found.fails("identical", "voxel-hash")


def test_the_default_fails_on_every_verdict(tmp_path):
    found = load(tmp_path).report
    assert found.fails("partial", "slices")
    assert found.fails("same-subject", "declared")
    assert found.fails("same-subject", "inferred")


def test_a_calibration_holds_as_a_whole_only(tmp_path, write):
    write("[calibration]\nthreshold = 4.5\n")
    with pytest.raises(ConfigError, match="has no embedder; run `dvdup calibrate` again"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "declares"),
    [(None, False), ("", True), ('embedder = "thumbnail"\n', True), ("calibration", False),
     ("both", True)],
)  # fmt: skip
def test_a_calibration_alone_declares_no_dataset(tmp_path, write, text, declares):
    table = "[calibration]\n" + "".join(
        f"{key.rpartition('.')[2]} = {value}\n" for key, value in CALIBRATION.items()
    )
    known = {"calibration": table, "both": "jobs = 1\n" + table}
    if text is not None:
        write(known.get(text, text))
    assert load(tmp_path).declares is declares


@pytest.mark.parametrize("key", ["path", "csv"])
def test_addresses_with_secrets_are_refused(tmp_path, write, key):
    write(f'[dataset]\n{key} = "s3://me:secret@bucket/data"')
    with pytest.raises(ConfigError, match="no address") as raised:
        load(tmp_path)
    assert "secret" not in str(raised.value)
