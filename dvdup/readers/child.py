"""The process that runs native readers for another one; see `isolation`."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from typing import IO, Any

from dvdup.errors import ReadError
from dvdup.readers import isolation, limits
from dvdup.readers.sources import quieten, reason

_SPARE_BYTES = 4 << 30  # addresses that the libraries themselves and their threads take


def main() -> None:
    """Answer requests from standard input on standard output until the input is closed."""
    requests, answers, nowhere = _own_pipes()
    for number in ("SIGINT", "SIGTERM"):  # to stop is the business of the main process
        with suppress(AttributeError, ValueError):
            signal.signal(getattr(signal, number), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    quieten()
    while (request := isolation.receive(requests)) is not None:
        isolation.send(answers, _answer(nowhere, *request))


def _own_pipes() -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    """The pipes to the caller, out of the way of libraries that print."""
    requests = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = open(os.devnull, "r+b", buffering=0)  # noqa: SIM115, for as long as the process runs
    for number in (0, 1, 2):
        os.dup2(nowhere.fileno(), number)
    return requests, answers, nowhere


def _answer(
    nowhere: IO[bytes],
    target: str,
    arguments: tuple[Any, ...],
    name: str,
    seconds: float,
    max_bytes: int | None,
) -> tuple[bool, Any]:
    """(True, result) or (False, (class of the error, message))."""
    limits.choose(max_bytes)
    _limit_addresses()
    module, _, function = target.partition(":")
    run = getattr(import_module(module), function)
    # a thread of C ends the process, whatever the library holds on to
    faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
    try:
        return True, run(*arguments)
    except ReadError as error:
        return False, (type(error).__name__, str(error))
    except MemoryError:
        return False, ("ReadError", f"{name}: does not fit into memory; use fewer --jobs")
    except Exception as error:  # decoders raise anything on damaged data
        said = f"{name}: damaged or not supported ({reason(error)}); exclude or convert it"
        return False, ("ReadError", said)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _limit_addresses() -> None:
    """A second bound, for what a library allocates before it can be asked how much."""
    if sys.platform != "linux":
        return
    import resource

    with suppress(OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = _SPARE_BYTES + 3 * limits.bound()
        if hard == resource.RLIM_INFINITY or wanted <= hard:
            resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def _end_with_parent(parent: int) -> None:
    """A killed main process closes the pipe, which is not noticed while a library works."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(0)
