"""Shared by all tests: no network, no home folder, small synthetic scans, both ways to run it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, settings
from object_server import BUCKET, ObjectServer
from scipy import ndimage

# the same examples in every run, so that a run of CI tells about the change and not about luck, or
# about what else a machine does: how long an example takes is no property of what it tests
settings.register_profile(
    "same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same")

Save = Callable[..., Path]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep tests off the network, out of the home folder, and clear of the user's settings."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a test tried to use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "USERPROFILE", "HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    for name in ("DVDUP_CONFIG", "DVDUP_INDEX", "DVDUP_EMBEDDER", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    # comparing voxels takes a second a case; tests of what it does turn it on
    monkeypatch.setenv("DVDUP_VERIFY_CANDIDATES", "0")


def make_phantom(seed: int, shape: tuple[int, int, int] = (40, 44, 36)) -> np.ndarray:
    """A scan of one person: a body with structures of its own, int16 (X, Y, Z), 0 outside."""
    rng = np.random.default_rng(seed)
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radii = rng.uniform(0.65, 0.9, 3)
    body = sum((axis / radius) ** 2 for axis, radius in zip(grid, radii, strict=True)) < 1
    coarse = ndimage.zoom(rng.normal(size=(6, 6, 6)), np.array(shape) / 6, order=1)
    fine = ndimage.gaussian_filter(rng.normal(size=shape), 1.2)
    values = 500 + 220 * coarse + 300 * fine
    return np.where(body, np.clip(values, 60, 1800), 0).astype(np.int16)


@pytest.fixture(scope="session")
def phantom() -> Callable[..., np.ndarray]:
    """`make_phantom`."""
    return make_phantom


@pytest.fixture(scope="session")
def save() -> Save:
    """Write voxels as NIfTI (or what nibabel makes of the suffix)."""

    def write(path: Path, values: np.ndarray, spacing: tuple[float, ...] = (3.0, 3.0, 3.0)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        affine = np.diag([*spacing[:3], 1.0])
        nib.save(nib.Nifti1Image(values, affine), path)
        return path

    return write


@pytest.fixture(scope="session")
def _pool(tmp_path_factory: pytest.TempPathFactory, save: Save) -> Path:
    """24 persons, written once."""
    folder = tmp_path_factory.mktemp("pool")
    for seed in range(24):
        save(folder / f"p{seed:02}.nii.gz", make_phantom(seed))
    return folder


@dataclass
class Dataset:
    """A folder with train (persons 0 to 13) and test (14 to 19); 20 to 23 are spare."""

    root: Path
    pool: Path

    def put(self, target: str, person: int) -> Path:
        """Copy a person's scan to a path."""
        path = self.root / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.pool / f"p{person:02}.nii.gz", path)
        return path


@pytest.fixture
def dataset(tmp_path: Path, _pool: Path) -> Dataset:
    """A clean dataset in split folders."""
    made = Dataset(tmp_path / "data", _pool)
    for person in range(20):
        split = "train" if person < 14 else "test"
        made.put(f"{split}/p{person:02}.nii.gz", person)
    (made.root / "dvdup.toml").write_text(
        'embedder = "thumbnail"\n[dataset]\nlayout = "folders"\n', encoding="utf-8"
    )
    return made


@pytest.fixture
def near_copy(tmp_path: Path, phantom: Callable[..., np.ndarray], save: Save) -> Path:
    """A dataset: three scans in train, and a noisy copy of the first in test."""
    for person in range(3):
        save(tmp_path / f"train/p{person}.nii.gz", phantom(person))
    noise = np.random.default_rng(0).normal(0, 60, phantom(0).shape)
    save(tmp_path / "test/copy.nii.gz", (phantom(0) + noise).astype(np.int16))
    (tmp_path / "dvdup.toml").write_text(
        'embedder = "thumbnail"\n[dataset]\nlayout = "folders"\n', encoding="utf-8"
    )
    return tmp_path


@pytest.fixture(scope="session")
def _object_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """One server for all tests that do not kill it."""
    server = ObjectServer(tmp_path_factory.mktemp("objects"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def object_server(_object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> ObjectServer:
    """The server, and its address and credentials in the environment."""
    for name, value in _object_server.environ.items():
        monkeypatch.setenv(name, value)
    return _object_server


@pytest.fixture
def address(object_server: ObjectServer) -> str:
    """The address of a folder on the server that is new."""
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


@dataclass
class Ran:
    """What a command did."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """stdout, parsed."""
        return json.loads(self.stdout)


@pytest.fixture
def dvdup(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run a command in this process: dvdup(folder, "diff", "train", "test")."""

    def run(cwd: Path, *args: object) -> Ran:
        from dvdup.cli import app

        monkeypatch.chdir(cwd)
        result: Result = CliRunner().invoke(app, [str(arg) for arg in args])
        assert isinstance(result.exception, SystemExit | None), result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def console() -> Callable[..., Ran]:
    """Run a command through the console script, in a process of its own."""
    script = shutil.which("dvdup", path=str(Path(sys.executable).parent)) or "dvdup"

    def run(cwd: Path, *args: object, **env: str) -> Ran:
        import os

        done = subprocess.run(
            [script, *map(str, args)],
            cwd=cwd,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, **env},
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
