import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.records import Embedded
from dvdup.verify import align
from dvdup.verify.order import Track, fit


def walk(n: int, seed: int = 0, dimensions: int = 24) -> np.ndarray:
    """Unit rows that change slowly, as the slices of a scan do."""
    rng = np.random.default_rng(seed)
    rows = np.cumsum(rng.normal(size=(n, dimensions)), axis=0) + rng.normal(size=dimensions)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def track(n: int, step: float = 3.0, first: int = 0, every: int = 1) -> Track:
    index = first + every * np.arange(n)
    return Track(0, index, index * step / every)


def noisy(rows: np.ndarray, seed: int = 9, share: float = 0.1) -> np.ndarray:
    spread = np.random.default_rng(seed).normal(size=rows.shape) * share / np.sqrt(rows.shape[1])
    return (rows + spread) / np.linalg.norm(rows + spread, axis=1, keepdims=True)


WHOLE = walk(60)


def test_slab():
    copy = noisy(WHOLE[20:45])
    line = fit(copy @ WHOLE.T, track(25), track(60))
    assert line.slope == pytest.approx(1, abs=0.02)
    assert line.offset_mm == pytest.approx(60, abs=1.5)
    assert not line.mirrored
    assert line.slices_a[0] <= 1
    assert line.slices_a[1] >= 23
    assert line.slices_b[0] == pytest.approx(20, abs=1)
    assert line.slices_b[1] == pytest.approx(44, abs=1)
    assert line.inliers > 0.9


def test_mirrored():
    line = fit(noisy(WHOLE[::-1]) @ WHOLE.T, track(60), track(60))
    assert line.mirrored
    assert line.signed_slope == pytest.approx(-1, abs=0.02)
    assert line.offset_mm == pytest.approx(59 * 3, abs=2)
    assert line.slices_b[0] > line.slices_b[1]


def test_every_third_slice_under_a_right_and_a_lost_spacing():
    copy = noisy(WHOLE[::3])
    right = fit(copy @ WHOLE.T, track(20, step=9.0), track(60))
    assert right.slope == pytest.approx(1, abs=0.02)
    lost = fit(copy @ WHOLE.T, track(20, step=1.0), track(60, step=1.0))
    assert lost.slope == pytest.approx(3, abs=0.06)


def test_somebody_else_scores_lower():
    copy = fit(noisy(WHOLE) @ WHOLE.T, track(60), track(60))
    other = fit(walk(60, seed=5) @ WHOLE.T, track(60), track(60))
    assert copy.score > 0.2
    assert other is None or other.score < 0.5 * copy.score


def test_few_slices_give_no_line():
    assert fit(WHOLE[:3] @ WHOLE.T, track(3), track(60)) is None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 30), st.integers(18, 30), st.booleans())
def test_exchanging_the_sides_inverts_the_line(start, n, flip):
    part = noisy(WHOLE[start : start + n])
    part = part[::-1] if flip else part
    forth = fit(part @ WHOLE.T, track(n), track(60))
    back = fit(WHOLE @ part.T, track(60), track(n))
    assert forth.mirrored == back.mirrored == flip
    assert forth.signed_slope * back.signed_slope == pytest.approx(1, abs=0.05)
    assert back.signed_slope * forth.offset_mm + back.offset_mm == pytest.approx(0, abs=3)


def embedded(rows: dict[int, np.ndarray]) -> Embedded:
    plane = np.concatenate([np.full(len(r), p, np.uint8) for p, r in rows.items()])
    index = np.concatenate([np.arange(len(r), dtype=np.int32) for r in rows.values()])
    return Embedded(
        np.concatenate(list(rows.values())).astype(np.float32),
        np.zeros(len(plane), np.int16),
        plane,
        index,
        (index * 3.0).astype(np.float32),
    )


def test_planes_exchanged_under_a_wrong_header():
    axial, coronal, sagittal = WHOLE, walk(50, 1), walk(55, 2)
    source = embedded({0: axial, 1: coronal, 2: sagittal})
    copy = embedded({0: noisy(sagittal), 1: noisy(axial), 2: noisy(coronal)})
    best = {line.plane_a: line.plane_b for line in reversed(align(copy, source))}
    assert best == {0: 2, 1: 0, 2: 1}
    assert align(copy, source)[0].slope == pytest.approx(1, abs=0.02)
