"""PNG, JPEG and TIFF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813, the name everybody knows it by
import tifffile
from PIL import Image
from reader_scans import Read, hashes

from dvdup.errors import ReadError


def picture(shape: tuple[int, ...] = (6, 9), dtype: str = "u1", seed: int = 0) -> np.ndarray:
    top = 256 if dtype == "u1" else 60000
    return np.random.default_rng(seed).integers(0, top, shape).astype(dtype)


def test_axes(tmp_path: Path, read: Read) -> None:
    """X to the right, Y upwards: the first row of the file is the last of Y."""
    rows = picture()
    Image.fromarray(rows).save(tmp_path / "a.png")
    volume = read("a.png")
    assert volume.shape == (9, 6, 1)
    np.testing.assert_array_equal(volume.channels[0][:, -1, 0], rows[0])
    np.testing.assert_array_equal(volume.channels[0][0, :, 0], rows[::-1, 0])
    assert not volume.oriented


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("components", [0, 3])
def test_containers_agree(tmp_path: Path, read: Read, dtype: str, components: int) -> None:
    rows = picture((6, 9, components) if components else (6, 9), dtype)
    image = sitk.GetImageFromArray(rows, isVector=bool(components))
    sitk.WriteImage(image, str(tmp_path / "a.png"))
    tifffile.imwrite(tmp_path / "a.tif", rows)
    tifffile.imwrite(tmp_path / "b.tiff", rows, compression="zlib", byteorder=">", bigtiff=True)
    found = read("a.png")
    assert found.channels[0].dtype == np.dtype(dtype)
    assert len(found.channels) == (components or 1)
    assert hashes(found) == hashes(read("a.tif")) == hashes(read("b.tiff"))


def test_equal_colours_and_constant_alpha(tmp_path: Path, read: Read) -> None:
    grey = picture()
    full = np.full_like(grey, 255)
    variants = {
        "a.png": grey,
        "b.png": np.dstack([grey, grey, grey]),
        "c.png": np.dstack([grey, grey, grey, full]),
        "d.png": np.dstack([grey, full]),
    }
    for name, rows in variants.items():
        Image.fromarray(rows).save(tmp_path / name)
    tifffile.imwrite(tmp_path / "e.tif", np.dstack([grey, grey, grey]), photometric="rgb")
    found = [read(name) for name in [*variants, "e.tif"]]
    assert {len(volume.channels) for volume in found} == {1}
    assert len({tuple(hashes(volume)) for volume in found}) == 1


def test_alpha_is_no_channel(tmp_path: Path, read: Read) -> None:
    """Pictures of different scans share the alpha of a round field of view."""
    grey, alpha = picture(), picture(seed=1)
    Image.fromarray(np.dstack([grey, grey, grey, alpha])).save(tmp_path / "a.png")
    (channel,) = read("a.png").channels
    np.testing.assert_array_equal(channel[..., 0], grey[::-1].T)


def test_alpha_that_alone_shows_something_is_kept(tmp_path: Path, read: Read) -> None:
    black, alpha = np.zeros_like(picture()), picture(seed=1)
    Image.fromarray(np.dstack([black, black, black, alpha])).save(tmp_path / "a.png")
    assert len(read("a.png").channels) == 2


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_tag(tmp_path: Path, read: Read, turn: int) -> None:
    """EXIF in a JPEG and the TIFF tag turn the picture alike, as Pillow shows it."""
    rows = np.kron(picture((2, 3)), np.ones((8, 8), np.uint8))  # survives JPEG
    exif = Image.Exif()
    exif[274] = turn
    Image.fromarray(rows).save(tmp_path / "a.jpg", exif=exif, quality=100)
    with Image.open(tmp_path / "a.jpg") as opened:
        stored = np.asarray(opened)
    tifffile.imwrite(tmp_path / "a.tif", stored, extratags=[(274, "H", 1, turn, True)])
    assert hashes(read("a.jpg")) == hashes(read("a.tif"))
    assert read("a.jpg").shape == ((24, 16, 1) if turn < 5 else (16, 24, 1))


def test_turned_by_90_degrees(tmp_path: Path, read: Read) -> None:
    """Orientation 6 says that the first row is the right side."""
    rows = picture()
    tifffile.imwrite(tmp_path / "a.tif", rows, extratags=[(274, "H", 1, 6, True)])
    Image.fromarray(np.rot90(rows, -1)).save(tmp_path / "a.png")
    assert hashes(read("a.tif")) == hashes(read("a.png"))


def test_palette(tmp_path: Path, read: Read) -> None:
    indices = picture() % 4
    table = np.array([[0, 0, 0], [10, 20, 30], [200, 100, 0], [255, 255, 255]], np.uint8)
    image = Image.fromarray(indices, mode=None).convert("P")
    image.putdata(indices.ravel())
    image.putpalette(table.ravel().tolist())
    image.save(tmp_path / "a.png")
    Image.fromarray(table[indices]).save(tmp_path / "b.png")
    colormap = np.zeros((3, 256), np.uint16)
    colormap[:, :4] = table.T.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "c.tif", indices, photometric="palette", colormap=colormap)
    assert hashes(read("a.png")) == hashes(read("b.png")) == hashes(read("c.tif"))


def test_one_bit(tmp_path: Path, read: Read) -> None:
    bits = picture() > 100
    Image.fromarray(bits).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read("a.png").channels[0][:, ::-1, 0].T, bits * 255)


def test_pages_are_slices(tmp_path: Path, read: Read) -> None:
    stack = picture((5, 6, 9), "u2")
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    volume = read("a.tif")
    assert volume.shape == (9, 6, 5)
    np.testing.assert_array_equal(volume.channels[0][:, ::-1, 2].T, stack[2])


def test_imagej_channels(tmp_path: Path, read: Read) -> None:
    stack = picture((5, 2, 6, 9), "u2")
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZCYX"})
    volume = read("a.tif")
    assert (volume.shape, len(volume.channels)) == ((9, 6, 5), 2)
    np.testing.assert_array_equal(volume.channels[1][:, ::-1, 3].T, stack[3, 1])


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_truncated(tmp_path: Path, read: Read, name: str) -> None:
    Image.fromarray(picture((60, 90))).save(tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-1500])
    with pytest.raises(ReadError, match=rf"^{name}: .*(cannot be decoded|truncated)"):
        read(name)


# Stacks: every page is read, or the file is told


def by_writer(path: Path, stack: np.ndarray) -> None:
    with tifffile.TiffWriter(path) as writer:
        for page in stack:
            writer.write(page)


def by_append(path: Path, stack: np.ndarray) -> None:
    for page in stack:
        tifffile.imwrite(path, page, append=True)


def by_pillow(path: Path, stack: np.ndarray, compression: str | None = None) -> None:
    first, *others = [Image.fromarray(page) for page in stack]
    first.save(path, save_all=True, append_images=others, compression=compression)


def by_zlib(path: Path, stack: np.ndarray) -> None:
    tifffile.imwrite(path, stack, compression="zlib", photometric="minisblack")


def by_lzw(path: Path, stack: np.ndarray) -> None:
    by_pillow(path, stack, "tiff_lzw")


def as_ome(path: Path, stack: np.ndarray) -> None:
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(stack, photometric="minisblack", metadata={"axes": "ZYX"})


WRITERS = [by_writer, by_append, by_pillow, by_zlib, by_lzw, as_ome]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_pages_are_one_stack_whoever_wrote_them(
    tmp_path: Path, read: Read, write: Callable[[Path, np.ndarray], None], dtype: str
) -> None:
    stack = picture((5, 6, 9), dtype)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    write(tmp_path / "b.tif", stack)
    assert read("b.tif").shape == (9, 6, 5)
    assert hashes(read("b.tif")) == hashes(read("a.tif"))


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9, 0.99])
def test_a_cut_stack_is_never_a_shorter_one(
    tmp_path: Path, read: Read, write: Callable[[Path, np.ndarray], None], share: float
) -> None:
    write(tmp_path / "a.tif", picture((8, 40, 50)))
    whole = hashes(read("a.tif"))
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[: int(share * len(data))])
    try:
        found = hashes(read("a.tif"))
    except ReadError:
        return
    assert found == whole  # what was cut off held no voxels


def test_a_broken_chain_of_pages(tmp_path: Path, read: Read) -> None:
    by_append(tmp_path / "a.tif", picture((3, 6, 9)))
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[:-100])
    with pytest.raises(ReadError, match=r"^a\.tif: truncated"):
        read("a.tif")


def test_pages_of_two_sizes(tmp_path: Path, read: Read) -> None:
    for shape in ((6, 9), (7, 8)):
        tifffile.imwrite(tmp_path / "a.tif", picture(shape), append=True)
    with pytest.raises(ReadError, match=r"holds 2 pictures of different sizes .*\(9 x 6, 8 x 7\)"):
        read("a.tif")


def test_a_thumbnail_is_left_out_and_noted(tmp_path: Path, read: Read) -> None:
    rows = picture()
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(rows[::2, ::2], subfiletype=1)
        writer.write(rows)
    volume = read("a.tif")
    np.testing.assert_array_equal(volume.channels[0][:, ::-1, 0].T, rows)
    assert volume.notes == ("1 reduced or mask pages are left out",)


def shrunk(rows: np.ndarray, times: int) -> np.ndarray:
    height, width = (n // times for n in rows.shape)
    blocks = rows.reshape(height, times, width, times).mean(axis=(1, 3))
    return np.asarray(np.rint(blocks).astype(rows.dtype))


def smooth(shape: tuple[int, ...] = (40, 60), seed: int = 0) -> np.ndarray:
    return np.kron(
        picture((shape[0] // 10, shape[1] // 10), seed=seed), np.ones((10, 10), np.uint8)
    )


@pytest.mark.parametrize("first", [True, False])
def test_a_thumbnail_that_nothing_marks(tmp_path: Path, read: Read, first: bool) -> None:
    rows = smooth()
    pages = [np.dstack([shrunk(rows, 4)] * 3), rows]
    for page in pages if first else pages[::-1]:
        tifffile.imwrite(tmp_path / "a.tif", page, append=True)
    Image.fromarray(rows).save(tmp_path / "a.png")
    volume = read("a.tif")
    assert hashes(volume) == hashes(read("a.png"))
    assert volume.notes == ("thumbnails of other pages are left out (1)",)


def test_a_thumbnail_of_a_stack(tmp_path: Path, read: Read) -> None:
    stack = np.stack([smooth(seed=seed) for seed in range(3)])
    tifffile.imwrite(tmp_path / "a.tif", shrunk(stack[1], 2))
    tifffile.imwrite(tmp_path / "a.tif", stack, append=True, photometric="minisblack")
    tifffile.imwrite(tmp_path / "b.tif", stack, photometric="minisblack")
    assert hashes(read("a.tif")) == hashes(read("b.tif"))


def test_a_small_picture_of_something_else_is_no_thumbnail(tmp_path: Path, read: Read) -> None:
    for page in (shrunk(smooth(seed=1), 4), smooth()):
        tifffile.imwrite(tmp_path / "a.tif", page, append=True)
    with pytest.raises(ReadError, match=r"holds 2 pictures of different sizes .*save each in a"):
        read("a.tif")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("colours", [False, True])
def test_ome_images_are_channels(
    tmp_path: Path, read: Read, compression: str | None, colours: bool
) -> None:
    """As slices of one stack, neither would be found."""
    shape = (20, 30, 3) if colours else (20, 30)
    images = [picture(shape, seed=seed) for seed in range(2)]
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=True) as writer:
        for image in images:
            writer.write(image, compression=compression)
    wanted: list[str | None] = []
    for image in images:
        Image.fromarray(image).save(tmp_path / "a.png")
        wanted += hashes(read("a.png"))
    volume = read("a.tif")
    assert hashes(volume) == wanted
    assert volume.notes == ("OME-TIFF of 2 images: each is a channel",)


def test_ome_images_of_a_compression_that_pillow_reads(tmp_path: Path, read: Read) -> None:
    images = [picture((20, 30), seed=seed) for seed in range(2)]
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=True) as writer:
        for image in images:
            writer.write(image)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        described = tiff.ome_metadata
    first, second = map(Image.fromarray, images)
    options = {"save_all": True, "append_images": [second], "compression": "tiff_lzw"}
    first.save(tmp_path / "b.tif", tiffinfo={270: described}, **options)
    assert hashes(read("b.tif")) == hashes(read("a.tif"))
    assert len(read("b.tif").channels) == 2


def test_ome_images_that_are_stacks(tmp_path: Path, read: Read) -> None:
    stacks = [picture((4, 20, 30), seed=seed) for seed in range(2)]
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=True) as writer:
        for stack in stacks:
            writer.write(stack, photometric="minisblack", metadata={"axes": "ZYX"})
    wanted: list[str | None] = []
    for stack in stacks:
        tifffile.imwrite(tmp_path / "b.tif", stack, photometric="minisblack")
        wanted += hashes(read("b.tif"))
    assert hashes(read("a.tif")) == wanted


def test_ome_images_of_two_sizes(tmp_path: Path, read: Read) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=True) as writer:
        for shape in ((20, 30), (25, 30)):
            writer.write(picture(shape))
    with pytest.raises(ReadError, match=r"different sizes or kinds \(30 x 20, 30 x 25\)"):
        read("a.tif")


def test_a_compression_that_nobody_reads(tmp_path: Path, read: Read) -> None:
    tifffile.imwrite(tmp_path / "a.tif", picture())
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = data.index(b"\x03\x01\x03\x00\x01\x00\x00\x00\x01\x00")
    data[at + 8 : at + 10] = (34676).to_bytes(2, "little")  # SGI LogLuv
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(ReadError, match=r"cannot decode this TIFF \(compression SGILOG"):
        read("a.tif")


# Other formats


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".bmp", ".jp2", ".pgm", ".jfif"])
def test_other_formats(tmp_path: Path, read: Read, suffix: str) -> None:
    rows = np.kron(picture((2, 3)), np.ones((16, 16), np.uint8))
    options = {".webp": {"lossless": True}, ".jfif": {"quality": 100}}.get(suffix, {})
    Image.fromarray(rows).save(tmp_path / f"a{suffix}", **options)
    found = read(f"a{suffix}").channels
    assert len(found) == 1
    assert np.abs(found[0][:, ::-1, 0].T.astype(int) - rows).max() <= (
        2 if suffix == ".jfif" else 0
    )


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_frames_are_slices(tmp_path: Path, read: Read, suffix: str) -> None:
    stack = picture((4, 16, 20))
    first, *others = [Image.fromarray(page) for page in stack]
    options = {} if suffix == ".gif" else {"lossless": True}
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=others, **options)
    volume = read(f"a{suffix}")
    assert (volume.shape, len(volume.channels)) == ((20, 16, 4), 1)
    np.testing.assert_array_equal(volume.channels[0][:, ::-1, 2].T, stack[2])


def test_a_picture_too_big_for_its_file(tmp_path: Path, read: Read) -> None:
    Image.new("RGBA", (12000, 12000)).save(tmp_path / "a.png")
    with pytest.raises(ReadError, match=r"would become 576 MB in memory"):
        read("a.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".gif", ".tif"])
def test_a_damaged_picture_is_told_without_its_folder(
    tmp_path: Path, read: Read, suffix: str
) -> None:
    Image.fromarray(picture((60, 90))).save(tmp_path / f"a{suffix}")
    data = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(data[:14] + bytes(20) + data[60:200])
    with pytest.raises(ReadError) as caught:
        read(f"a{suffix}")
    assert str(tmp_path) not in str(caught.value)
    assert str(tmp_path.parent) not in str(caught.value)
