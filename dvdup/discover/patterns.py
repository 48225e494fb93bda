"""Regular expressions out of files of others: none of them makes a search run for ever.

Python's `re` tries all ways in which a pattern may fit a text, which for `(a+)+$` are more than
there is time for, and cannot be stopped. So it runs in a process of its own, which can.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from dvdup.discover.names import shown
from dvdup.errors import ConfigError

SECONDS = 20.0
"""For all texts together, of which an honest pattern tries a million."""
_PROGRAM = """
import json, re, sys
pattern, texts = json.load(sys.stdin)
matches = map(re.compile(pattern).search, texts)
taken = ([each for each in match.groups() if each] if match else [] for match in matches)
json.dump([groups[0] if groups else "" for groups in taken], sys.stdout)
"""


def first_groups(pattern: str, texts: Sequence[str], where: str) -> list[str]:
    """What the first group of a pattern that fits takes out of each text.

    Args:
        pattern: As Python's `re` has it.
        texts: Where it is looked for.
        where: The file that it comes from, for a message.

    Returns:
        A text for each; "" where nothing fits, and everywhere if it is no pattern.

    Raises:
        ConfigError: It takes too long.
    """
    if not texts:
        return []
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM]
    asked = json.dumps([pattern, list(texts)])
    try:
        ran = subprocess.run(
            command, input=asked, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"{where}: the regular expression {shown(pattern)} takes more than {SECONDS:.0f} "
            "seconds on the paths of the files; correct it, or name the files in [dataset.splits]"
        ) from error
    if ran.returncode:
        return [""] * len(texts)
    found: list[str] = json.loads(ran.stdout)
    return found
