"""Formats that are known and not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvdup import readers
from dvdup.errors import PointerError, ReadError
from dvdup.readers.foreign import SUFFIXES
from dvdup.records import Case


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_it_is_a_scan_that_cannot_be_read(suffix: str, tmp_path: Path) -> None:
    name = f"a{suffix}"
    (tmp_path / name).write_bytes(b"something")
    assert readers.is_readable_name(name)
    assert readers.case_name(name) == "a"
    with pytest.raises(ReadError, match=rf"a\{suffix}: dvdup does not read .* convert"):
        readers.read_volume(tmp_path, Case("test", "a", (name,)))


def test_a_pointer_says_so_first(tmp_path: Path) -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n"
    (tmp_path / "a.mnc").write_text(text)
    with pytest.raises(PointerError):
        readers.read_volume(tmp_path, Case("test", "a", ("a.mnc",)))
