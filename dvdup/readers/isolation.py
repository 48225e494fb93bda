"""Native code that reads files runs in child processes, so that a crash is one unreadable case.

Children are started when the first file needs one, used again, and never more than there are
threads that read at the same time. They end when their input is closed, so that none outlives this
process, however it ends. Frames on the pipes: a length, a pickle, and its buffers one by one.
"""

from __future__ import annotations

import atexit
import logging
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from dvdup import errors
from dvdup.errors import ReadError
from dvdup.readers import limits

_COUNT = struct.Struct("<Q")
_PIPE_BYTES = 1 << 20
_PATIENCE = 15.0
"""Seconds that any file may take; more for bigger ones."""
_SLOW = 1e6  # bytes a second, of the file and of what it becomes: slower than any real decoder
_TIMED_OUT = 1  # exit code of a child that took too long

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_idle: list[_Child] = []
_all: list[_Child] = []


class _Child:
    """One process that runs functions for us."""

    def __init__(self) -> None:
        package_folder = str(Path(errors.__file__).resolve().parents[1])
        program = (
            f"import sys; sys.path.append({package_folder!r}); "
            "from dvdup.readers.child import main; main()"
        )
        own_group: dict[str, Any] = (  # the signals of a terminal go to whole groups
            {"creationflags": 0x200} if os.name == "nt" else {"process_group": 0}
        )
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            **own_group,
        )
        self.used = False
        self._widen()

    def _widen(self) -> None:
        with suppress(ImportError, AttributeError, OSError):
            import fcntl

            fcntl.fcntl(self._output.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    @property
    def _output(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def ask(self, request: object) -> Any:
        """Send a request and wait for the answer.

        Raises:
            EOFError: The process ended instead.
        """
        assert self.process.stdin is not None
        try:
            send(self.process.stdin, request)
            answer = receive(self._output)
        except OSError as error:
            raise EOFError from error
        if answer is None:
            raise EOFError
        self.used = True
        return answer

    def end(self) -> int:
        """Kill it if it still runs; its exit code."""
        with suppress(OSError):
            self.process.kill()
        code = self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        with _lock, suppress(ValueError):
            _all.remove(self)
        return code


def call(target: str, *arguments: Any, name: str, stored: int) -> Any:
    """Run a function in a child process.

    Args:
        target: `module:function`; the function takes `arguments` and is trusted, the data is not.
        *arguments: What it takes; pickled.
        name: The file that it reads, for messages.
        stored: Bytes of that file: how long it may take grows with them.

    Returns:
        What it returns; arrays without a further copy.

    Raises:
        ReadError: It raised one; it failed; it crashed, was killed, or took too long.
    """
    seconds = _PATIENCE + stored / _SLOW
    request = (target, arguments, name, seconds, limits.chosen())
    while True:
        child = _take()
        begun, reused = time.monotonic(), child.used
        try:
            good, answer = child.ask(request)
        except EOFError as error:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(2.0)  # its own exit code, not that of our kill
            code = child.end()
            if reused and time.monotonic() - begun < seconds:
                continue  # an earlier file may have harmed it: a fresh one decides
            raise _crashed(name, code, time.monotonic() - begun, seconds) from error
        except BaseException:
            child.end()
            raise
        with _lock:
            _idle.append(child)
        if good:
            return answer
        raise getattr(errors, answer[0], ReadError)(answer[1])


def _take() -> _Child:
    while True:
        with _lock:
            child = _idle.pop() if _idle else None
        if child is None:
            child = _Child()
            with _lock:
                _all.append(child)
            return child
        if child.process.poll() is None:
            return child
        child.end()


def _crashed(name: str, code: int, took: float, seconds: float) -> ReadError:
    _log.debug("%s: the child ended with %d after %.1f s", name, code, took)
    leave = "exclude it, or convert it with another program"
    if code == _TIMED_OUT and took >= seconds:
        return ReadError(
            f"{name}: not decoded within {seconds:.0f} s: damaged or made to hang; {leave}"
        )
    if code == -getattr(signal, "SIGKILL", 9):
        return ReadError(
            f"{name}: the process that read it was killed, perhaps because memory ran out; use "
            "fewer --jobs, or exclude it"
        )
    try:
        how = signal.Signals(-code).name
    except ValueError:
        how = f"exit code {code}"
    return ReadError(f"{name}: the library that decodes it crashed on it ({how}); {leave}")


def send(stream: IO[bytes], message: object) -> None:
    """Write one message to a pipe; arrays in it are written as they lie in memory."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    views = [memoryview(data), *(buffer.raw() for buffer in buffers)]
    _write(stream, memoryview(_COUNT.pack(len(views))))
    for view in views:
        _write(stream, memoryview(_COUNT.pack(view.nbytes)))
        _write(stream, view)


def receive(stream: IO[bytes]) -> Any:
    """Read one message from a pipe; None if it was closed."""
    count = _read(stream, _COUNT.size)
    if count is None:
        return None
    parts = []
    for _ in range(_COUNT.unpack(count)[0]):
        size = _read(stream, _COUNT.size)
        part = None if size is None else _read(stream, _COUNT.unpack(size)[0])
        if part is None:
            return None
        parts.append(part)
    return pickle.loads(parts[0], buffers=parts[1:])


def _write(stream: IO[bytes], view: memoryview) -> None:
    done = 0
    while done < view.nbytes:
        done += stream.write(view[done : done + _PIPE_BYTES])


def _read(stream: IO[bytes], size: int) -> memoryview | None:
    view = np.empty(size, dtype=np.uint8).data  # numpy neither zeroes nor copies it
    done = 0
    while done < size:
        got: int = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not got:
            return None
        done += got
    return view


def _end_all() -> None:
    for child in tuple(_all):
        child.end()


def _forget() -> None:
    """The children belong to the process that was forked."""
    _idle.clear()
    _all.clear()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
