"""Check a wheel or a source archive as a stranger gets it: in an environment that has nothing else.

    python .ci/check_release.py wheel dist        install it, find the copies of the demo
    python .ci/check_release.py sdist dist        unpack it, install it from there, run its tests

Arguments behind these go to pytest. CONSTRAINTS names another file of versions ("" for none).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_OF_OTHERS = ("PYTHONPATH", "BROWSER_TESTS")
"""Variables that are about what another environment has."""


class Environment:
    """A fresh environment in a folder."""

    def __init__(self, folder: Path) -> None:
        """Make it."""
        venv.create(folder, with_pip=True)
        self._scripts = folder / ("Scripts" if os.name == "nt" else "bin")

    def install(self, *what: str) -> None:
        """Install packages."""
        constraints = os.environ.get("CONSTRAINTS", str(ROOT / "constraints.txt"))
        bounds = ("-c", constraints) if constraints else ()
        self.run("python", "-m", "pip", "install", "--quiet", *bounds, *what, expected=0)

    def run(self, program: str, *args: str, expected: int, cwd: Path | None = None) -> str:
        """Run a program of the environment; returns its stdout.

        Raises:
            SystemExit: Its exit code is another one.
        """
        environ = {name: text for name, text in os.environ.items() if name not in _OF_OTHERS}
        done = subprocess.run(
            [self._scripts / program, *args],
            cwd=cwd,
            env={**environ, "PYTHONUTF8": "1"},
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
        if done.returncode != expected:
            print(done.stdout)
            sys.exit(f"{program} {' '.join(args)}: exit code {done.returncode}, not {expected}")
        return done.stdout


def check_wheel(dist: Path, work: Path) -> None:
    """The base install of the wheel brings no torch and finds the copies of the demo."""
    (wheel,) = dist.glob("*.whl")
    place = Environment(work / "venv")
    place.install(str(wheel))
    print(place.run("dvdup", "--version", expected=0).strip())
    place.run("python", "-c", "import torch", expected=1)
    place.run("python", "-m", "pip", "check", expected=0)
    place.run("dvdup", "demo", "made", expected=0, cwd=work)
    found = place.run("dvdup", "check", "-q", expected=1, cwd=work / "made")
    print(found.splitlines()[0])
    for name in ("report.html", "report.sarif", "report.json"):
        place.run("dvdup", "check", "-q", "-o", name, expected=1, cwd=work / "made")


def check_sdist(dist: Path, work: Path, args: list[str]) -> None:
    """What is packed is enough to install dvdup and to run its tests."""
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(work, filter="data")
    (folder,) = work.iterdir()
    place = Environment(work / "venv")
    place.install(f"{folder}[test]")
    print(place.run("python", "-m", "pytest", "-q", *args, expected=0, cwd=folder))


def main() -> None:
    """Do what the command line says."""
    what, dist, *args = sys.argv[1:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        if what == "wheel":
            check_wheel(Path(dist).resolve(), Path(work))
        else:
            check_sdist(Path(dist).resolve(), Path(work), args)


if __name__ == "__main__":
    main()
