"""Fingerprints of one split in one file, to be compared where the scans must not go.

In: cases with their slice rows, hashes already keyed and names already replaced by ids. Out: a
Parquet file, one row a case, sorted by id; its columns are `COLUMNS`, and the metadata `dvdup` of
the file is JSON: what the rows were made with, and a digest over all of them. Reading it runs
nothing that the file brings: no pickle, no extension type, no path. Everything is checked before
it is believed, and a file that does not hold what it must is refused as a whole.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import secrets
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dvdup import __version__
from dvdup.errors import InputError
from dvdup.records import PLANES, Embedded, EmbedderSpec, IndexedCase
from dvdup.store.index import IndexMeta
from dvdup.store.schema import as_stored
from dvdup.voxels import PROXY_SIDE

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA: Final = "dvdup/export@1"
SUFFIX: Final = ".dvdup"
METADATA_KEY: Final = "dvdup"
COLUMNS: Final = (
    *("id", "status", "content", "shape", "spacing", "modality", "n_channels"),
    *("voxel_hashes", "value_hashes", "slice_hashes"),
    *("channel", "plane", "index", "position_mm", "embedding", "proxy_shape", "proxy"),
)

_GROUP: Final = 64  # cases of a row group
_MOST_HEADER: Final = 1 << 20
_MOST_AXIS: Final = 1 << 20
_ID = re.compile(r"[0-9a-f]{16}")
_HASH = re.compile(r"[0-9a-f]{64}")
_VALUE_HASH = re.compile(r"([0-9a-f]{16})?")
_CONTENT = re.compile(r"[0-9a-f]{32}")
_MODALITY = re.compile(r"[A-Z0-9_ ]{0,16}")
_STATUSES: Final = ("ok", "unchecked", "unreadable")
NOT_CHECKED: Final = "it could not be checked where it was exported"

SharedCase = tuple[IndexedCase, Embedded | None]
"""A case without name, files and group, whose id is its `case_id`, and its rows."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about all its cases."""

    meta: IndexMeta
    """What the rows were made with."""
    key: str
    """Which key its hashes were made with, see `hashing.key_id`; "" if it holds none."""
    proxies: bool
    """Whether it holds small copies of the scans."""


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """What a file holds."""

    header: Header
    cases: tuple[SharedCase, ...]
    """Sorted by id."""


def write_export(path: Path, header: Header, cases: Iterable[SharedCase]) -> int:
    """Write a file, whole or not at all; an older one is replaced.

    Args:
        path: Where.
        header: What the cases have in common.
        cases: In order of their ids.

    Returns:
        Its size in bytes.

    Raises:
        InputError: It cannot be written.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        _write(part, header, cases)
        os.replace(part, path)
        return path.stat().st_size
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _write(part: Path, header: Header, cases: Iterable[SharedCase]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, digest, n = _schema(), _digest_start(), 0
    with pq.ParquetWriter(
        part,
        schema,
        compression="zstd",
        write_page_checksum=True,
        use_dictionary=False,
        store_schema=False,
    ) as writer:
        block: list[dict[str, Any]] = []
        for case, rows in cases:
            block.append(_row_of(case, rows, header))
            digest.update(_row_digest(block[-1]))
            n += 1
            if len(block) == _GROUP:
                writer.write_table(pa.Table.from_pylist(block, schema=schema))
                block = []
        if block or not n:
            writer.write_table(pa.Table.from_pylist(block, schema=schema))
        text = _header_text(header, n, digest.hexdigest())
        writer.add_key_value_metadata({METADATA_KEY: text})


def _schema() -> pa.Schema:
    import pyarrow as pa

    text, numbers, binary = pa.string(), pa.list_(pa.int32()), pa.binary()
    types = {
        "shape": numbers,
        "spacing": pa.list_(pa.float64()),
        "n_channels": pa.int32(),
        "voxel_hashes": pa.list_(text),
        "value_hashes": pa.list_(text),
        "slice_hashes": binary,
        "channel": pa.list_(pa.int16()),
        "plane": pa.list_(pa.uint8()),
        "index": numbers,
        "position_mm": pa.list_(pa.float32()),
        "embedding": binary,
        "proxy_shape": numbers,
        "proxy": binary,
    }
    return pa.schema([pa.field(name, types.get(name, text)) for name in COLUMNS])


def _row_of(case: IndexedCase, rows: Embedded | None, header: Header) -> dict[str, Any]:
    shown = header.proxies and case.proxy
    row: dict[str, Any] = {
        "id": case.case_id,
        "proxy": zlib.decompress(case.proxy) if shown else b"",
        "proxy_shape": [*case.proxy_shape] if shown else [],
    }
    for name in ("status", "content", "n_channels", "slice_hashes"):
        row[name] = getattr(case, name)
    # a file may say anything there
    row["modality"] = case.modality if _MODALITY.fullmatch(case.modality) else ""
    for name in ("shape", "spacing", "voxel_hashes", "value_hashes"):
        row[name] = [*getattr(case, name)]
    for name in ("channel", "plane", "index", "position_mm"):
        row[name] = [] if rows is None else getattr(rows, name).tolist()
    row["embedding"] = b"" if rows is None else as_stored(rows.embedding).astype("<f2").tobytes()
    return row


def _digest_start() -> hashlib.blake2b:
    return hashlib.blake2b(SCHEMA.encode(), digest_size=32)


def _row_digest(row: dict[str, Any]) -> bytes:
    """Of every value of a row, in the order of the columns."""
    digest = hashlib.blake2b(digest_size=32)
    for name in COLUMNS:
        value = row[name]
        payload = value if isinstance(value, bytes) else json.dumps(value).encode()
        digest.update(len(payload).to_bytes(8, "little") + payload)
    return digest.digest()


def _header_text(header: Header, cases: int, digest: str) -> str:
    spec = header.meta.embedder
    values = {
        "schema": SCHEMA,
        "dvdup": __version__,
        "embedder": {
            "name": spec.name,
            "weights_hash": spec.weights_hash,
            "dimensions": spec.dimensions,
            "slice_size": spec.slice_size,
        },
        "recipe": header.meta.recipe,
        "recipe_hash": header.meta.recipe_hash,
        "key": header.key,
        "proxies": header.proxies,
        "cases": cases,
        "digest": digest,
    }
    return json.dumps(values, sort_keys=True)


def read_export(path: Path, most: int) -> Exported:
    """Read a file that somebody sent.

    Args:
        path: The file.
        most: Bytes that it may become in memory.

    Raises:
        InputError: It is not there, is none, is damaged, or is bigger than it may be.
    """
    import pyarrow.parquet as pq

    name = path.name
    _demand_file(path)
    with _refused(name), path.open("rb") as stream:
        file = pq.ParquetFile(
            stream,
            page_checksum_verification=True,
            arrow_extensions_enabled=False,
            thrift_string_size_limit=_MOST_HEADER,
            thrift_container_size_limit=_MOST_HEADER,
        )
        header, n, digest = _header_of(file)
        _demand_small(file, n, most)
        found, cases = _digest_start(), []
        for row in _rows_of(file):
            found.update(_row_digest(row))
            cases.append(_case_of(row, header))
        if (len(cases), found.hexdigest()) != (n, digest):
            raise ValueError("its content does not fit its checksum")
        ids = [case.case_id for case, _ in cases]
        if ids != sorted(set(ids)):
            raise ValueError("its ids are not sorted, or one comes twice")
    return Exported(header, tuple(cases))


def _demand_file(path: Path) -> None:
    """Refuse what is no file, and what is plainly something else.

    Raises:
        InputError: It is.
    """
    try:
        if not S_ISREG(path.stat().st_mode):
            raise InputError(f"{path} is no file; name one that `dvdup export` wrote")
        with path.open("rb") as stream:
            start = stream.read(4)
            stream.seek(-min(4, path.stat().st_size), os.SEEK_END)
            end = stream.read(4)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if (start, end) != (b"PAR1", b"PAR1"):
        raise InputError(
            f"{path} is not what `dvdup export` writes, or was cut off on its way; ask for it again"
        )


@contextmanager
def _refused(name: str) -> Iterator[None]:
    """Whatever is wrong with a file is one message."""
    import pyarrow as pa

    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, OverflowError, pa.ArrowException) as error:
        told = " ".join(str(error).split())[:200]
        raise InputError(
            f"{name} is damaged, or no export of dvdup: {told or type(error).__name__}; ask for it "
            "again"
        ) from error


def _header_of(file: Any) -> tuple[Header, int, str]:
    """What the file says about itself: its header, the number of its cases, its digest."""
    text = (file.metadata.metadata or {}).get(METADATA_KEY.encode(), b"")
    if len(text) > _MOST_HEADER:
        raise ValueError("its metadata is too long")
    values = json.loads(text or b"{}")
    found = values.get("schema") if isinstance(values, dict) else None
    if found != SCHEMA:
        if isinstance(found, str) and found.startswith("dvdup/export@"):
            raise InputError(f"the export has format {found[:40]!r}, this dvdup reads {SCHEMA!r}")
        raise ValueError("it does not say that it is an export")
    given = file.schema_arrow
    if given.names != [*COLUMNS] or list(given.types) != list(_schema().types):
        raise ValueError("its columns are others")
    spec = values["embedder"]
    embedder = EmbedderSpec(
        _text(spec["name"], 200),
        _text(spec["weights_hash"], 64),
        _whole(spec["dimensions"], 1, 1 << 16),
        _whole(spec["slice_size"], 1, 1 << 12),
    )
    if not isinstance(values["recipe"], dict) or not isinstance(values["proxies"], bool):
        raise TypeError("its metadata is malformed")
    meta = IndexMeta(embedder, values["recipe"], _text(values["recipe_hash"], 64))
    header = Header(meta, _text(values["key"], 64), values["proxies"])
    return header, _whole(values["cases"], 0, 1 << 31), _text(values["digest"], 64)


def _demand_small(file: Any, cases: int, most: int) -> None:
    """Refuse what would fill the memory before anything is unpacked."""
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    if size > most or min((group.total_byte_size for group in groups), default=0) < 0:
        raise InputError(
            f"the export would take {size:,} bytes of memory, more than the {most:,} that "
            "read.max_bytes allows; raise it if the file is sound"
        )
    if file.metadata.num_rows != cases:
        raise ValueError("its number of rows is another one than it says")


def _rows_of(file: Any) -> Iterator[dict[str, Any]]:
    for number in range(file.metadata.num_row_groups):
        table = file.read_row_group(number, use_threads=False)
        table.validate(full=True)
        yield from table.to_pylist()


def _case_of(row: dict[str, Any], header: Header) -> SharedCase:
    """One row, checked."""
    n_channels = _whole(row["n_channels"], 0, 1 << 15)
    rows = _embedded(row, header.meta.embedder.dimensions, n_channels)
    shape = _shape(row["shape"], _MOST_AXIS)
    status = _one_of(row["status"], _STATUSES)
    proxy_shape = _shape(row["proxy_shape"], max(PROXY_SIDE, n_channels), 4)
    if rows is not None and (status != "ok" or not shape or not n_channels):
        raise ValueError("a case that was not checked has rows, or a checked one no size")
    if rows is None and status == "ok":
        raise ValueError("a case that was checked has no rows")
    if bool(proxy_shape) != (header.proxies and rows is not None):
        raise ValueError("a small copy is missing, or one too many")
    _demand_proxy(row["proxy"], proxy_shape, shape, n_channels)
    spacing = tuple(_positive(each) for each in row["spacing"])
    if len(spacing) != len(shape):
        raise ValueError("the voxels of a case have no size")
    if len(row["slice_hashes"]) % 8 or bool(row["slice_hashes"]) > bool(header.key):
        raise ValueError("its hashes are malformed")
    case = IndexedCase(
        split="",
        case_id=_matching(_ID, row["id"]),
        files=(),
        status="ok" if status == "ok" else "unreadable",
        reason="" if status == "ok" else NOT_CHECKED,
        content=_matching(_CONTENT, row["content"]) if status == "ok" else "",
        voxel_hashes=tuple(_matching(_HASH, each) for each in row["voxel_hashes"]),
        value_hashes=tuple(_matching(_VALUE_HASH, each) for each in row["value_hashes"]),
        slice_hashes=row["slice_hashes"],
        n_channels=n_channels,
        n_slices=0 if rows is None else len(rows.channel),
        shape=shape,
        spacing=spacing,
        modality=_matching(_MODALITY, row["modality"]),
        proxy=zlib.compress(row["proxy"], 1) if proxy_shape else b"",
        proxy_shape=proxy_shape,
    )
    return case, rows


def _embedded(row: dict[str, Any], dimensions: int, n_channels: int) -> Embedded | None:
    """The rows of a case; None if it has none."""
    n = len(row["channel"])
    lengths = {len(row[name]) for name in ("plane", "index", "position_mm")}
    if lengths != {n} or len(row["embedding"]) != 2 * n * dimensions:
        raise ValueError("a case has another number of rows than it says")
    if not n:
        return None
    embedding = np.frombuffer(row["embedding"], "<f2").reshape(n, dimensions)
    length = np.linalg.norm(embedding.astype(np.float32), axis=1)
    rows = Embedded(
        embedding,
        np.array(row["channel"], np.int16),
        np.array(row["plane"], np.uint8),
        np.array(row["index"], np.int32),
        np.array(row["position_mm"], np.float32),
    )
    sound = (
        np.all(np.abs(length - 1) < 0.02)  # NaN fails too
        and np.all((rows.channel >= 0) & (rows.channel < n_channels))
        and np.all(rows.plane < len(PLANES))
        and np.all(rows.index >= 0)
        and np.isfinite(rows.position_mm).all()
    )
    if not sound:
        raise ValueError("the rows of a case are no embeddings")
    return rows


def _demand_proxy(
    proxy: bytes, shape: tuple[int, ...], of: tuple[int, ...], n_channels: int
) -> None:
    if len(proxy) != (math.prod(shape) if shape else 0):
        raise ValueError("a small copy has another size than it says")
    factors = [-(-n // PROXY_SIDE) for n in of]
    sides = tuple(-(-n // k) for n, k in zip(of, factors, strict=True))
    if shape and (shape[1:] != sides or shape[0] > n_channels):
        raise ValueError("a small copy does not fit its scan")


def _shape(values: list[int], most: int, axes: int = 3) -> tuple[int, ...]:
    if len(values) not in (0, axes):
        raise ValueError("a case has no three axes")
    return tuple(_whole(each, 1, most) for each in values)


def _whole(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{str(value)[:40]} is no number from {least} to {most}")
    return value


def _positive(value: Any) -> float:
    if not isinstance(value, float) or not 0 < value < math.inf:
        raise ValueError(f"{str(value)[:40]} is no size")
    return value


def _text(value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise ValueError(f"{str(value)[:40]!r} is no text that may stand there")
    return value


def _matching(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{str(value)[:40]!r} is not what must stand there")
    return value


def _one_of(value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{str(value)[:40]!r} is not one of {', '.join(choices)}")
    return str(value)
