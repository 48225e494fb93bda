"""Addresses in the place of folders: which there are, and how they are written."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dvdup.errors import ConfigError

SCHEMES = ("s3", "gs", "az")
"""Of addresses that lead to an object store: Amazon S3 and what speaks it, Google, Azure."""
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # one letter is a drive
_ADDRESS = re.compile(
    rf"(?P<scheme>{'|'.join(SCHEMES)})://(?P<bucket>[A-Za-z0-9._-]+)(?P<path>(/[^?#\\]*)?)"
)


def is_uri(text: str) -> bool:
    """Whether a text is an address of any kind, and not a path."""
    return _URI.match(text) is not None


def is_object_uri(text: str) -> bool:
    """Whether a text is the address of a folder on an object store."""
    return text.partition("://")[0] in SCHEMES and "://" in text


def checked_uri(text: str) -> str:
    """The address of a folder on an object store, without slashes at its end.

    Raises:
        ConfigError: It is malformed, or has something in it that could be a credential.
    """
    address = text.rstrip("/")
    match = _ADDRESS.fullmatch(address)
    parts = match["path"].split("/")[1:] if match else [""]
    if any(_is_unfit(part) or _is_unfit(unquote(part)) for part in parts):
        raise ConfigError(
            f"{without_secrets(text)} is no address of a folder; write one as s3://bucket/folder "
            f"(or {', '.join(f'{each}://' for each in SCHEMES[1:])}, file:///folder), without "
            "user, query or empty parts: credentials come from the environment"
        )
    return address


def _is_unfit(part: str) -> bool:
    """Whether a part of an address is none; clients take escapes in an address as what they say."""
    return part in ("", ".", "..") or not part.isprintable()


def path_of(text: str) -> Path:
    """The folder that a file:// address names.

    Raises:
        ConfigError: It is that of another machine, or has more in it than a path.
    """
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise ConfigError(f"{without_secrets(text)} is no folder of this machine; name one")
    # it brings all of HTTP along, which no other command should wait for
    from urllib.request import url2pathname

    return Path(url2pathname(parts.path))


def refuse_secrets(text: str) -> None:
    """Refuse an address that could hold a credential, before it is shown anywhere.

    Raises:
        ConfigError: It has a user or a query.
    """
    if is_uri(text) and ("?" in text or "@" in text.partition("://")[2].partition("/")[0]):
        raise ConfigError(
            f"{without_secrets(text)} is no address that dvdup takes: it has a user or a query; "
            "leave them out, credentials come from the environment"
        )


def without_secrets(text: str) -> str:
    """An address as messages may show it."""
    return re.sub(r"//[^/]*@", "//...@", re.split(r"[?#\n]", text)[0])
