"""Files of several formats are read in threads, and each format loads its library at first use."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import dvdup.readers

MODULES = sorted(Path(dvdup.readers.__file__).parent.glob("*.py"))
PROGRAM = """
import sys, threading
from pathlib import Path
from dvdup.readers import read_volume
from dvdup.records import Case
start = threading.Barrier(len(sys.argv) - 1)
def read(name):
    start.wait()
    try:
        read_volume(Path.cwd(), Case("train", name, (name,)))
    except BaseException as error:
        print(name, error)
threads = [threading.Thread(target=read, args=(name,)) for name in sys.argv[1:]]
for each in threads: each.start()
for each in threads: each.join()
"""


def test_the_first_files_of_several_formats_are_read_at_a_time(tmp_path):
    """Threads that import parts of one package, each before the package, can lock one another out;
    Python then lets one of them see half a module, and a sound file was called damaged."""
    values = np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32)
    for name in ("a.nii.gz", "b.nii"):
        nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / name)
    for name in ("c.mgz", "d.mgh"):
        nib.save(nib.MGHImage(values, np.eye(4)), tmp_path / name)
    for _ in range(4):  # it failed in about two of three processes
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "a.nii.gz", "c.mgz", "b.nii", "d.mgh"],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == ""


def parts_before_packages(body: ast.FunctionDef) -> Iterator[str]:
    """The parts of packages that a function imports, and not the package first."""
    loaded: set[str] = set()
    for node in ast.walk(body):
        if isinstance(node, ast.Import):
            loaded |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and "." in node.module:
            package = node.module.partition(".")[0]
            if package not in loaded | {"dvdup"}:
                yield f"{body.name}: {node.module}"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_package_is_imported_before_its_parts(module):
    functions = [
        node for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]  # fmt: skip
    assert [part for each in functions for part in parts_before_packages(each)] == []
