"""Pack the index folder for a cache of a CI service, and unpack what came back from one.

    python index_cache.py pack ARCHIVE FOLDER
    python index_cache.py unpack ARCHIVE FOLDER

With a CACHE_SECRET in the environment an archive bears a seal, the HMAC-SHA256 of its bytes, and
one whose seal does not fit is not unpacked: whoever can write the cache but does not know the
secret cannot put an index there that hides a scan. An archive that is missing or refused is no
fault, the index is then made anew.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import sys
import tarfile
from pathlib import Path

_AT_A_TIME = 1 << 20


def seal(archive: Path, secret: str) -> str:
    """The seal of an archive as hex digits."""
    made = hmac.new(secret.encode(), digestmod=hashlib.sha256)
    with archive.open("rb") as file:
        while part := file.read(_AT_A_TIME):
            made.update(part)
    return made.hexdigest()


def seal_of(archive: Path) -> Path:
    """The file that holds the seal."""
    return archive.with_name(archive.name + ".seal")


def pack(archive: Path, folder: Path, secret: str) -> str:
    """Pack the folder, if there is one; returns what was done."""
    if not folder.is_dir():
        return f"there is no {folder.name} to keep"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w") as made:
        made.add(folder, folder.name)
    if secret:
        seal_of(archive).write_text(seal(archive, secret), encoding="ascii")
    return f"{folder.name} is kept for the next run{', sealed' if secret else ''}"


def unpack(archive: Path, folder: Path, secret: str) -> str:
    """Unpack the archive beside the folder that it was made of; returns what was done."""
    if not archive.is_file():
        return "there is no index of an earlier run: everything is read"
    if secret and not _is_sealed(archive, secret):
        return "the index in the cache does not bear our seal: it is left out, everything is read"
    try:
        with tarfile.open(archive) as kept:
            kept.extractall(folder.parent, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        return f"the index in the cache cannot be unpacked ({error}): everything is read"
    return "only what is not in the index of an earlier run is read"


def _is_sealed(archive: Path, secret: str) -> bool:
    try:
        there = seal_of(archive).read_bytes()
    except OSError:
        return False
    return hmac.compare_digest(there, seal(archive, secret).encode("ascii"))


def main() -> None:
    """Do what the command line says."""
    what, archive, folder = sys.argv[1:]
    action = {"pack": pack, "unpack": unpack}[what]
    print("dvdup:", action(Path(archive), Path(folder), os.environ.get("CACHE_SECRET", "")))


if __name__ == "__main__":
    main()
