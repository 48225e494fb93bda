"""What starts must start fast: the command line, its help and the tables load nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "torch", "torchvision", "timm", "open_clip", "numpy", "scipy", "lance", "lancedb", "pyarrow",
    "onnxruntime", "nibabel", "pydicom", "SimpleITK", "PIL", "tifffile", "rich",
    "huggingface_hub", "matplotlib", "ray",
)  # fmt: skip
SLOW = ("urllib.request", "logging.handlers", "dvdup.cluster")
"""What takes 10 ms or more to load although it is not heavy, and what hardly a command needs."""


def loaded_by(program: str, modules: tuple[str, ...] = HEAVY) -> set[str]:
    """Which of some modules are loaded after a program has run in a fresh process."""
    tail = f"\nimport sys; print(*sorted(set({modules!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program + tail], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def command(*args: str) -> str:
    """A program that runs a command of dvdup and demands exit code 0."""
    return (
        f"from dvdup.cli import app\ntry: app.main({list(args)!r})\n"
        "except SystemExit as stop: assert stop.code == 0, stop.code"
    )


def test_the_probe_sees_a_heavy_library():
    assert loaded_by("import numpy") == {"numpy"}


@pytest.mark.parametrize(
    "program",
    ["import dvdup", "import dvdup.cli", "import dvdup.errors, dvdup.records, dvdup.config"],
)
def test_importing_loads_nothing_heavy(program):
    assert loaded_by(program, HEAVY + SLOW) == set()


@pytest.mark.parametrize("args", [("--help",), ("--version",), ("sync", "--help"), ("demo", "-h")])
def test_help_loads_nothing_heavy(args):
    assert loaded_by(command(*args), HEAVY + SLOW) == set()


def test_tables_load_none_of_what_they_list():
    program = "import dvdup.readers, dvdup.report, dvdup.discover, dvdup.embedders"
    assert loaded_by(program) <= {"numpy"}


def test_listing_the_models_loads_no_network():
    assert loaded_by(command("models")) <= {"numpy", "huggingface_hub"}


def test_every_room_but_the_embedders_does_without_networks():
    program = "import dvdup.commands.check, dvdup.commands.show, dvdup.commands.adhoc"
    assert not loaded_by(program) & {"torch", "torchvision", "timm", "open_clip", "lancedb"}


@pytest.mark.parametrize("embedder", ["builtin", "thumbnail"])
def test_a_check_with_one_new_file_loads_neither_torch_nor_lancedb(dataset, embedder):
    check = f"import os; os.chdir({str(dataset.root)!r})\n" + command(
        "check", "--embedder", embedder, "--quiet"
    )
    loaded_by(check)
    dataset.put("train/p22.nii.gz", 22)
    loaded = loaded_by(check)
    assert not loaded & {
        "torch", "torchvision", "timm", "open_clip", "lancedb", "huggingface_hub", "matplotlib",
    }  # fmt: skip
    assert ("onnxruntime" in loaded) is (embedder == "builtin")
