"""Files of fingerprints: what is written is read again, and nothing else is believed."""

from __future__ import annotations

import json
import os
import pickle
import zlib
from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvdup.errors import InputError
from dvdup.records import Embedded, IndexedCase
from dvdup.store import Header, read_export, write_export

MOST = 1 << 30


def make_shared(number: int, *, proxies: bool = True, **more: object) -> IndexedCase:
    proxy = np.arange(5 * 6 * 7, dtype=np.uint8) + np.uint8(number)
    case = IndexedCase(
        split="",
        case_id=f"{number:016x}",
        files=(),
        content=f"{number:032x}",
        voxel_hashes=(f"{number:064x}",),
        value_hashes=(f"{number:016x}", ""),
        slice_hashes=np.arange(9, dtype="<u8").tobytes(),
        n_channels=3,
        n_slices=5,
        shape=(5, 6, 7),
        spacing=(1.0, 1.5, 2.5),
        modality="MR",
        proxy=zlib.compress(proxy.tobytes(), 1) if proxies else b"",
        proxy_shape=(1, 5, 6, 7) if proxies else (),
    )
    return replace(case, **more)


def values(case: IndexedCase) -> dict[str, object]:
    proxy = zlib.decompress(case.proxy) if case.proxy else b""
    return {**asdict(case), "proxy": proxy}


@pytest.fixture(scope="module")
def header(meta):
    return Header(meta, "k" * 16, True)


@pytest.fixture
def cases(rows):
    """Three cases, one of which could not be checked."""
    broken = IndexedCase("", "f" * 16, (), status="unreadable", reason="no export says why")
    return [(make_shared(n), rows(n)) for n in (1, 2)] + [(broken, None)]


@pytest.fixture
def file(tmp_path, header, cases):
    path = tmp_path / "train.dvdup"
    write_export(path, header, cases)
    return path


def test_what_is_written_is_read_again(file, header, cases, same_rows):
    found = read_export(file, MOST)
    assert (found.header.key, found.header.proxies) == (header.key, True)
    assert found.header.meta.recipe_hash == header.meta.recipe_hash
    assert found.header.meta.embedder.weights_hash == header.meta.embedder.weights_hash
    for (read, stored), (case, put) in zip(found.cases[:2], cases[:2], strict=True):
        assert values(read) == values(case)
        assert same_rows(stored, put)
    read, stored = found.cases[2]
    assert (read.status, stored) == ("unreadable", None)
    assert "no export says why" not in read.reason


def test_same_cases_same_bytes(file, header, cases, tmp_path):
    write_export(tmp_path / "again.dvdup", header, cases)
    assert (tmp_path / "again.dvdup").read_bytes() == file.read_bytes()


def test_no_case_at_all(tmp_path, header):
    write_export(tmp_path / "none.dvdup", header, [])
    assert read_export(tmp_path / "none.dvdup", MOST).cases == ()


def test_without_small_copies_none_is_written(tmp_path, header, cases):
    write_export(tmp_path / "rows.dvdup", replace(header, proxies=False), cases)
    found = read_export(tmp_path / "rows.dvdup", MOST)
    assert {(case.proxy, case.proxy_shape) for case, _ in found.cases} == {(b"", ())}


def test_a_tag_that_is_no_modality_stays_here(tmp_path, header, rows):
    """A file may say anything there, such as a name."""
    case = make_shared(1, modality="Doe^Jane 1970")
    write_export(tmp_path / "a.dvdup", header, [(case, rows(1))])
    assert read_export(tmp_path / "a.dvdup", MOST).cases[0][0].modality == ""


def test_others_can_read_it(file):
    """Any reader of Parquet shows what a file gives away."""
    table = pq.read_table(file)
    assert table.num_rows == 3
    assert json.loads(table.schema.metadata[b"dvdup"])["schema"] == "dvdup/export@1"


def test_a_failed_write_leaves_the_old_file(file, header, cases):
    def failing():
        yield cases[0]
        raise KeyboardInterrupt

    before = file.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write_export(file, header, failing())
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


# What is no such file


def told(path):
    with pytest.raises(InputError) as error:
        read_export(path, MOST)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"\0" * 100, pickle.dumps({"a": 1})])
def test_what_is_something_else_is_refused(tmp_path, data):
    path = tmp_path / "x.dvdup"
    path.write_bytes(data)
    assert "x.dvdup" in told(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_could_wait_for_ever_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "x.dvdup")
    assert "is no file" in told(tmp_path / "x.dvdup")
    assert "cannot read" in told(tmp_path / "gone.dvdup")


def test_a_table_of_somebody_else_is_refused(tmp_path):
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "x.dvdup")
    assert "no export" in told(tmp_path / "x.dvdup")


def test_it_may_not_fill_the_memory(file):
    with pytest.raises(InputError, match=r"read\.max_bytes"):
        read_export(file, 100)


def rewritten(file, change=None, **header):
    """The same file with other columns or metadata, as whoever wants to deceive would write it."""
    table = pq.read_table(file)
    values = {**json.loads(table.schema.metadata[b"dvdup"]), **header}
    table = table if change is None else change(table)
    with pq.ParquetWriter(file, table.schema.remove_metadata(), store_schema=False) as writer:
        writer.write_table(table.replace_schema_metadata(None))
        writer.add_key_value_metadata({"dvdup": json.dumps(values)})
    return file


def column(name, change):
    """Replaces a value of the first row."""

    def changed(table):
        values = table.column(name).to_pylist()
        values[0] = change(values[0])
        at = table.schema.get_field_index(name)
        return table.set_column(
            at, table.schema.field(at), pa.array(values, table.schema.types[at])
        )

    return changed


BAD_HEADERS = {
    "of a later version": ({"schema": "dvdup/export@2"}, "dvdup/export@2"),
    "of something else": ({"schema": "dvdup/report@1"}, "does not say"),
    "other content": ({"digest": "0" * 64}, "checksum"),
    "more cases": ({"cases": 4}, "number of rows"),
    "no number": ({"cases": "many"}, "no number"),
    "no embedder": ({"embedder": {}}, "no export"),
    "an endless name": ({"recipe_hash": "a" * 65}, "no text"),
    "escapes": ({"key": "\x1b[31m"}, "no text"),
    "a list": ({"recipe": []}, "malformed"),
}


@pytest.mark.parametrize(("more", "said"), BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_a_header_that_is_wrong_is_refused(file, more, said):
    message = told(rewritten(file, **more))
    assert said in message
    assert "\x1b" not in message


BAD_ROWS = {
    "a path": ("id", lambda value: "../../etc/passwd"),
    "an id again": ("id", lambda value: "0" * 15 + "2"),
    "other content": ("content", lambda value: "c" * 32),
    "no axes": ("shape", lambda value: [1, 2]),
    "a negative axis": ("shape", lambda value: [5, -6, 7]),
    "no size": ("spacing", lambda value: [1.0, float("nan"), 1.0]),
    "no row": ("embedding", lambda value: b""),
    "no numbers": ("embedding", lambda value: b"\xff" * len(value)),
    "no unit rows": ("embedding", lambda value: b"\0" * len(value)),
    "another channel": ("channel", lambda value: [3] * 5),
    "another plane": ("plane", lambda value: [9] * 5),
    "no place": ("position_mm", lambda value: [float("inf")] * 5),
    "a big copy": ("proxy_shape", lambda value: [1, 64, 64, 64]),
    "a copy of nobody": ("proxy", lambda value: b"\0" * 7),
    "a missing value": ("modality", lambda value: None),
    "a list of nothing": ("voxel_hashes", lambda value: [None]),
    "escapes": ("modality", lambda value: "\x1b[31m"),
}


@pytest.mark.parametrize(("name", "change"), BAD_ROWS.values(), ids=BAD_ROWS)
@pytest.mark.parametrize("sealed", [False, True], ids=["as it is", "with its checksum"])
def test_a_row_that_is_wrong_is_refused(file, name, change, sealed):
    from dvdup.store import exported

    rewritten(file, column(name, change))
    if sealed:
        digest = exported._digest_start()
        for row in pq.read_table(file).to_pylist():
            digest.update(exported._row_digest(row))
        rewritten(file, digest=digest.hexdigest())
        if name == "content":
            return  # that is another file, and a sound one
    message = told(file)
    assert "\x1b" not in message


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_damaged_byte_is_refused_or_changes_nothing(file, data):
    """What Parquet itself does not check, the checksum does."""
    before = file.read_bytes()
    whole = [values(case) for case, _ in read_export(file, MOST).cases]
    at = data.draw(st.integers(0, len(before) - 1))
    value = data.draw(st.integers(1, 255))
    damaged = bytearray(before)
    damaged[at] ^= value
    cut = data.draw(st.sampled_from([None, at]))
    path = file.with_name("damaged.dvdup")
    path.write_bytes(bytes(damaged[:cut]))
    try:
        found = read_export(path, MOST)
    except InputError:
        return
    assert [values(case) for case, _ in found.cases] == whole


def test_rows_keep_their_order_and_labels(tmp_path, header, rows):
    """Rows of many cases fill several row groups."""
    many = [(make_shared(n), rows(n, n % 7 + 1)) for n in range(150)]
    many = [(replace(case, n_slices=len(put.channel)), put) for case, put in many]
    write_export(tmp_path / "many.dvdup", header, many)
    found = read_export(tmp_path / "many.dvdup", MOST).cases
    assert pq.ParquetFile(tmp_path / "many.dvdup").num_row_groups == 3
    for (case, stored), (_, put) in zip(found, many, strict=True):
        assert isinstance(stored, Embedded)
        assert case.n_slices == len(put.channel)
        assert np.array_equal(stored.index, put.index)
