"""What of one DICOM series is one volume: images of one size and orientation.

A series may hold more than one stack: the scout of a CT, the three planes of a localizer, the two
views of a chest, the stills and clips of an ultrasound. Each of them is a scan of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GROUP_TAGS = ("Rows", "Columns", "ImageOrientationPatient", "ImagePositionPatient", "Modality")
"""Tags that `form_of` looks at."""

MARK = "#"
"""Stands between what all parts of a series share and what tells them apart."""

_SAME_DIRECTION = 1e-3
_STACKS = {"CT", "MR", "PT", "NM", ""}  # modalities whose images without a position are slices


def form_of(header: Any) -> str:
    """Describe what images must have in common to be one volume.

    Args:
        header: A pydicom dataset with `GROUP_TAGS`; damaged values count as absent.

    Returns:
        Rows, columns and orientation, separated by commas; `single` for a picture that is no slice.
    """
    size = [str(_value(header, name)) for name in ("Rows", "Columns")]
    numbers = _direction(_value(header, "ImageOrientationPatient"))
    placed = numbers and _value(header, "ImagePositionPatient") is not None
    if not placed and str(_value(header, "Modality") or "") not in _STACKS:
        return "single"
    return ",".join([*size, *(f"{number:.6f}" for number in numbers)])


def parts_of(uid: str, members: Sequence[tuple[Path, str]]) -> list[tuple[str, list[Path]]]:
    """Split the files of one series into its volumes.

    Args:
        uid: What stands for its SeriesInstanceUID.
        members: (path, form) of its files, sorted by path.

    Returns:
        (id, files) of each part. The biggest, of equal ones the first, keeps the UID as its id;
        the ids of the others add `MARK` and a hash of the names of their files' form.
    """
    groups: list[tuple[str, list[Path]]] = []
    for path, form in members:
        group = next((files for first, files in groups if _same(first, form)), None)
        if group is None:
            groups.append((form, [path]))
        else:
            group.append(path)
    groups.sort(key=lambda group: (-len(group[1]), group[1][0]))
    return [
        (uid if i == 0 else f"{uid}{MARK}{_digest(form, files)}", files)
        for i, (form, files) in enumerate(groups)
    ]


def _same(first: str, second: str) -> bool:
    if "single" in (first, second):
        return False
    a, b = first.split(","), second.split(",")
    if a[:2] != b[:2] or len(a) != len(b):
        return False
    pairs = zip(a[2:], b[2:], strict=True)
    return all(abs(float(x) - float(y)) <= _SAME_DIRECTION for x, y in pairs)


def _digest(form: str, files: Sequence[Path]) -> str:
    text = files[0].name if form == "single" else form
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()


def _direction(value: Any) -> tuple[float, ...]:
    try:
        numbers = tuple(float(number) for number in value)
    except (TypeError, ValueError, OverflowError):
        return ()
    return numbers if len(numbers) == 6 and all(abs(n) <= 2 for n in numbers) else ()


def _value(header: Any, name: str) -> Any:
    try:
        return header.get(name)
    except Exception:  # pydicom converts when asked, and raises anything on damaged values
        return None
