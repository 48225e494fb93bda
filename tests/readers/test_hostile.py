"""Small files that crash libraries, hang, fill the memory or name what is not theirs."""

from __future__ import annotations

import gzip
import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from reader_dicom import dataset, write_slice
from reader_scans import Read, nifti_bytes, oblique_affine, save, scan

from dvdup import readers
from dvdup.errors import PointerError, ReadError
from dvdup.readers import isolation, limits


@pytest.fixture(autouse=True)
def default_bound():
    yield
    limits.choose(None)


def call(function: str, *arguments: object) -> object:
    """Run a function of this module in a child."""
    program = f"tests_hostile:{function}"
    return isolation.call(program, *arguments, name="a.nii", stored=0)


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that can import this file."""
    (tmp_path / "tests_hostile.py").write_text(
        "import os, time, numpy as np\nfrom dvdup.errors import PointerError\n"
        "def crash(number): os.kill(os.getpid(), number)\n"
        "def wait(seconds): time.sleep(seconds)\n"
        "def refuse(): raise PointerError('a.nii: is not here')\n"
        "def double(array): print('libraries print'); return array * 2\n"
        "def fail(): raise ValueError('odd /some/where/x.png')\n"
        "def fill(): return len(bytearray(1 << 45))\n"
        "def number(): return os.getpid()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    isolation._end_all()
    isolation._idle.clear()
    yield
    isolation._end_all()
    isolation._idle.clear()


@pytest.mark.usefixtures("child")
class TestChild:
    def test_arrays_come_back_whatever_the_library_prints(self) -> None:
        array = np.arange(300_000, dtype=np.float32).reshape(3, -1)
        np.testing.assert_array_equal(call("double", array), array * 2)

    @pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
    def test_a_crash_is_told_and_survived(self, number: signal.Signals) -> None:
        with pytest.raises(ReadError, match=rf"^a\.nii: .* crashed on it \({number.name}\)"):
            call("crash", int(number))
        assert call("number")

    def test_a_kill_is_told(self) -> None:
        with pytest.raises(ReadError, match="was killed, perhaps because memory ran out"):
            call("crash", int(signal.SIGKILL))

    def test_a_hang_is_ended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(isolation, "_PATIENCE", 0.5)
        with pytest.raises(ReadError, match=r"not decoded within [01] s"):
            call("wait", 60)

    def test_errors_keep_their_class(self) -> None:
        with pytest.raises(PointerError, match=r"a\.nii: is not here"):
            call("refuse")

    def test_other_errors_are_told_without_folders(self) -> None:
        with pytest.raises(ReadError, match=r"^a\.nii: damaged or not supported \(odd x\.png\)"):
            call("fail")

    def test_memory_is_bounded(self) -> None:
        with pytest.raises(ReadError, match="does not fit into memory"):
            call("fill")

    def test_one_child_does_for_one_thread(self) -> None:
        assert call("number") == call("number")

    def test_a_child_that_was_killed_meanwhile_is_replaced(self) -> None:
        first = call("number")
        os.kill(first, signal.SIGKILL)
        assert call("number") != first


@pytest.mark.skipif(os.name == "nt", reason="processes are listed by signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_child_outlives_its_parent(tmp_path: Path, how: signal.Signals) -> None:
    program = (
        "import time; from dvdup.readers import isolation\n"
        "print(isolation.call('os:getpid', name='x', stored=0), flush=True)\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    number = int(parent.stdout.readline())
    parent.send_signal(how)
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not _runs(number):
            return
        time.sleep(0.1)
    pytest.fail("the child still runs")


def _runs(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


META = "ObjectType = Image\nNDims = {}\nDimSize = 2 2 2\nElementType = MET_UCHAR\n{}"
LOCAL = "ElementDataFile = LOCAL\n"
NRRD = "NRRD0004\ntype: uchar\ndimension: {}\nsizes: {}\nencoding: raw\n{}\n"


@pytest.mark.parametrize("number", ["2147483647", "4294967296", "-9223372036854775808", "0", "x"])
@pytest.mark.parametrize("more", [LOCAL, f"CompressedData = True\n{LOCAL}"])
def test_metaimage_of_too_many_axes(tmp_path: Path, read: Read, number: str, more: str) -> None:
    (tmp_path / "a.mha").write_bytes(META.format(number, more).encode() + bytes(8))
    with pytest.raises(ReadError, match=r"^a\.mha: damaged header: .* axes"):
        read("a.mha")


@pytest.mark.parametrize(
    ("dimension", "sizes", "more"),
    [
        ("1" * 5000, "2 2 2", ""),
        ("3", "2 2 " + "9" * 5000, ""),
        ("3", "2 2 2", f"space origin: ({'1' * 5000},0,0)\n"),
        ("3", "2 2 2", "content: a\0b\n"),
    ],
    ids=["dimension", "sizes", "origin", "zero bytes"],
)
def test_nrrd_that_crashes(
    tmp_path: Path, read: Read, dimension: str, sizes: str, more: str
) -> None:
    (tmp_path / "a.nrrd").write_bytes(NRRD.format(dimension, sizes, more).encode() + bytes(8))
    with pytest.raises(ReadError, match=r"^a\.nrrd: damaged header: "):
        read("a.nrrd")


@pytest.mark.parametrize("name", ["a.mhd", "a.nhdr"])
@pytest.mark.parametrize(
    "data",
    [
        "x%0999999999d.raw 1 3 1",
        "x%d.raw 1 999999999 1",
        f"x%d.raw {'9' * 5000} 9 1",
        "%s%d 1 2 1",
        "LIST\x85 2",
        "/dev/zero",
        "../../../../../../etc/passwd",
    ],
)
def test_detached_header_that_asks_for_too_much(
    tmp_path: Path, read: Read, name: str, data: str
) -> None:
    text = META.format(3, f"ElementDataFile = {data}\n")
    if name == "a.nhdr":
        text = NRRD.format(3, "2 2 2", f"data file: {data}\n")
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    assert all(one.parent == tmp_path for one in readers.companions(tmp_path / name, tmp_path))
    with pytest.raises(ReadError):
        read(name)


def test_voxels_in_another_folder_of_the_dataset(tmp_path: Path, read: Read) -> None:
    (tmp_path / "heads").mkdir()
    (tmp_path / "voxels").mkdir()
    save(tmp_path / "heads" / "a.mhd", scan(), oblique_affine(), level=0)
    (tmp_path / "heads" / "a.raw").rename(tmp_path / "voxels" / "a.raw")
    head = tmp_path / "heads" / "a.mhd"
    head.write_text(head.read_text().replace("= a.raw", "= ../voxels/a.raw"))
    assert read("heads/a.mhd").shape == (5, 6, 7)
    assert len(readers.companions(head, tmp_path)) == 1
    assert readers.companions(head, tmp_path / "heads") == ()


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_links_of_the_user_into_a_store_are_followed(tmp_path: Path, read: Read) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "data").mkdir()
    save(tmp_path / "store" / "a.mhd", scan(), oblique_affine(), level=0)
    for name in ("a.mhd", "a.raw"):
        (tmp_path / "data" / name).symlink_to(tmp_path / "store" / name)
    assert read("data/a.mhd").shape == (5, 6, 7)


@pytest.mark.skipif(os.name == "nt", reason="no such devices")
@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mhd", "a.dcm", "IM0001", "a.png"])
@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_links_to_what_never_ends(tmp_path: Path, read: Read, name: str, kind: str) -> None:
    target = Path("/dev/zero")
    if kind == "pipe":
        target = tmp_path / "pipe"
        os.mkfifo(target)
    (tmp_path / name).symlink_to(target)
    assert readers.companions(tmp_path / name) == ()
    readers.maybe_dicom(tmp_path / name)
    with pytest.raises(ReadError, match="is not a regular file"):
        read(name)


def big_nifti() -> bytes:
    """A header of 700 x 700 x 700 voxels."""
    data = bytearray(nifti_bytes(scan()))[:352]
    data[40:56] = np.array([3, 700, 700, 700, 1, 1, 1, 1], "<i2").tobytes()
    return bytes(data)


def packed_zeros(head: bytes, count: int) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9, mtime=0) as stream:
        stream.write(head)
        for _ in range(count >> 20):
            stream.write(bytes(1 << 20))
    return out.getvalue()


def test_gzip_bomb(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.nii.gz").write_bytes(packed_zeros(big_nifti(), 700 << 20))
    with pytest.raises(ReadError, match=r"on disk would become 68\d MB in memory.*read\.max_bytes"):
        read("a.nii.gz")


def test_much_behind_the_voxels(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.nii.gz").write_bytes(packed_zeros(nifti_bytes(scan()), 80 << 20))
    with pytest.raises(ReadError, match="far more data lies behind the voxels"):
        read("a.nii.gz")


def test_little_behind_the_voxels(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.nii.gz").write_bytes(packed_zeros(nifti_bytes(scan()), 40 << 20))
    assert read("a.nii.gz").shape == (5, 6, 7)


def test_npz_bomb(tmp_path: Path, read: Read) -> None:
    head = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (300, 1024, 1024)}
    np.lib.format.write_array_header_1_0(head, shape)
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("image.npy", "w", force_zip64=True) as stream,
    ):
        stream.write(head.getvalue())
        for _ in range(300):
            stream.write(bytes(1 << 20))
    with pytest.raises(ReadError, match="on disk would become 315 MB"):
        read("a.npz")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".npy", ".dcm"])
def test_the_bound_of_the_user(tmp_path: Path, read: Read, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        np.save(path, scan())
    elif suffix == ".dcm":
        write_slice(path, scan()[0], 0)
    else:
        save(path, scan(), oblique_affine())
    limits.choose(80)
    with pytest.raises(ReadError, match=r"more than the 80 bytes that read\.max_bytes allows"):
        read(path.name)
    limits.choose(10_000)
    assert read(path.name).channels


def test_frames_without_rows(tmp_path: Path, read: Read) -> None:
    one = dataset(scan()[0])
    one.Rows, one.NumberOfFrames = 0, 2147483647
    one.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(ReadError, match="its header gives no pixels"):
        read("a.dcm")
