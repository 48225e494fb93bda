"""What the package promises to scripts: its names, and that they do what the commands do."""

from __future__ import annotations

import inspect
import json

import pytest

import dvdup

PROMISED = [
    *("Dataset", "DvdupError", "Finding", "Hooks", "Member", "Report", "SyncSummary"),
    *("Unreadable", "__version__", "open_dataset", "render"),
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
