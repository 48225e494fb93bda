"""What the package promises to scripts: its names, and that they do what the commands do."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

import dvdup

PROMISED = [
    *("Dataset", "DvdupError", "Finding", "Hooks", "IncompleteError", "LeakError", "Member"),
    *("Report", "SyncSummary", "Unreadable", "__version__", "check", "compare", "diff"),
    *("open_dataset", "query", "read_report", "render"),
]


def test_the_promised_names():
    assert dvdup.__all__ == PROMISED


@pytest.mark.parametrize("name", [name for name in PROMISED if name != "__version__"])
def test_every_promised_name_is_there_and_documented(name):
    found = getattr(dvdup, name)
    assert (inspect.getdoc(found) or "").split("\n")[0].endswith((".", "`)."))
    if inspect.isclass(found):
        methods = [each for key, each in vars(found).items() if not key.startswith("_")]
        assert all(inspect.getdoc(each) for each in methods if inspect.isfunction(each))


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="'dvdup' has no attribute 'nonsense'"):
        _ = dvdup.nonsense


def test_methods_do_what_the_commands_do(dataset, dvdup, monkeypatch):
    import dvdup as package

    dataset.put("test/leak.nii.gz", 3)
    monkeypatch.chdir(dataset.root)
    opened = package.open_dataset(settings={"embedder": "thumbnail"})
    assert opened.sync().embedded == 20
    said = []
    report = opened.check(hooks=package.Hooks(say=said.append))
    assert [pair.verdict for pair in report.pairs] == ["identical"]
    assert opened.exit_code(report) == 1
    assert package.render(report, "json") == dvdup(dataset.root, "check", "-f", "json").stdout
    assert opened.diff("train", "test").pairs == report.pairs
    (found,) = opened.query("test/leak.nii.gz").pairs
    assert found.a.case == "p03"
    alike = opened.compare("train/p03.nii.gz", "test/leak.nii.gz")
    assert json.loads(package.render(alike, "json"))["pairs"][0]["verdict"] == "identical"
    assert opened.add(["train/p03.nii.gz"], split="more").reused == 1


def test_one_call_does_what_a_command_does(dataset, dvdup, monkeypatch, tmp_path):
    import dvdup as package

    leak = dataset.put("test/leak.nii.gz", 3)
    wish = {"embedder": "thumbnail"}
    report = package.check(dataset.root, settings=wish)
    assert package.render(report, "json") == dvdup(dataset.root, "check", "-f", "json").stdout
    assert package.diff("train", "test", path=dataset.root, settings=wish).pairs == report.pairs
    (found,) = package.query(leak, path=dataset.root, settings=wish).pairs
    assert (found.a.label, found.verdict) == ("train/p03", "identical")
    monkeypatch.chdir(tmp_path)  # needs no dataset
    alike = package.compare(leak, dataset.root / "train/p03.nii.gz", settings=wish)
    assert isinstance(alike, package.Report)
    assert [pair.verdict for pair in alike.pairs] == ["identical"]
    kept = tmp_path / "report.json"
    kept.write_text(package.render(report, "json"), encoding="utf-8")
    assert package.render(package.read_report(kept), "json") == package.render(report, "json")


@pytest.mark.parametrize(
    "first",
    ["", "import dvdup.compare.engine", "from dvdup import compare", "import dvdup.api"],
)
def test_compare_can_be_called_whatever_was_imported_before(dataset, first):
    """The package has a part of that name."""
    code = f"""{first}
import dvdup
files = ["train/p03.nii.gz", "train/p04.nii.gz"]
print(len(dvdup.compare(*files, settings={{"embedder": "thumbnail"}}).pairs))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=dataset.root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"


@pytest.mark.parametrize("first", ["", "import dvdup.compare.engine", "import dvdup.api"])
def test_compare_is_documented_as_the_function(first):
    """Failed before: a notebook showed the words and the arguments of the part of the package."""
    code = f"""{first}
import inspect, dvdup, dvdup.api
print(inspect.getdoc(dvdup.compare) == inspect.getdoc(dvdup.api.compare))
print(inspect.signature(dvdup.compare) == inspect.signature(dvdup.api.compare))
import dvdup.compare.engine
print(dvdup.compare.engine.compare_sides.__module__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\nTrue\ndvdup.compare.engine\n"


def test_a_folder_has_its_own_configuration(dataset, monkeypatch, tmp_path):
    import dvdup as package

    monkeypatch.chdir(tmp_path)
    (dataset.root / "dvdup.toml").write_text('embedder = "thumbnail"\n[report]\nwithin = true\n')
    dataset.put("train/again.nii.gz", 3)
    for place in (dataset.root, dataset.root / "dvdup.toml", str(dataset.root / "train")):
        (pair,) = package.check(place).pairs
        assert {pair.a.label, pair.b.label} == {"train/again", "train/p03"}
    with pytest.raises(package.DvdupError, match=r"nowhere\.toml"):
        package.check(tmp_path / "nowhere.toml")


def test_importing_the_package_loads_nothing_of_it():
    code = "import sys, dvdup; print([m for m in sys.modules if m.startswith('dvdup.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
