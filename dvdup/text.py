"""Text that is safe to print: names of files come from strangers, and somebody reads every line.

In: text as it is. Out: one line of printable characters that neither a terminal nor the log of a CI
service takes for a command.

GitHub runs a line that starts with `::name` behind blanks, and `##[name]` anywhere in a line; Azure
Pipelines runs `##vso[name]`, TeamCity `##teamcity[name]`.
"""

from __future__ import annotations

import re

_NAMED_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_COMMAND = re.compile(r":(?=:)|#(?=#)")


def visible(text: str) -> str:
    r"""Replace every character that cannot be printed on one line by its escape.

    Line breaks, terminal escapes, bidirectional overrides and the lone surrogates that stand for
    undecodable bytes of a file name become `\n`, `\x1b`, `\u202e`, `\udc80`. Of two colons or
    hashes in a row, with which commands to a CI service start, the first becomes `\x3a` or `\x23`.
    """
    text = text if text.isprintable() else "".join(map(_visible_character, text))
    return _COMMAND.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def visible_lines(text: str) -> str:
    """As `visible`, for text of several lines."""
    return "\n".join(map(visible, text.split("\n")))


def _visible_character(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    escape = f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"
    return _NAMED_ESCAPES.get(character, escape)
