"""The README and the files it leads to: links that work, generated parts, commands, the picture."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from dvdup import __version__
from dvdup.cli import app
from dvdup.demo import write_demo

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
        *(ROOT / ".github").rglob("*.md"),
    )
)
GENERATED = [name for name in DOCUMENTS if "[[[cog" in (ROOT / name).read_text(encoding="utf-8")]
LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(markdown: str) -> str:
    """Without blocks of code and comments."""
    return re.sub(r"^```.*?^```|<!--.*?-->", "", markdown, flags=re.DOTALL | re.MULTILINE)


def links(name: str) -> list[str]:
    """Targets of all links that lead to files of this repository."""
    return [each for each in LINK.findall(prose(text(name))) if not urlsplit(each).scheme]


def anchors(markdown: str) -> set[str]:
    """Of the headings, as GitHub names them."""
    found: Counter[str] = Counter()
    names = set()
    for title in re.findall(r"^#{1,6} +(.+?) *$", prose(markdown), re.MULTILINE):
        plain = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        names.add(f"{name}-{found[name]}" if found[name] else name)
        found[name] += 1
    return names


def test_anchors_are_those_of_github():
    assert anchors("# A `b`: c_d\n## [x](y) e\n## x e\n```sh\n# no\n```\n") == {
        "a-b-c_d", "x-e", "x-e-1",
    }  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name):
    for link in links(name):
        target = urlsplit(link)
        path = (ROOT / name).parent / unquote(target.path) if target.path else ROOT / name
        assert path.resolve().is_relative_to(ROOT.resolve()), link
        assert path.is_file(), link
        if target.fragment:
            assert target.fragment in anchors(path.read_text(encoding="utf-8")), link


def test_the_readme_leads_to_every_other_file():
    """Directly, or over one of the files that it leads to."""
    reached, ahead = set(), ["README.md"]
    while ahead:
        name = ahead.pop()
        if name in reached:
            continue
        reached.add(name)
        paths = [(ROOT / name).parent / urlsplit(link).path for link in links(name)]
        ahead += [
            path.resolve().relative_to(ROOT.resolve()).as_posix()
            for path in paths
            if path.suffix == ".md"
        ]
    assert set(DOCUMENTS) <= reached


def test_on_pypi_links_lead_to_the_repository():
    project = tomllib.loads(text("pyproject.toml"))
    page = text("README.md")
    for each in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        page = re.sub(each["pattern"], each["replacement"], page)
    page = page.replace("$HFPR_VERSION", __version__)
    repository = project["project"]["urls"]["Repository"]
    assert f"repo: {repository}\n" in page
    raw = repository.replace("github.com", "raw.githubusercontent.com")
    places = {".png": f"{raw}/v{__version__}/", "": f"{repository}/blob/v{__version__}/"}
    moved = LINK.findall(prose(page))
    for before, after in zip(LINK.findall(prose(text("README.md"))), moved, strict=True):
        if not urlsplit(before).scheme:
            assert after == places[".png" if before.endswith(".png") else ""] + before


def test_the_readme_is_a_front_page():
    lines = text("README.md").splitlines()
    assert len(lines) <= 250


def test_two_commands_set_it_up():
    start = text("README.md").partition("## Quick start\n")[2].partition("\n## ")[0]
    first, second = re.findall(r"^```sh\n(.*?)\n```$", start, re.DOTALL | re.MULTILINE)
    assert "pip install -c constraints.txt . && dvdup demo demo" in first
    assert second.endswith("pip install -c constraints.txt -e '.[dev]' && pytest")
    assert "\n" not in first + second


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_exist(name):
    """And take the options that they are shown with."""
    for block in re.findall(r"^```sh\n(.*?)^```$", text(name), re.DOTALL | re.MULTILINE):
        lines = block.replace("\\\n", " ").splitlines()
        for part in (part for line in lines for part in line.split("&&")):
            words = shlex.split(part, comments=True)
            if words[:1] != ["dvdup"]:
                continue
            command = next((word for word in words[1:] if word in app.commands), words[1])
            options = [option for each in app.commands[command].params for option in each.opts]
            assert {word for word in words[1:] if word.startswith("-")} <= set(options), part


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name != "examples/commands.md"])
def test_options_exist(name):
    """Those of dvdup that the text names; pip and cog have their own."""
    params = [param for each in app.commands.values() for param in each.params]
    known = {option for each in params for option in (*each.opts, *each.secondary_opts)}
    named = re.findall(r"`(?:dvdup )?(?:[a-z]+ )?(--[a-z-]+)[^`]*`", prose(text(name)))
    assert set(named) - {"--help", "--extra-index-url"} <= known


# Generated parts


def test_ci_checks_every_generated_file():
    (line,) = re.findall(r"^cog --check (.*)$", text(".ci/run"), re.MULTILINE)
    checked = {
        path.relative_to(ROOT).as_posix() for each in line.split() for path in ROOT.glob(each)
    }
    assert set(GENERATED) <= checked
    assert {"README.md", "examples/commands.md", "examples/bench/README.md"} <= set(GENERATED)


@pytest.mark.skipif(os.name == "nt", reason="generated on POSIX, where CI checks it too")
@pytest.mark.parametrize("name", GENERATED)
def test_generated_parts_are_up_to_date(name):
    pytest.importorskip("cogapp")
    ran = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


# The finding


def test_the_picture_is_a_small_png():
    from PIL import Image

    file = ROOT / "examples/finding.png"
    assert file.stat().st_size <= 200_000
    with Image.open(file) as picture:
        picture.load()
        assert picture.format == "PNG"
    (alt,) = re.findall(r"!\[([^\]]+)\]\(examples/finding\.png\)", text("README.md"))
    assert len(alt) > 50


def test_the_finding_is_one_of_the_demo(tmp_path):
    page = text("README.md")
    a, b = re.findall(r"`dvdup show (\S+) (\S+)` draws this pair", page)[0]
    assert any(line.strip().startswith(f"{a} is {b}, ") for line in write_demo(tmp_path / "demo"))
    block = page.partition("```text\n")[2].partition("```")[0]
    assert max(map(len, block.splitlines())) <= 80
    for case in (a, b):
        assert f"{case}.nii.gz" in block
        assert list(tmp_path.glob(f"demo/{case}.nii.gz"))
