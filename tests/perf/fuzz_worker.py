"""Reads damaged scans for `fuzz_readers.py`, in a process that may crash, hang or grow.

`serve` is the process: a JSON line in (root and files), a JSON line out (what `read_volume` did).
`Worker` is the side of the supervisor: it starts such a process, gives it one scan at a time and
ends it where it breaks a bound. The memory of its children counts as its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_SECONDS = 20.0
MAX_BYTES = 2 << 30
_POLL = 0.02  # seconds between two looks at the memory


@dataclass(frozen=True)
class Answer:
    """What became of one read."""

    outcome: str
    """ok, refused, raised, crashed, hung or memory."""
    detail: str = ""
    """The message, the exception with its place, or the signal."""
    voxels: tuple[Any, ...] = ()
    """Shape and voxel hash of each channel, where it was read."""


def serve() -> None:
    """Answer until the input ends; nothing but answers goes to the real output."""
    sys.path[:] = [path for path in sys.path if Path(path) != Path(__file__).parent]
    answers = os.fdopen(os.dup(1), "w")
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    for line in sys.stdin:
        asked = json.loads(line)
        _forget_peak()
        answer = _read(Path(asked["root"]), asked["files"])
        if _peak() > MAX_BYTES:
            answer = {"outcome": "memory", "detail": f"{_peak() >> 20} MB at its peak"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _read(root: Path, files: list[str]) -> dict[str, Any]:
    from dvdup.errors import ReadError
    from dvdup.hashing import voxel_hash
    from dvdup.readers import companions, read_volume
    from dvdup.records import Case
    from dvdup.voxels import channel_values

    try:
        companions(root / files[0])  # discovery asks for them before anything is read
        volume = read_volume(root, Case("test", "case", tuple(files)))
        channels = range(len(volume.channels))
        hashes = [voxel_hash(channel_values(volume, channel)) for channel in channels]
    except ReadError as error:
        return {"outcome": "refused", "detail": str(error)}
    except Exception as error:  # what is looked for
        return {"outcome": "raised", "detail": _place(error)}
    return {"outcome": "ok", "voxels": [list(volume.shape), *hashes]}


def _place(error: Exception) -> str:
    """Type and text of an exception, and the last line of dvdup that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/dvdup/" in frame.filename] or frames
    where = f"{own[-1].filename.rpartition('/dvdup/')[2]}:{own[-1].lineno}"
    return f"{type(error).__name__} at {where}: {str(error)[:160]}"


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


class Worker:
    """One reading process, started again whenever it is gone."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, root: Path, files: list[str]) -> Answer:
        """Read one scan; `files` are relative to root, the main one first."""
        process = self._started()
        assert process.stdin is not None
        process.stdin.write(json.dumps({"root": str(root), "files": files}).encode() + b"\n")
        process.stdin.flush()
        answer = self._wait(process)
        if answer.outcome in {"crashed", "hung", "memory"}:
            self.stop()
        return answer

    def stop(self) -> None:
        """End the process and its children."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        return self._process

    def _wait(self, process: subprocess.Popen[bytes]) -> Answer:
        assert process.stdout is not None
        end = time.monotonic() + MAX_SECONDS
        while time.monotonic() < end:
            if select.select([process.stdout], [], [], _POLL)[0]:
                line = process.stdout.readline()
                if not line:
                    return Answer("crashed", _signal_name(process.wait()))
                said = json.loads(line)
                return Answer(said["outcome"], said.get("detail", ""), _frozen(said))
            if resident(process.pid) > MAX_BYTES:
                return Answer("memory", f"over {MAX_BYTES >> 20} MB")
        return Answer("hung", f"over {MAX_SECONDS:.0f} s")


def _frozen(said: dict[str, Any]) -> tuple[Any, ...]:
    shape, *hashes = said.get("voxels") or [[]]
    return (tuple(shape), *hashes) if shape else ()


def _signal_name(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def resident(pid: int) -> int:
    """Bytes of memory that a process and all its children hold."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident(child) for child in children)


if __name__ == "__main__":
    serve()
