"""An S3-compatible server on loopback, in a process of its own that can be killed."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest

needs_server = pytest.mark.skipif(
    find_spec("localbucket") is None or find_spec("obstore") is None,
    reason="needs localbucket and the extra cloud",
)
SECRET = "not-to-be-found-anywhere"
BUCKET = "scans"


class ObjectServer:
    """A server whose objects are files below a folder, so that it may be killed and started."""

    def __init__(self, folder: Path) -> None:
        """Choose a port; start nothing."""
        self.folder = folder
        (folder / BUCKET).mkdir(parents=True)
        self._log = folder.with_name(f"{folder.name}.log")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        """What a client needs."""
        return {
            "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_DISABLE_BULK_DELETE": "true",  # which this small server does not know
        }

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "localbucket", str(self.folder), "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        for _ in range(600):
            if self._answers():
                return
            time.sleep(0.1)
        raise RuntimeError("the server did not start")

    def kill(self) -> None:
        """End it without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def files(self, below: str = "") -> list[Path]:
        """The files that are objects below a name."""
        return sorted(path for path in (self.folder / BUCKET / below).rglob("*") if path.is_file())

    def put(self, source: Path, name: str) -> None:
        """Make a file an object."""
        target = self.folder / BUCKET / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)

    def fetched(self, below: str) -> list[str]:
        """The names of the objects below a folder whose content was asked for so far, in order."""
        asked = re.findall(rf"\"GET /{BUCKET}/({below}/[^? ]+) HTTP", self._log.read_text())
        return [unquote(name).removeprefix(f"{below}/") for name in asked]

    def _answers(self) -> bool:
        probe = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 1)"
        done = subprocess.run(
            [sys.executable, "-S", "-c", probe, str(self.port)], capture_output=True, check=False
        )
        return done.returncode == 0
