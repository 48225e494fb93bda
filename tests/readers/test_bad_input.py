"""Every way in which a file can be bad has its own message."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reader_scans import Read, nifti_bytes, oblique_affine, save, scan

from dvdup.errors import PointerError, ReadError

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def noisy_gzip() -> bytes:
    """A .nii.gz that does not compress well, so that a cut hits the voxels."""
    values = np.random.default_rng(0).normal(size=(20, 20, 20)).astype(np.float32)
    return gzip.compress(nifti_bytes(values), mtime=0)


def huge_header() -> bytes:
    data = bytearray(nifti_bytes(scan()))
    data[40:56] = struct.pack("<8h", 3, 32000, 32000, 1000, 1, 1, 1, 1)
    return bytes(data)


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


BAD = {
    "empty": ("a.nii.gz", b"", "the file is empty"),
    "gz cut in the voxels": ("a.nii.gz", noisy_gzip()[:-5000], "truncated: the compressed data"),
    "gz cut in the checksum": ("a.nii.gz", noisy_gzip()[:-2], "truncated: the compressed data"),
    "gz cut in the header": ("a.nii.gz", noisy_gzip()[:12], "truncated: the compressed data"),
    "gz with a wrong checksum": ("a.nii.gz", changed(noisy_gzip(), -8, b"zzzz"), "damaged"),
    "gz of too few voxels": (
        "a.nii.gz",
        gzip.compress(nifti_bytes(scan())[:-10]),
        "truncated: its header promises 420 bytes of voxels, 410 are there",
    ),
    "nii cut": ("a.nii", nifti_bytes(scan())[:-10], "truncated: its header promises 420 bytes"),
    "nii cut in the header": ("a.nii", nifti_bytes(scan())[:200], "is not a NIfTI volume"),
    "header asks for terabytes": ("a.nii", huge_header(), "promises 2,048,000,000,000 bytes"),
    "packed header asks for terabytes": ("a.nii.gz", gzip.compress(huge_header()), "truncated"),
    "text named nii": ("a.nii", b"subject,age\n1,30\n", "it looks like a text file"),
    "text named nii.gz": ("a.nii.gz", b"subject,age\n1,30\n", "it looks like a text file"),
    "web page": ("a.nii.gz", b"<!DOCTYPE html><html>Sign in", "it looks like a web page"),
    "png named nii": ("a.nii", b"\x89PNG\r\n\x1a\n" + bytes(400), "it looks like a PNG picture"),
    "gzip named nii": ("a.nii", noisy_gzip(), "it looks like a gzip file"),
    "nii named nii.gz": ("a.nii.gz", nifti_bytes(scan()), "is not the gzip file its name says"),
    "noise named nii": ("a.nii", b"\x01\xfe\x93\x07" * 200, "its header is not known"),
    "unknown type code": (
        "a.nii",
        changed(nifti_bytes(scan()), 70, struct.pack("<h", 77)),
        "voxel type 77 is not one of NIfTI",
    ),
    "nine dimensions": (
        "a.nii",
        changed(nifti_bytes(scan()), 40, struct.pack("<h", 6000)),
        "NIfTI header cannot be used",
    ),
    "no voxels": ("a.nii", changed(nifti_bytes(scan()), 42, bytes(2)), "gives no voxels"),
    "text named mgz": ("a.mgz", gzip.compress(b"x" * 500), "is not an MGH volume"),
    "text named nrrd": ("a.nrrd", b"hello\n", "is not an NRRD volume"),
    "text named mha": ("a.mha", b"hello\n", "is not a MetaImage volume"),
    "text named npy": ("a.npy", b"1 2 3\n", "is not a NumPy array"),
    "text named npz": ("a.npz", b"1 2 3\n", "is not a NumPy .npz archive"),
    "text named png": ("a.png", b"hello\n", "is not a picture"),
    "text named dcm": ("a.dcm", b"hello\n", "is not a DICOM image"),
    "unknown suffix": (
        "a.xyz",
        b"hello\n",
        "dvdup does not read this format (it looks like a text file)",
    ),
    "half of a pair": ("a.img", b"\0" * 100, "no header beside it names it"),
}


@pytest.mark.parametrize(("name", "data", "message"), BAD.values(), ids=list(BAD))
def test_message(tmp_path: Path, read: Read, name: str, data: bytes, message: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / name).write_bytes(data)
    with pytest.raises(ReadError) as caught:
        read(f"sub/{name}")
    assert not isinstance(caught.value, PointerError)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"sub/{name}: ")
    assert str(tmp_path) not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("level", [0, 6])
def test_cut_itk(tmp_path: Path, read: Read, suffix: str, level: int) -> None:
    path = tmp_path / f"a{suffix}"
    save(path, scan(shape=(20, 20, 20)), oblique_affine(), level=level)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(ReadError, match="truncated"):
        read(path.name)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.mhd", "a.nhdr", "a.png"])
@pytest.mark.parametrize("at", [-3, -40, -2000])
def test_damage_in_compressed_voxels(tmp_path: Path, read: Read, name: str, at: int) -> None:
    """Checksums are looked at to the end, whatever the library does."""
    shape = (40, 50) if name == "a.png" else (20, 20, 20)
    if name == "a.png":
        image = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / name)
    else:
        save(tmp_path / name, scan(shape=shape), oblique_affine(), level=6)
    (path,) = [p for p in tmp_path.iterdir() if p.suffix not in (".mhd", ".nhdr")]
    read(name)
    data = bytearray(path.read_bytes())
    end = len(data) - 12 if name == "a.png" else len(data)  # before the last chunk
    data[end + at] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(ReadError, match=r"damaged|truncated"):
        read(name)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_itk_header_asks_for_terabytes(tmp_path: Path, read: Read, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    save(path, scan(), oblique_affine(), level=0)
    path.write_bytes(path.read_bytes().replace(b"5 6 7", b"50000 60000 700"))
    with pytest.raises(ReadError, match=r"promises 4,200,000,000,000 bytes"):
        read(path.name)


def test_no_such_file(read: Read) -> None:
    with pytest.raises(ReadError, match=r"^a\.nii: no such file"):
        read("a.nii")


def test_folder(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.nii").mkdir()
    with pytest.raises(ReadError, match="is a folder, not a scan"):
        read("a.nii")


def test_no_files(read: Read) -> None:
    with pytest.raises(ReadError, match="the case has no files"):
        read()


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.dcm", "a.png", "a.npy"])
def test_permission_denied(
    tmp_path: Path, read: Read, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulated, because the superuser may read everything."""
    (tmp_path / name).write_bytes(b"x")
    real = Path.open

    def refuse(path: Path, *args: object, **options: object) -> object:
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ReadError, match=rf"^{name}: permission denied"):
        read(name)


def test_missing_half_of_a_pair(tmp_path: Path, read: Read) -> None:
    save(tmp_path / "a.hdr", scan(), oblique_affine())
    (tmp_path / "a.img").unlink()
    with pytest.raises(ReadError, match=r"^a\.img: no such file"):
        read("a.hdr")


def test_missing_voxels_of_a_metaimage(tmp_path: Path, read: Read) -> None:
    save(tmp_path / "a.mhd", scan(), oblique_affine(), level=0)
    (tmp_path / "a.raw").unlink()
    with pytest.raises(ReadError, match=r"^a\.raw: no such file"):
        read("a.mhd")


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.mha", "a.npy", "a.png", "a.dcm", "a.xyz"])
def test_git_lfs_pointer(tmp_path: Path, read: Read, name: str) -> None:
    (tmp_path / name).write_bytes(LFS)
    with pytest.raises(PointerError, match="git lfs pull"):
        read(name)


def test_git_lfs_pointer_of_the_voxels(tmp_path: Path, read: Read) -> None:
    save(tmp_path / "a.hdr", scan(), oblique_affine())
    (tmp_path / "a.img").write_bytes(LFS)
    with pytest.raises(PointerError, match=r"^a\.img: .* git-lfs pointer"):
        read("a.hdr")


@pytest.mark.parametrize("tracked", ["data/a.nii", "data"])
def test_dvc(tmp_path: Path, read: Read, tracked: str) -> None:
    (tmp_path / f"{tracked}.dvc").parent.mkdir(exist_ok=True)
    (tmp_path / f"{tracked}.dvc").write_text("outs:\n- md5: 1\n")
    with pytest.raises(PointerError, match="dvc pull"):
        read("data/a.nii")


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
@pytest.mark.parametrize(
    ("target", "kind", "message"),
    [
        ("../.git/annex/objects/XX/YY/SHA256E-s1--a.nii/SHA256E-s1--a.nii", PointerError, "annex"),
        ("elsewhere/a.nii", ReadError, "a broken symbolic link"),
    ],
)
def test_broken_link(
    tmp_path: Path, read: Read, target: str, kind: type[ReadError], message: str
) -> None:
    (tmp_path / "a.nii").symlink_to(target)
    with pytest.raises(kind, match=message):
        read("a.nii")


def test_unlocked_annex_pointer(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"/annex/objects/SHA256E-s123--4d7a.nii.gz\n")
    with pytest.raises(PointerError, match="git annex get"):
        read("a.nii.gz")


@pytest.mark.parametrize("code", [0, 1, 1536, 2048])
def test_nifti_types_that_numpy_or_dvdup_cannot_hold(tmp_path: Path, read: Read, code: int) -> None:
    data = changed(nifti_bytes(scan()), 70, struct.pack("<h", code))
    (tmp_path / "a.nii").write_bytes(data)
    with pytest.raises(ReadError, match=r"^a\.nii: "):
        read("a.nii")


def test_gzip_with_a_negative_offset(tmp_path: Path, read: Read) -> None:
    data = changed(nifti_bytes(scan()), 108, struct.pack("<f", -100.0))
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(data))
    with pytest.raises(ReadError, match=r"^a\.nii\.gz: "):
        read("a.nii.gz")


def test_cifti_is_refused_at_once(tmp_path: Path, read: Read) -> None:
    data = nifti_bytes(np.zeros((1, 1, 1, 1, 10, 500), np.float32), version=2)
    (tmp_path / "a.dtseries.nii").write_bytes(data)
    with pytest.raises(ReadError, match="CIFTI, values of a surface and no image grid"):
        read("a.dtseries.nii")


def test_array_of_text_fields(tmp_path: Path, read: Read) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4), dtype=[("name", "U4"), ("x", "f4")]))
    with pytest.raises(ReadError, match=r"^a\.npy: "):
        read("a.npy")


@pytest.mark.parametrize("method", ["flipped", "encrypted", "unknown"])
def test_damaged_npz(tmp_path: Path, read: Read, method: str) -> None:
    np.savez_compressed(tmp_path / "a.npz", image=scan(shape=(20, 20, 20)))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    central = data.index(b"PK\x01\x02")
    if method == "flipped":
        data[200:204] = b"zzzz"
    elif method == "encrypted":
        data[6] |= 1
        data[central + 8] |= 1
    else:
        data[8:10] = data[central + 10 : central + 12] = b"\x63\0"
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(ReadError, match=r"^a\.npz: the array cannot be read"):
        read("a.npz")


def test_npy_with_an_unbalanced_header(tmp_path: Path, read: Read) -> None:
    np.save(tmp_path / "a.npy", scan())
    path = tmp_path / "a.npy"
    path.write_bytes(path.read_bytes().replace(b"), }", b"   }", 1))
    with pytest.raises(ReadError, match=r"^a\.npy: the array cannot be read"):
        read("a.npy")
