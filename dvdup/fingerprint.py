"""A key that changes with the code that makes an answer, so that nobody has to raise a number.

An answer that is kept under the fingerprint of the modules that made it is made anew once one of
them changes, be it a comment: that costs a recomputation, never a wrong answer.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from dvdup import __version__

_PACKAGE = Path(__file__).parent


@functools.cache
def code_fingerprint(*modules: str) -> str:
    """Hash the source of some modules of dvdup.

    Args:
        modules: Names inside the package, such as `slicing` or `verify`, which stands for all
            modules of that folder.

    Returns:
        blake2b-128 hex. Where a source is not on disk the version of dvdup stands for it.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in modules:
        for file in _sources(name):
            digest.update(f"\0{file.relative_to(_PACKAGE).as_posix()}\0".encode())
            digest.update(_content(file))
    return digest.hexdigest()


def _sources(name: str) -> list[Path]:
    path = _PACKAGE.joinpath(*name.split("."))
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return __version__.encode()
