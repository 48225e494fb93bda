"""Hide a copy of a training scan among the test scans in every way we know; none may pass as clean.

    python tests/perf/hidden_leaks.py [--only PATTERN] [--dvdup PATH] [--together]

Each situation is a small dataset whose test split holds a copy that cannot be compared as it lies
there, or that a run could overlook: `dvdup check` (or `diff`) must find it (exit code 1) or say
that it was not checked (2). Printed: a Markdown table of situation, exit code and sentence. The
exit code is 1 if a situation ends with 0. `--dvdup` runs another installation, to compare with.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import tifffile
from fuzz_seeds import dicom_image
from PIL import Image

SPLITS = '[dataset.splits]\ntrain = "train"\ntest = "test"\n'
LFS = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)
ANNEX = b"/annex/objects/MD5E-s12345--d41d8cd98f00b204e9800998ecf8427e.nii.gz\n"
DVC_FILE = "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 12345\n  path: {name}\n"
DVC_FOLDER = "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e.dir\n  nfiles: 3\n  path: {name}\n"


def scan(person: int, shape: tuple[int, int, int] = (32, 36, 30)) -> np.ndarray:
    """A scan of one person: blobs in a body, int16 (X, Y, Z)."""
    rng = np.random.default_rng(person)
    coarse = rng.integers(60, 900, [-(-n // 4) for n in shape])
    for axis, n in enumerate(shape):
        coarse = coarse.repeat(4, axis).take(range(n), axis)
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    body = sum(axis**2 for axis in grid) < 0.9
    return np.where(body, coarse + rng.integers(0, 60, shape), 0).astype(np.int16)


def nifti(person: int) -> bytes:
    """The same scan as an uncompressed NIfTI."""
    return bytes(nib.Nifti1Image(scan(person), np.diag([3.0, 3.0, 3.0, 1.0])).to_bytes())


@dataclass
class Scene:
    """A dataset: persons 0 to 2 in train, 3 and 4 in test; what a situation adds and runs."""

    root: Path
    dvdup: str
    last: tuple[str, ...] = ("check",)
    """The command that must not end with 0."""
    words: list[str] = field(default_factory=list)

    def put(self, name: str, data: bytes) -> Path:
        """Write a file below the root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def base(self) -> None:
        """The sound scans, and the configuration."""
        for person in range(5):
            split = "train" if person < 3 else "test"
            self.put(f"{split}/p{person}.nii.gz", gzip.compress(nifti(person), mtime=0))
        self.put("train/slice.dcm", dicom(0))
        self.settings()

    def settings(self, dataset: str = 'layout = "folders"\n' + SPLITS) -> None:
        """Write dvdup.toml."""
        text = f'embedder = "thumbnail"\n[dataset]\n{dataset}'
        (self.root / "dvdup.toml").write_text(text, encoding="utf-8")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run dvdup in the root."""
        return subprocess.run(
            [self.dvdup, *words],
            cwd=self.root,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "DVDUP_VERIFY_CANDIDATES": "0"},  # seconds a case, of no use here
            timeout=120,
            stdin=subprocess.DEVNULL,
        )


Build = Callable[[Scene], object]
SITUATIONS: dict[str, Build] = {}


def situation(name: str) -> Callable[[Build], Build]:
    """Put a builder into the table."""

    def enter(build: Build) -> Build:
        SITUATIONS[name] = build
        return build

    return enter


FILES: dict[str, tuple[str, bytes]] = {}
"""Situations that are one file in test; `--together` tries them in one dataset first."""


def each(name: str, cases: dict[str, bytes]) -> None:
    """Situations that are one file in test: its name and bytes."""
    for file, data in cases.items():
        FILES[name.format(file)] = (file, data)
        SITUATIONS[name.format(file)] = lambda scene, f=file, d=data: scene.put(f"test/{f}", d)


# DICOM


def dicom(k: int, person: int = 0) -> bytes:
    """Slice k of a person as a DICOM file."""
    made, one = io.BytesIO(), dicom_image(scan(person)[:, :, k + 8].T)
    one.SeriesInstanceUID = f"1.2.3.{person + 1}"
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{person + 1}.{k + 1}"
    one.ImagePositionPatient, one.InstanceNumber = [0.0, 0.0, 2.5 * k], k + 1
    one.save_as(made, enforce_file_format=True)
    return made.getvalue()


_BAD = {"empty": b"", "a git-lfs pointer": LFS, "cut to 100 bytes": dicom(0)[:100]}


def _dicom_scenes() -> None:
    def series(scene: Scene, bad: bytes, bad_ones: int) -> None:
        for k in range(12):
            scene.put(f"train/s/IM{k:03}", dicom(k))
            scene.put(f"test/s/IM{k:03}", bad if k < bad_ones else dicom(k, 9))

    for words, bad in _BAD.items():
        SITUATIONS[f"one DICOM without suffix, {words}"] = lambda scene, b=bad: scene.put(
            "test/IM0001", b
        )
        SITUATIONS[f"4 of 12 DICOM without suffix, {words}"] = lambda s, b=bad: series(s, b, 4)
        SITUATIONS[f"all of a DICOM series, {words}"] = lambda s, b=bad: series(s, b, 12)
    whole = dicom(0)
    each(
        "DICOM as {}",
        {
            "IM0001.gz": gzip.compress(whole),
            "x.dcm.gz": gzip.compress(whole),
            "x.dcm.bz2": b"BZh9" + whole,
            **{f"x.{end}": whole for end in ("anon", "DCM_", "bak", "v2", "mr", "ct", "dcm.dvc_")},
        },
    )


_dicom_scenes()


# Pictures


def pages() -> list[np.ndarray]:
    """Thirty slices of a person, 16 bit."""
    return [layer.T.astype(np.uint16) for layer in np.moveaxis(scan(0), 2, 0)]


def tiff(**options: object) -> bytes:
    """A stack in one TIFF, written by tifffile."""
    made = io.BytesIO()
    tifffile.imwrite(made, np.stack(pages()), photometric="minisblack", **options)
    return made.getvalue()


def tiff_by_pages(first: np.ndarray | None = None) -> bytes:
    """A stack whose pages were written one by one."""
    made = io.BytesIO()
    with tifffile.TiffWriter(made) as writer:
        for number, page in enumerate(pages()):
            writer.write(page if number or first is None else first)
    return made.getvalue()


def tiff_by_pillow(compression: str) -> bytes:
    """A stack written by Pillow."""
    made, frames = io.BytesIO(), [Image.fromarray(page) for page in pages()]
    frames[0].save(made, "TIFF", save_all=True, append_images=frames[1:], compression=compression)
    return made.getvalue()


def _tiff_scene(name: str, copy: bytes) -> None:
    def build(scene: Scene) -> None:
        scene.put("train/stack.tif", tiff())
        scene.put("test/other.tif", copy)

    SITUATIONS[name] = build


_tiff_scene("TIFF written page by page", tiff_by_pages())
_tiff_scene("TIFF page by page, first one differs", tiff_by_pages(pages()[7] + 1))
_tiff_scene("TIFF zlib cut to 50 %", tiff(compression="zlib")[: len(tiff(compression="zlib")) // 2])
for _kind in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
    for _share in (10, 60):
        _data = tiff_by_pillow(_kind)
        _tiff_scene(f"TIFF {_kind} cut to {_share} %", _data[: len(_data) * _share // 100])


def picture(kind: str, **options: object) -> bytes:
    """One slice of a person as a picture."""
    made = io.BytesIO()
    grey = np.clip(scan(0, (96, 96, 4))[:, :, 1] // 4, 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(made, kind, **options)
    return made.getvalue()


def _picture_scene(suffix: str, kind: str, **options: object) -> None:
    def build(scene: Scene) -> None:
        scene.put("train/copy.png", picture("PNG"))
        scene.put(f"test/other.{suffix}", picture(kind, **options))

    SITUATIONS[f"picture as .{suffix}"] = build


for _suffix, _kind in (
    *(("webp", "WEBP"), ("gif", "GIF"), ("bmp", "BMP"), ("jp2", "JPEG2000"), ("ppm", "PPM")),
    *(("tga", "TGA"), ("ico", "ICO"), ("pcx", "PCX"), ("BMP", "BMP"), ("jfif", "JPEG")),
):
    _picture_scene(_suffix, _kind)


# Other formats, archives, compression


def tar_of(name: str, data: bytes, mode: str = "w") -> bytes:
    """A tar archive with one file."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def zip_of(name: str, data: bytes) -> bytes:
    """A zip archive with one file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(name, data)
    return made.getvalue()


_PLAIN = nifti(0)
_GZ = gzip.compress(_PLAIN, mtime=0)
each(
    "{}",
    {
        **{
            f"x.{end}": b"\x89HDF\r\n\x1a\n" + _PLAIN for end in ("h5", "hdf5", "mat", "mnc", "nwb")
        },
        **{f"x.{end}": _PLAIN for end in ("mif", "mif.gz", "b2nd", "PAR", "REC", "HEAD", "BRIK")},
        **{f"x.{end}": _PLAIN for end in ("par", "v", "vti", "gipl", "pt", "pkl", "img.xz")},
        **{f"x.{end}": tiff() for end in ("svs", "ndpi", "scn", "czi", "lsm", "ome.tf8")},
        **{f"x.{end}": b"\0\0\0\x18ftypmp42" + _PLAIN for end in ("mp4", "avi", "mov", "mkv")},
        "x.tar": tar_of("x.nii", _PLAIN),
        "x.tar.gz": tar_of("x.nii", _PLAIN, "w:gz"),
        "x.tgz": tar_of("x.nii", _PLAIN, "w:gz"),
        "x.zip": zip_of("x.nii", _PLAIN),
        "nested.zip": zip_of("y.zip", zip_of("x.nii", _PLAIN)),
        "x.7z": b"7z\xbc\xaf\x27\x1c" + _PLAIN,
        "x.rar": b"Rar!\x1a\x07\0" + _PLAIN,
        **{f"x.nii.{end}": _PLAIN for end in ("bz2", "xz", "zst", "lz4", "zip", "Z", "br", "7z")},
        **{f"x.nrrd.{end}": _PLAIN for end in ("gz", "xz")},
        **{f"x.nii.gz.{end}": _GZ for end in ("part", "tmp", "crdownload", "bak", "orig", "old")},
        **{f"x.nii.gz.{end}": _GZ for end in ("download", "partial", "gpg", "1", "swp", "gz")},
        "x.nii.gz~": _GZ,
        "x.nii~": _PLAIN,
        "x.niigz": _GZ,
        "x.nii.gzip": _GZ,
        "x.gz": _GZ,
        "x.nifti": _PLAIN,
        "x": _PLAIN,
        "nii.gz": _GZ,
        ".nii.gz": _GZ,
        ".x.nii.gz": _GZ,
        ".hidden/x.nii.gz": _GZ,
        "x.NII.GZ": _GZ,
        "x.Nii": _PLAIN,
        "x.DCM_": dicom(0),
        "only.img": _PLAIN[352:],
        "only.hdr": _PLAIN[:348],
        "only.raw": _PLAIN[352:],
        "only.zraw": _PLAIN[352:],
        "x copy.nii.gz": _GZ,
    },
)

_ENDS = (
    *("nii", "nii.gz", "hdr", "mgh", "mgz", "nrrd", "nhdr", "mha", "mhd", "npy", "npz", "dcm"),
    *("png", "jpg", "tif", "webp", "gif", "bmp", "h5", "zip", "svs", "IMA"),
)
each("git-lfs pointer {}", {f"x.{end}": LFS for end in _ENDS})
each("git-annex pointer {}", {f"x.{end}": ANNEX for end in _ENDS})
each("empty {}", {f"x.{end}": b"" for end in _ENDS})


def _link(scene: Scene, name: str, target: str) -> None:
    (scene.root / "test" / name).symlink_to(target)


for _end in ("nii.gz", "dcm", "png", "mhd", "h5", "", "zarr"):
    _name = f"x.{_end}".rstrip(".")
    SITUATIONS[f"link to nowhere {_name}"] = lambda scene, n=_name: _link(
        scene, n, ".git/annex/objects/aa/bb/MD5E-s1--0"
    )
    SITUATIONS[f"link to /dev/null {_name}"] = lambda scene, n=_name: _link(scene, n, "/dev/null")


@situation("OME-Zarr folder")
def _zarr(scene: Scene) -> None:
    scene.put("test/x.ome.zarr/.zattrs", b"{}")
    scene.put("test/x.ome.zarr/0/.zarray", b'{"zarr_format": 2}')
    scene.put("test/x.ome.zarr/0/0.0.0", _PLAIN)


@situation("Zarr 3 folder without suffix")
def _zarr3(scene: Scene) -> None:
    scene.put("test/volume/zarr.json", b'{"zarr_format": 3, "node_type": "array"}')
    scene.put("test/volume/c/0/0/0", _PLAIN)


@situation("folder named like a scan")
def _named_folder(scene: Scene) -> None:
    scene.put("test/x.nii.gz/x.nii.gz.1", _GZ)


@situation("empty folder named like a scan")
def _named_empty(scene: Scene) -> None:
    (scene.root / "test/x.nii.gz").mkdir()


@situation("FIFO named like a scan")
def _fifo(scene: Scene) -> None:
    os.mkfifo(scene.root / "test/x.nii.gz")


@situation("socket named like a scan")
def _socket(scene: Scene) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(scene.root / "test/x.nii.gz"))


# DVC, declared and not there


@situation("x.nii.gz.dvc")
def _dvc(scene: Scene) -> None:
    scene.put("test/x.nii.gz.dvc", DVC_FILE.format(name="x.nii.gz").encode())


@situation("test.dvc whose folder is not there")
def _dvc_split(scene: Scene) -> None:
    shutil.rmtree(scene.root / "test")
    scene.put("test.dvc", DVC_FOLDER.format(name="test").encode())


@situation("test.dvc whose folder is not there, splits not declared")
def _dvc_undeclared(scene: Scene) -> None:
    scene.put("val/p8.nii.gz", gzip.compress(nifti(8)))
    scene.settings('layout = "folders"\n')
    _dvc_split(scene)


@situation("folder.dvc inside a split, folder not there")
def _dvc_folder(scene: Scene) -> None:
    scene.put("test/more.dvc", DVC_FOLDER.format(name="more").encode())


@situation("folder.dvc inside a split, folder empty")
def _dvc_empty(scene: Scene) -> None:
    (scene.root / "test/more").mkdir()
    _dvc_folder(scene)


@situation("folder.dvc of a folder that lacks files")
def _dvc_some(scene: Scene) -> None:
    scene.put("test/more/p8.nii.gz", gzip.compress(nifti(8)))
    _dvc_folder(scene)


def _val(scene: Scene, declared: bool = True) -> None:
    scene.settings('layout = "folders"\n' + (SPLITS + 'val = "val"\n' if declared else ""))


@situation("declared split that is not there")
def _no_val(scene: Scene) -> None:
    _val(scene)


@situation("declared split whose folder is empty")
def _empty_val(scene: Scene) -> None:
    (scene.root / "val").mkdir()
    _val(scene)


@situation("declared split with a text file only")
def _text_val(scene: Scene) -> None:
    scene.put("val/README.txt", b"to come")
    _val(scene)


@situation("declared split that is a file")
def _file_val(scene: Scene) -> None:
    scene.put("val", b"to come")
    _val(scene)


@situation("declared split that is a link to nowhere")
def _link_val(scene: Scene) -> None:
    (scene.root / "val").symlink_to("/mnt/not/mounted")
    _val(scene)


@situation("undeclared split that is a link to nowhere")
def _link_undeclared(scene: Scene) -> None:
    (scene.root / "val").symlink_to("/mnt/not/mounted")
    _val(scene, declared=False)


@situation("undeclared split folder that is empty")
def _empty_undeclared(scene: Scene) -> None:
    (scene.root / "val").mkdir()
    _val(scene, declared=False)


def _nnunet(scene: Scene, listed: int, channels: tuple[int, ...], last: tuple[int, ...]) -> None:
    shutil.rmtree(scene.root / "train")
    shutil.rmtree(scene.root / "test")
    for person in range(5):
        folder = "imagesTr" if person < 3 else "imagesTs"
        for channel in last if person == 4 else channels:
            data = gzip.compress(nifti(10 * person + channel), mtime=0)
            scene.put(f"{folder}/case_{person:04}_{channel:04}.nii.gz", data)
    names = {str(channel): f"MR{channel}" for channel in channels}
    numbers = {"channel_names": names, "numTraining": listed, "file_ending": ".nii.gz"}
    scene.put("dataset.json", json.dumps({**numbers, "labels": {"background": 0}}).encode())
    scene.settings('layout = "msd"\n')


@situation("nnU-Net case without one of its channels")
def _nnunet_channel(scene: Scene) -> None:
    _nnunet(scene, 3, (0, 1), (0,))


@situation("nnU-Net case without its first channel")
def _nnunet_first(scene: Scene) -> None:
    _nnunet(scene, 3, (0, 1), (1,))


@situation("nnU-Net with fewer cases than numTraining")
def _nnunet_fewer(scene: Scene) -> None:
    _nnunet(scene, 4, (0,), (0,))


@situation("dataset.json lists a file that is not there")
def _msd_lists(scene: Scene) -> None:
    _nnunet(scene, 3, (0,), (0,))
    for path in scene.root.glob("images*/*"):
        path.rename(path.with_name(path.name.replace("_0000.nii", ".nii")))
    document = {
        "training": [{"image": f"./imagesTr/case_{n:04}.nii.gz"} for n in range(3)],
        "test": [f"./imagesTs/case_{n:04}.nii.gz" for n in (3, 4, 7)],
    }
    scene.put("dataset.json", json.dumps(document).encode())


@situation("dataset.json lists a file outside that is not there")
def _msd_elsewhere(scene: Scene) -> None:
    _msd_lists(scene)
    text = (scene.root / "dataset.json").read_text()
    (scene.root / "dataset.json").write_text(text.replace("imagesTs/case_0007", "images/x"))


@situation("CSV row whose file is not there")
def _csv(scene: Scene) -> None:
    rows = "path,split\ntrain/p0.nii.gz,train\ntest/p3.nii.gz,test\ntest/gone.nii.gz,test\n"
    scene.put("splits.csv", rows.encode())
    scene.settings('layout = "csv"\ncsv = "splits.csv"\n')


@situation("CSV row that names a folder of other files")
def _csv_folder(scene: Scene) -> None:
    scene.put("test/more/x.h5", _PLAIN)
    rows = "path,split\ntrain/p0.nii.gz,train\ntest/p3.nii.gz,test\ntest/more,test\n"
    scene.put("splits.csv", rows.encode())
    scene.settings('layout = "csv"\ncsv = "splits.csv"\n')


# Splits that go


def _leak(scene: Scene) -> None:
    scene.put("test/copy.nii.gz", _GZ)


@situation("undeclared split went, as many cases came into train")
def _went(scene: Scene) -> None:
    _leak(scene)
    scene.settings('layout = "folders"\n')
    scene.run("check")
    shutil.rmtree(scene.root / "test")
    for person in (5, 6, 7):
        scene.put(f"train/p{person}.nii.gz", gzip.compress(nifti(person)))


@situation("one of three undeclared splits went, as many cases came into train")
def _went_of_three(scene: Scene) -> None:
    scene.put("val/p8.nii.gz", gzip.compress(nifti(8)))
    _went(scene)


@situation("undeclared split went, nothing came")
def _went_only(scene: Scene) -> None:
    scene.put("val/p8.nii.gz", gzip.compress(nifti(8)))
    _leak(scene)
    scene.settings('layout = "folders"\n')
    scene.run("check")
    shutil.rmtree(scene.root / "test")


@situation("the other split is excluded")
def _excluded(scene: Scene) -> None:
    _leak(scene)
    scene.run("check")
    scene.settings('layout = "folders"\nexclude = ["test/"]\n' + SPLITS)


@situation("the other split is excluded, fresh index")
def _excluded_fresh(scene: Scene) -> None:
    _leak(scene)
    scene.settings('layout = "folders"\nexclude = ["test/"]\n')


@situation("the configuration names one split only")
def _one_split(scene: Scene) -> None:
    _leak(scene)
    scene.settings('layout = "folders"\n[dataset.splits]\ntrain = "train"\n')


@situation("diff: a copy came after the sync")
def _diff_new(scene: Scene) -> None:
    scene.run("sync")
    _leak(scene)
    scene.last = ("diff", "train", "test")


@situation("diff: a case was replaced by a copy after the sync")
def _diff_changed(scene: Scene) -> None:
    scene.run("sync")
    scene.put("test/p3.nii.gz", _GZ)
    scene.last = ("diff", "train", "test")


@situation("diff: a training case that was copied came after the sync")
def _diff_train(scene: Scene) -> None:
    scene.run("sync")
    scene.put("train/p9.nii.gz", (scene.root / "test/p3.nii.gz").read_bytes())
    scene.last = ("diff", "test", "train")


@situation("diff: a case of test went after the sync")
def _diff_gone(scene: Scene) -> None:
    scene.run("sync")
    (scene.root / "test/p3.nii.gz").unlink()
    scene.last = ("diff", "train", "test")


@situation("diff against a tag: a copy came after the sync")
def _diff_tag(scene: Scene) -> None:
    scene.run("sync")
    scene.run("tag", "v1")
    _leak(scene)
    scene.last = ("diff", "train@v1", "test")


# Files replaced without a trace in size and mtime


def _replaced(scene: Scene, seconds: int, *, by_rename: bool) -> None:
    for person in range(5):
        split = "train" if person < 3 else "test"
        (scene.root / f"{split}/p{person}.nii.gz").unlink()
        path = scene.put(f"{split}/p{person}.nii", nifti(person))
        os.utime(path, (seconds, seconds))
    scene.run("check")
    target = scene.root / "test/p3.nii"
    if by_rename:
        scene.put("test/new", _PLAIN).rename(target)
    else:
        target.write_bytes(_PLAIN)
    os.utime(target, (seconds, seconds))


for _seconds in (1_700_000_000, 0):
    SITUATIONS[f"replaced in place, equal size and mtime {_seconds}"] = lambda scene, s=_seconds: (
        _replaced(scene, s, by_rename=False)
    )
    SITUATIONS[f"replaced by rename, equal size and mtime {_seconds}"] = lambda scene, s=_seconds: (
        _replaced(scene, s, by_rename=True)
    )


# Caches edited


def _edited(scene: Scene, edit: Callable[[Path], None]) -> None:
    _leak(scene)
    scene.run("check")
    found = [path for path in (scene.root / ".dvdup").rglob("*") if path.is_file()]
    for path in found:
        if path.relative_to(scene.root / ".dvdup").parts[0] != "index":
            edit(path)


def _no_pairs(path: Path) -> None:
    if path.suffix == ".json":
        text = path.read_text(errors="replace")
        start, stop = text.find("["), text.rfind("]")
        document = None
        try:
            document = json.loads(text[text.find("{") :])
        except ValueError:
            if start >= 0:
                path.write_text(f"{text[:start]}[]{text[stop + 1 :]}")
        if isinstance(document, dict) and "pairs" in document:
            document["pairs"] = []
            path.write_text(text[: text.find("{")] + json.dumps(document))


def _no_verdicts(path: Path) -> None:
    import sqlite3

    if path.suffix in {".sqlite", ".db"}:
        base = sqlite3.connect(path)
        tables = base.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (name,) in tables:
            columns = [row[1] for row in base.execute(f"pragma table_info({name})")]
            if "verdict" in columns:
                base.execute(f"update {name} set verdict = null")
        base.commit()
        base.close()


@situation("results edited: no pairs")
def _results_edited(scene: Scene) -> None:
    _edited(scene, _no_pairs)


@situation("results emptied")
def _results_emptied(scene: Scene) -> None:
    _edited(scene, lambda path: path.write_bytes(b"") if path.suffix == ".json" else None)


@situation("pairs edited: no verdicts, results removed")
def _pairs_edited(scene: Scene) -> None:
    _edited(scene, _no_verdicts)
    shutil.rmtree(scene.root / ".dvdup/results", ignore_errors=True)


@situation("results of another dataset copied here")
def _foreign_results(scene: Scene) -> None:
    scene.run("check")
    clean = scene.root.parent / f"{scene.root.name}-clean"
    shutil.copytree(scene.root / ".dvdup", clean)
    _leak(scene)
    scene.run("check")
    for folder in ("results",):
        found = sorted((scene.root / ".dvdup" / folder).glob("*.json"))
        others = sorted((clean / folder).glob("*.json"))
        for path in found:
            for other in others[:1]:
                path.write_bytes(other.read_bytes())


# Running it


def sentence(done: subprocess.CompletedProcess[str], word: str) -> str:
    """The headline, and the line that names the hidden file where there is one."""
    lines = [line.strip() for line in (done.stdout + "\n" + done.stderr).splitlines()]
    lines = [line for line in lines if line]
    named = [line for line in lines if word and word in line]
    chosen = dict.fromkeys([*lines[:1], *named[:1]])
    return " / ".join(chosen).replace("|", "\\|")[:240]


def run_one(build: Build, dvdup: str) -> tuple[int, str]:
    """Exit code and sentence of one situation; -1 is a hang."""
    with tempfile.TemporaryDirectory() as place:
        scene = Scene(Path(place) / "data", dvdup)
        scene.root.mkdir()
        scene.base()
        before = {path.name for path in scene.root.rglob("*")}
        try:
            build(scene)
            done = scene.run(*scene.last)
        except subprocess.TimeoutExpired:
            return -1, "over 120 s"
        new = sorted({p.name for p in scene.root.rglob("*") if ".dvdup" not in p.parts} - before)
        if "Traceback" in done.stderr:
            return -2, f"traceback: {done.stderr.strip().splitlines()[-1][:200]}"
        return done.returncode, sentence(done, new[0] if new else "")


def told_together(names: Sequence[str], dvdup: str) -> dict[str, tuple[int, str]]:
    """Exit code and reason of each one-file situation, as one report tells them all.

    Those that the report does not tell are left out: they are to be run alone.
    """
    with tempfile.TemporaryDirectory() as place:
        scene = Scene(Path(place) / "data", dvdup)
        scene.root.mkdir()
        scene.base()
        for number, name in enumerate(names):
            file, data = FILES[name]
            scene.put(f"test/s{number:04}/{file}", data)
        scene.run("check", "--format", "json", "--output", "report.json")
        report = json.loads((scene.root / "report.json").read_text())
    told: dict[str, tuple[int, str]] = {}
    found = json.dumps(report["pairs"])
    reasons = {entry["case"]: entry["reason"] for entry in report["unreadable"]}
    for number, name in enumerate(names):
        mark = f"s{number:04}"
        said = [reason for case, reason in reasons.items() if mark in case.split("/")]
        if said:
            told[name] = (2, said[0].replace("|", "\\|").replace(f"test/{mark}/", "test/")[:240])
        elif f"{mark}/" in found:
            told[name] = (1, "found")
    return told


def main() -> None:
    """Print the table."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--only", default="", help="a pattern that the situations fit")
    parser.add_argument("--dvdup", default=str(Path(sys.executable).parent / "dvdup"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--together", action="store_true", help="first all one-file situations in one dataset"
    )
    asked = parser.parse_args()
    hidden = []
    print("| situation | exit code | sentence |\n|---|---|---|")
    wanted = {name: build for name, build in SITUATIONS.items() if re.search(asked.only, name)}
    files = [name for name in wanted if name in FILES] if asked.together else []
    told = told_together(files, asked.dvdup) if files else {}
    with ThreadPoolExecutor(asked.jobs) as pool:
        done = pool.map(lambda name: told.get(name) or run_one(wanted[name], asked.dvdup), wanted)
        for name, (code, text) in zip(wanted, done, strict=True):
            hidden += [name] * (code not in (1, 2))
            print(f"| {name} | {code} | {text} |", flush=True)
    print(f"\n{len(hidden)} pass as clean or do not end: {'; '.join(hidden) or 'none'}")
    sys.exit(1 if hidden else 0)


if __name__ == "__main__":
    main()
