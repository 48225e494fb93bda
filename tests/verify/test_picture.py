import io

import numpy as np
from PIL import Image

from dvdup.verify import Matrix, Scan, draw, terminal
from dvdup.verify.order import Track, fit

SIZE = (2.0, 2.0, 2.0)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_a_copy_leaves_no_difference_and_a_stranger_does(person):
    scan, other = Scan(person(1), SIZE), Scan(person(2), SIZE)
    same = pixels(draw(scan, scan, np.eye(4), ("train/one", "test/copy")))
    apart = pixels(draw(scan, other, np.eye(4), ("train/one", "test/two")))
    column = slice(470, 680)
    colour = [np.abs(each[30:, column, 0] - each[30:, column, 2]).mean() for each in (same, apart)]
    assert colour[0] < 6 < colour[1]


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
