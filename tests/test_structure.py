"""What the layout promises: short functions, help everywhere, tables whose rows work."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from needs import needs_models

import dvdup
from dvdup import errors
from dvdup.cli import app
from dvdup.embedders import EMBEDDERS, Embedder
from dvdup.readers import READERS
from dvdup.report import FORMATS

PACKAGE = Path(dvdup.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
VERIFY = PACKAGE / "verify"  # its functions `judge` and `compare` do hide modules
PACKAGES = sorted({file.parent for file in FILES} - {VERIFY})
LONGEST = 60
MEDIAN = 12


def functions(file: Path) -> Iterator[tuple[str, int]]:
    """Name and lines of every function, without its docstring."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if ast.get_docstring(node, clean=False) is not None:
                first = node.body[0]
                lines -= (first.end_lineno or first.lineno) - first.lineno + 1
            yield f"{file.relative_to(PACKAGE)}:{node.name}", lines


def test_no_function_is_long():
    found = [each for file in FILES for each in functions(file)]
    assert len(found) > 300
    assert [each for each in found if each[1] > LONGEST] == []
    lengths = sorted(lines for _, lines in found)
    assert lengths[len(lengths) // 2] <= MEDIAN


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(file):
    text = file.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert "TODO" not in text
    assert "FIXME" not in text


@needs_models
def test_every_module_can_be_imported():
    names = [info.name for info in pkgutil.walk_packages([str(PACKAGE)], "dvdup.")]
    assert len(names) > 50
    for name in names:
        import_module(name)


@needs_models
@pytest.mark.parametrize("package", PACKAGES, ids=lambda folder: str(folder.relative_to(PACKAGE)))
def test_no_function_hides_a_module(package):
    """`from package import name` would give the one or the other, by what was imported before."""
    name = ".".join(package.relative_to(PACKAGE.parent).parts)
    for module in (info.name for info in pkgutil.iter_modules([str(package)])):
        found = import_module(f"{name}.{module}")
        assert getattr(import_module(name), module) is found, f"{name}.{module}"


# The command line


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")


COMMANDS = dict(commands(app))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name):
    command = COMMANDS[name]
    assert (command.help or "").strip(), "no help"
    first = (command.help or "").strip().splitlines()[0]
    assert first.endswith("."), first
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert (parameter.help or "").strip().endswith((".", "]")), parameter.name


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_80_columns(name, dvdup, tmp_path):
    done = dvdup(tmp_path, *name.split(), "--help")
    assert done.code == 0
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []


def test_the_same_option_means_the_same_everywhere():
    seen: dict[str, tuple[str, set[str]]] = {}
    for name, command in COMMANDS.items():
        for option in command.params:
            if not isinstance(option, click.Option) or option.name in {
                "force",
                "split",
                "group",
                "jobs",
                "format_",
                "picture",
                "listing",
                "targets",
            }:
                continue
            for flag in option.opts:
                before, _ = seen.setdefault(flag, (option.help or "", set()))
                assert option.help == before, f"{flag} of {name}"


# Tables


@pytest.mark.parametrize("name", READERS)
def test_every_reader_fulfils_its_protocol(name):
    module = import_module(READERS[name].module)
    assert len(inspect.signature(module.read).parameters) == 1
    assert tuple(module.SUFFIXES) == READERS[name].suffixes
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in module.SUFFIXES)
    if READERS[name].has_companions:
        assert len(inspect.signature(module.companions).parameters) == 2


@pytest.mark.parametrize("row", EMBEDDERS, ids=lambda row: row.name)
def test_every_embedder_fulfils_its_protocol(row):
    module = import_module(row.module)
    assert callable(module.load)
    assert row.what
    assert row.licence
    if not row.needs_weights:
        from dvdup.embedders import load_embedder

        loaded: Embedder = load_embedder(row.name)
        assert loaded.spec.name == row.name
        assert loaded.spec.dimensions == row.dimensions
        assert callable(loaded.embed)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_fulfils_its_protocol(name):
    module, _, function = FORMATS[name].target.partition(":")
    render = getattr(import_module(module), function)
    more = ["pictures"] if FORMATS[name].illustrated else []
    assert list(inspect.signature(render).parameters) == ["report", "width", "color", *more]


def test_every_error_is_in_the_one_tree_and_told():
    tree = [
        value for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ]  # fmt: skip
    for value in tree:
        assert issubclass(value, errors.DvdupError)
        assert value.__name__ in (errors.__doc__ or "")
    elsewhere = [
        f"{file.relative_to(PACKAGE)}: {node.name}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and node.name.endswith("Error")
        and file.name != "errors.py"
    ]
    assert elsewhere == []
