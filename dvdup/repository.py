"""What the git repository around a dataset says, where there is one and git is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SECONDS = 10.0  # a repository on a share that hangs must not hold a commit of the index


def commit_of(folder: Path) -> str:
    """The commit that is checked out around a folder; what has changed since is not looked for.

    Args:
        folder: Anywhere in the working tree.

    Returns:
        40 or 64 hex digits; "" outside of a repository, before its first commit, without git.
    """
    git = shutil.which("git")
    if git is None:
        return ""
    try:
        done = subprocess.run(
            [git, "-C", str(folder), "rev-parse", "--verify", "--quiet", "HEAD"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    found = done.stdout.decode("ascii", "replace").strip()
    return found if done.returncode == 0 and _HASH.fullmatch(found) else ""
