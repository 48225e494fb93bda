"""Embedder names: one line of text in, one frozen record out.

```
NAME                      thumbnail, dinov1, dinov2
NAME[@FILE][?OPTIONS]     dinov2@vitb14.safetensors, dinov2?img_size=518
timm:MODEL[@FILE][?OPTIONS]
open_clip:ARCH/TAG[?OPTIONS]       open_clip:ARCH/FILE[?OPTIONS]
```
OPTIONS is `key=value&key=value`, as in a web address: `mean=0.5&std=0.5&pad_type=same`. Values are
numbers, true, false, none, lists of numbers with commas, else text. In place of a file or tag,
`random` means random weights from a fixed seed, good for timing and for tests only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from dvdup.embedders.hub import HubWeights
from dvdup.errors import EmbedderError

RANDOM = "random"
"""The word in place of a checkpoint that asks for random weights."""

Value = int | float | bool | str | tuple[int | float, ...] | None


@dataclass(frozen=True, slots=True)
class EmbedderName:
    """A parsed name; `str()` gives the form that is stored and printed."""

    head: str
    """Row of the table: `thumbnail`, `dinov2`, or a family with its colon, `timm:`."""
    model: str = ""
    """Model or architecture within the family; "" for a row without a colon."""
    tag: str = ""
    """Published weights (open_clip) or `random`; "" where a file is given or none is named."""
    file: str = ""
    """Checkpoint file as typed; "" if none."""
    options: tuple[tuple[str, Value], ...] = ()
    """Sorted by key."""
    weights: HubWeights | None = None
    """Published weights of an alias, where they are not those on record for the model."""

    def __str__(self) -> str:
        """The name with the bare file name and sorted options: the same on every machine."""
        weights = self.tag or (PurePath(self.file.replace("\\", "/")).name if self.file else "")
        joint = "/" if self.head == "open_clip:" else "@"
        return f"{self.head}{self.model}{joint + weights if weights else ''}{self._query()}"

    def _query(self) -> str:
        pairs = "&".join(f"{key}={_written(value)}" for key, value in self.options)
        return f"?{pairs}" if pairs else ""


def split_name(text: str) -> EmbedderName:
    """Parse an embedder name; whether such a row or model exists is not checked here.

    Raises:
        EmbedderError: If the text has no name, or an option without a value.
    """
    body, _, query = text.strip().partition("?")
    options = _options(query, text)
    family, colon, rest = body.partition(":")
    head = family + colon
    if head == "open_clip:":
        model, _, weights = rest.partition("/")
        is_file = any(mark in weights for mark in "./\\")
    else:
        model, _, weights = rest.partition("@") if colon else ("", "", "")
        if not colon:
            head, _, weights = family.partition("@")
        is_file = weights != RANDOM
    if not head or (colon and not model):
        raise EmbedderError(f"embedder name {text!r} is not complete; `dvdup models` lists them")
    file, tag = (weights, "") if is_file else ("", weights)
    return EmbedderName(head, model, tag, file, options)


def _options(query: str, text: str) -> tuple[tuple[str, Value], ...]:
    pairs: dict[str, Value] = {}
    for part in filter(None, query.split("&")):
        key, equals, value = part.partition("=")
        if not (key and equals and value):
            raise EmbedderError(
                f"option {part!r} of embedder {text!r} is not key=value; "
                "write them as ?key=value&key=value"
            )
        pairs[key] = _parsed(value)
    return tuple(sorted(pairs.items()))


def _parsed(text: str) -> Value:
    words: dict[str, Value] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return tuple(map(_number, text.split(","))) if "," in text else _number(text)
    except ValueError:
        return text


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _written(value: Value) -> str:
    if isinstance(value, tuple):
        return ",".join(map(repr, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    return str(value).lower() if value is None or isinstance(value, bool) else value
