"""Lance reports trouble as OSError, ValueError or RuntimeError with a Rust path: one funnel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dvdup.errors import StoreDamagedError, StoreError
from dvdup.objects import reason_of

_OF_A_STORE = ("Error performing", "Generic S3 error", "Generic GCS error", "Generic Microsoft")
"""What a message has in it that came from the client of an object store."""


@contextmanager
def lance_faults(what: str) -> Iterator[None]:
    """Turn what Lance raises inside the block into a `StoreError`.

    Args:
        what: What was being done, for the message, such as "read the index".

    Raises:
        StoreError: The disk is full, the place is not writable, or an object store gave no answer.
        StoreDamagedError: Anything else: Lance could not make sense of its own files.
    """
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        raise _translated(what, error) from error


def _translated(what: str, error: Exception) -> StoreError:
    text = _short(str(error))
    lowered = text.lower()
    if "no space left" in lowered:
        return StoreError(f"cannot {what}: the disk is full; free some space and run it again")
    if "permission denied" in lowered or "read-only file system" in lowered:
        return StoreError(f"cannot {what}: {text}; make the index folder writable or use --index")
    why = reason_of(str(error)) if any(each in str(error) for each in _OF_A_STORE) else ""
    if why:
        return StoreError(
            f"cannot {what}: {why}; what was committed is kept; look at the network and the "
            "credentials in the environment, and run it again"
        )
    again = "" if "not found" not in lowered else "; if `dvdup gc` ran meanwhile, run it again"
    return StoreDamagedError(
        f"cannot {what}: {text}{again}; `dvdup status --verify` tells what is damaged, "
        "`dvdup sync --rebuild` makes the index anew"
    )


def _short(text: str) -> str:
    """Cut the Rust source location and the wall of text behind it."""
    return " ".join(text.split(", /", 1)[0].split())[:300]
