"""Pictures: against the slices of a volume, and against one another."""

from __future__ import annotations

import io

import numpy as np
import pytest
from heads import channel, head
from PIL import Image, ImageDraw

from dvdup.compare import pictures
from dvdup.compare.pair import PairJob, judge_pair, measure_pair
from dvdup.errors import ReadError

SHAPE, SPACING = (72, 84, 66), (1.2, 1.2, 2.0)


def grey(flat: np.ndarray) -> np.ndarray:
    low, high = np.percentile(flat, (0.5, 99.5))
    return np.clip((flat - low) / (high - low) * 255, 0, 255).astype(np.uint8)


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(io.BytesIO(stream.getvalue())))


def written_on(picture: np.ndarray) -> np.ndarray:
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text((3, 3), "R 12", fill=255)
    return np.asarray(image)


def larger(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((150, 150)))


EXPORTS = {
    "as it is": lambda picture: picture,
    "square": larger,
    "jpeg": lambda picture: jpeg(picture, 75),
    "as a viewer turns it": lambda picture: np.rot90(picture)[:, ::-1],
    "a quarter turn, larger": lambda picture: larger(np.rot90(picture)),
}


@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize(("axis", "index"), [(0, 30), (1, 50), (2, 21)])
@pytest.mark.parametrize("picture_first", [False, True])
def test_a_picture_is_a_slice_of_its_volume(name, axis, index, picture_first):
    """Failed before: 2 of 6 pictures of slices of real heads were found, without the slice."""
    values = head(3, SHAPE)
    volume, picture = (
        channel(values, SPACING),
        channel(EXPORTS[name](grey(values.take(index, axis)))),
    )
    pair = (picture, volume) if picture_first else (volume, picture)
    judged = judge_pair(PairJob(*pair)).found
    assert judged.decision.verdict == "partial"
    plane, found = judged.inside.slices[picture_first]
    assert (plane, found) == (2 - axis, index)
    assert judged.inside.slices[not picture_first] == (0, 0)


@pytest.mark.parametrize(("axis", "index"), [(0, 30), (1, 50), (2, 21)])
def test_a_slice_of_somebody_else_is_none(axis, index):
    picture = channel(grey(head(4, SHAPE).take(index, axis)))
    assert (
        judge_pair(PairJob(channel(head(3, SHAPE), SPACING), picture)).found.decision.verdict
        is None
    )


def test_the_place_of_a_picture_is_one_in_the_volume():
    """The middle of slice 40 of 66 lies 7.5 slices of 2 mm above the middle of the volume."""
    values = head(3, SHAPE)
    volume, picture = channel(values, SPACING), channel(grey(values.take(40, 2)))
    place = judge_pair(PairJob(volume, picture)).found.evidence.place
    middle = place @ np.array([0, 0, 7.5 * 2.0, 1])
    np.testing.assert_allclose(middle[:3], 0, atol=0.3)
    back = judge_pair(PairJob(picture, volume)).found.evidence.place
    np.testing.assert_allclose((back @ np.array([0, 0, 0, 1]))[:3], [0, 0, 15], atol=0.3)


CHANGES = {
    "flipped": lambda picture: picture[:, ::-1],
    "cropped": lambda picture: picture[5:-7, 8:-5],
    "jpeg 20": lambda picture: jpeg(picture, 20),
    "text": written_on,
    "resized": larger,
    "a black border": lambda picture: np.pad(picture, ((20, 20), (28, 28))),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_pictures_are_copies(name):
    picture = grey(head(5, (110, 100, 60)).take(28, 2))
    pair = channel(picture), channel(CHANGES[name](picture))
    assert judge_pair(PairJob(*pair)).found.decision.verdict in ("identical", "near", "partial")


@pytest.mark.parametrize("name", CHANGES)
def test_changed_pictures_of_others_are_none(name):
    ours = grey(head(5, (110, 100, 60)).take(28, 2))
    theirs = CHANGES[name](grey(head(6, (110, 100, 60)).take(28, 2)))
    assert judge_pair(PairJob(channel(ours), channel(theirs))).found.decision.verdict is None


class Away:
    """A channel whose file is not the one that was indexed, or cannot be read."""

    def __init__(self, channel, error: Exception | None = None) -> None:
        self.shape, self.spacing, self.proxy = channel.shape, channel.spacing, channel.proxy
        self._error = error

    def full(self):
        if self._error is not None:
            raise self._error
        return None


@pytest.mark.parametrize("error", [None, ReadError("x.png: damaged")])
@pytest.mark.parametrize("side", [0, 1], ids=["picture", "volume"])
@pytest.mark.parametrize("judge", [judge_pair, measure_pair])
def test_what_cannot_be_read_is_told_and_never_passes(error, side, judge):
    """Failed before: a picture that had gone passed for no copy of a volume that was known."""
    values = head(7 + side, SHAPE)
    pair = [channel(grey(values.take(30, 2))), channel(values, SPACING)]
    if side == 0:
        judge(PairJob(*pair))  # the volume is known from now on
    pair[side] = Away(pair[side], error)
    seen = judge(PairJob(*pair))
    assert not seen.with_files
    assert seen.failed[side] == ("" if error is None else str(error))
    assert seen.away[side] == (error is None)


def test_a_volume_too_big_for_the_memory_is_told(monkeypatch):
    def full(scan):
        raise MemoryError

    monkeypatch.setattr(pictures, "_volume", full)
    values = head(9, SHAPE)
    seen = judge_pair(PairJob(channel(grey(values.take(30, 2))), channel(values, SPACING)))
    assert "memory" in seen.failed[0]
