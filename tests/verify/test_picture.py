import io

import numpy as np
import pytest
from PIL import Image

from dvdup.records import Embedded
from dvdup.verify import Matrix, Scan, draw, matrix_of, terminal
from dvdup.verify.order import Track, fit
from dvdup.verify.picture import SIDE

SIZE = (2.0, 2.0, 2.0)


DIFFERENCE = slice(24 + 2 * SIDE, 24 + 3 * SIDE)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_a_copy_leaves_no_difference_and_a_stranger_does(person):
    scan, other = Scan(person(1), SIZE), Scan(person(2), SIZE)
    same = pixels(draw(scan, scan, np.eye(4), ("train/one", "test/copy")))
    apart = pixels(draw(scan, other, np.eye(4), ("train/one", "test/two")))
    colour = [
        np.abs(each[60:, DIFFERENCE, 0] - each[60:, DIFFERENCE, 2]).mean() for each in (same, apart)
    ]
    assert colour[0] < 1 < 6 < colour[1]


def test_a_crop_is_drawn_where_it_belongs(person):
    whole = person(1)
    part = Scan(whole[:, :30, :], SIZE)
    place = np.eye(4)
    place[1, 3] = (whole.shape[1] - 30) / 2 * SIZE[1]  # the centre of the crop lies further front
    drawn = pixels(draw(Scan(whole, SIZE), part, place, ("a", "b")))[60:, DIFFERENCE]
    moved = pixels(draw(Scan(whole, SIZE), part, np.eye(4), ("a", "b")))[60:, DIFFERENCE]
    assert (drawn == (16, 20, 48)).all(axis=-1).mean() > 0.2  # what the crop does not show
    assert np.abs(drawn[..., 0] - drawn[..., 2])[(drawn != (16, 20, 48)).all(axis=-1)].mean() < 1
    assert np.abs(moved[..., 0] - moved[..., 2]).mean() > 20


def test_all_planes_are_in_one_scale(person):
    """Half the spacing along z: the coronal and sagittal slices are half as high."""
    scan, flat = Scan(person(1), SIZE), Scan(person(1), (2.0, 2.0, 1.0))
    heights = [pixels(draw(each, each, np.eye(4), ("a", "b"))).shape[0] for each in (scan, flat)]
    scale = SIDE / person(1).shape[1]
    assert heights[0] - heights[1] == pytest.approx(person(1).shape[2] * scale, abs=3)


def test_planes_that_make_no_picture_are_left_out(person):
    single = Scan(person(1)[:, :, 20:21], (2.0, 2.0, 5.0))
    assert pixels(draw(single, single, np.eye(4), ("a", "b"))).shape[0] < SIDE + 100


def test_words_are_wrapped_above(person):
    scan = Scan(person(1), SIZE)
    plain = pixels(draw(scan, scan, np.eye(4), ("a", "b")))
    told = pixels(draw(scan, scan, np.eye(4), ("a", "b"), words=("so many words " * 30,)))
    assert told.shape[1] == plain.shape[1]
    assert told.shape[0] > plain.shape[0] + 40
    assert (told[:, -8:] == 32).all()  # nothing is cut off at the edge


def test_same_bytes_twice(person):
    scan = Scan(person(1), SIZE)
    assert draw(scan, scan, np.eye(4), ("a", "b")) == draw(scan, scan, np.eye(4), ("a", "b"))


def test_the_line_is_drawn_over_the_matrix(person):
    scan = Scan(person(1), SIZE)
    similarity = np.eye(30) * 0.5 + 0.4
    track = Track(0, np.arange(30), np.arange(30) * 3.0)
    matrix = Matrix(similarity, track, track, fit(similarity, track, track))
    drawn = pixels(draw(scan, scan, np.eye(4), ("a", "b"), matrix))
    assert (drawn == (255, 140, 0)).all(axis=-1).sum() > 80
    assert drawn.shape[1] > pixels(draw(scan, scan, np.eye(4), ("a", "b"))).shape[1]


def test_odd_scans_are_drawn(person):
    empty = Scan(np.zeros((5, 6, 1), np.float32), (1.0, 1.0, 4.0))
    holed = Scan(np.where(person(1) > 900, np.nan, person(1)), SIZE)
    far = np.eye(4)
    far[0, 3] = 1e4
    assert pixels(draw(empty, holed, far, ("x" * 200, "Ångström"))).size


def test_terminal_shows_both_side_by_side(person):
    scan = Scan(person(1), SIZE)
    lines = terminal(scan, scan, np.eye(4), width=60).splitlines()
    assert 10 < len(lines) < 40
    assert max(map(len, lines)) <= 60
    middle = lines[len(lines) // 2]
    left, right = middle.split(" | ")
    assert left.rstrip() == right.rstrip()
    assert left.strip()


def test_terminal_has_titles_and_is_never_too_high(person):
    tall = Scan(person(1, (12, 60, 12)), (1.0, 4.0, 1.0))
    lines = terminal(tall, tall, np.eye(4), 100, ("train/" + "x" * 200 + "end", "b")).splitlines()
    assert len(lines) <= 41
    assert lines[0].split(" | ")[0].startswith("...")
    assert lines[0].split(" | ")[0].endswith("nd")


def rows(similar: np.ndarray, plane: int, channel: int = 0) -> Embedded:
    n = len(similar)
    index = np.arange(n, dtype=np.int32)
    return Embedded(
        similar.astype(np.float32),
        np.full(n, channel, np.int16),
        np.full(n, plane, np.uint8),
        index,
        index * np.float32(2),
    )


def ridge(n: int) -> np.ndarray:
    """Unit rows, each like its neighbours and unlike the others."""
    away = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    vectors = np.linalg.cholesky(np.exp(-((away / 1.5) ** 2)) + 1e-6 * np.eye(n))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_matrix_has_the_line_of_a_copy():
    matrix = matrix_of(rows(ridge(20), 0), rows(ridge(20), 0), np.eye(4))
    assert matrix is not None
    assert matrix.similarity.shape == (20, 20)
    assert matrix.line is not None
    assert matrix.line.slope == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("plane", "place"),
    [(1, np.eye(4)), (0, np.diag([1.0, 1, -1, 1]))],
    ids=["other plane", "other way"],
)
def test_a_line_that_the_placement_contradicts_is_chance(plane, place):
    matrix = matrix_of(rows(ridge(20), 0), rows(ridge(20), plane), place)
    assert matrix is None or matrix.line is None


def test_an_exchange_of_axes_exchanges_planes():
    turned = np.eye(4)[[1, 0, 2, 3]]  # left-right of a runs along front-back of b
    matrix = matrix_of(rows(ridge(20), 2), rows(ridge(20), 1), turned)
    assert matrix is not None
    assert matrix.line is not None
    assert (matrix.line.plane_a, matrix.line.plane_b) == (2, 1)


def test_too_few_slices_make_no_matrix():
    assert matrix_of(rows(ridge(20)[:4], 0), rows(ridge(20), 0), np.eye(4)) is None
