"""A fingerprint of code changes with the code it names, and with nothing else."""

from __future__ import annotations

import ast
import shutil

import pytest

from dvdup import fingerprint

code_fingerprint = fingerprint.code_fingerprint.__wrapped__
"""Without its memory, which is of one run of dvdup."""
NAMED = ("one", "folder")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A made-up package."""
    (tmp_path / "folder/deep").mkdir(parents=True)
    for name in ("one.py", "two.py", "folder/a.py", "folder/deep/b.py"):
        (tmp_path / name).write_text(f"name = {name!r}\n", encoding="utf-8")
    (tmp_path / "folder/data.bin").write_bytes(b"x")
    monkeypatch.setattr(fingerprint, "_PACKAGE", tmp_path)
    return tmp_path


@pytest.mark.parametrize("file", ["one.py", "folder/a.py", "folder/deep/b.py"])
def test_a_change_of_a_module_is_seen(package, file):
    before = code_fingerprint(*NAMED)
    assert code_fingerprint(*NAMED) == before
    (package / file).write_text("# a comment\n", encoding="utf-8")
    assert code_fingerprint(*NAMED) != before


@pytest.mark.parametrize("file", ["two.py", "folder/data.bin", "folder.py"])
def test_other_files_do_not_matter(package, file):
    before = code_fingerprint(*NAMED)
    (package / file).write_text("other", encoding="utf-8")
    assert code_fingerprint(*NAMED) == before


@pytest.mark.parametrize("how", ["new", "gone", "moved"])
def test_modules_that_come_go_or_move_are_seen(package, how):
    before = code_fingerprint(*NAMED)
    if how == "new":
        (package / "folder/c.py").touch()
    elif how == "gone":
        (package / "folder/a.py").unlink()
    else:
        (package / "folder/a.py").rename(package / "folder/deep/a.py")
    assert code_fingerprint(*NAMED) != before


def test_where_sources_are_not_on_disk_the_version_stands_for_them(package, monkeypatch):
    shutil.rmtree(package)
    before = code_fingerprint(*NAMED)
    monkeypatch.setattr(fingerprint, "__version__", "99")
    assert code_fingerprint(*NAMED) != before


def test_names_with_dots_are_modules_in_folders(package):
    before = code_fingerprint("folder.a")
    assert len({before, *(code_fingerprint(name) for name in ("folder", "folder.deep"))}) == 3
    (package / "folder/deep/b.py").write_text("", encoding="utf-8")
    assert code_fingerprint("folder.a") == before
    (package / "folder/a.py").write_text("", encoding="utf-8")
    assert code_fingerprint("folder.a") != before


@pytest.mark.parametrize(
    "module",
    [
        *("dvdup.compare.pair", "dvdup.compare.results", "dvdup.compare.variant_store"),
        *("dvdup.compare.walk", "dvdup.lab.bench.plan", "dvdup.lab.calibrate.run"),
    ],
)
def test_the_code_that_answers_are_kept_under_is_there(module):
    """A name with a typo would stand for the version alone."""
    from importlib import import_module

    for name in import_module(module).CODE:
        sources = fingerprint._sources(name)
        assert sources
        assert all(source.is_file() for source in sources)


def imported(module: str) -> set[str]:
    """A module of the comparing room, those of it that it imports, and so on."""
    found, waiting = set[str](), {module}
    while waiting:
        found |= waiting
        waiting = {each for name in waiting for each in _imports(name)} - found
    return found


def _imports(name: str) -> list[str]:
    (source,) = fingerprint._sources(name)
    nodes = ast.walk(ast.parse(source.read_text(encoding="utf-8")))
    modules = [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    compared = [each for each in modules if each.startswith("dvdup.compare.")]
    return [each.removeprefix("dvdup.") for each in compared]


def test_all_that_a_pair_is_compared_by_is_in_its_code():
    """A module that is forgotten leaves answers of an older dvdup where they are."""
    from dvdup.compare.pair import CODE

    of_whole_sides = {"compare.match"}
    assert imported("compare.pair") - set(CODE) == of_whole_sides
