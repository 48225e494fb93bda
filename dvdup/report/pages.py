"""The templates of HTML reports, which lie in `report/page`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


def part(name: str) -> str:
    """Return the text of a file that lies in `report/page`."""
    return files("dvdup.report").joinpath("page", name).read_text(encoding="utf-8")


@cache
def template(name: str) -> Template:
    """Return a template of `report/page`; whatever it is given is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(part(name))
