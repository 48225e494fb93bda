"""Scans in a large frame, of nothing or of noise, are compared by what they show."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from heads import channel, head

from dvdup.compare.cut_outs import cut_outs
from dvdup.compare.extents import assumptions
from dvdup.compare.pair import PairJob, judge_pair

SPACING = (1.5, 1.0, 2.0)


def framed(values, share=0.75, noise=0.0, off=(3, -4, 5)):
    """In a frame that is wider by a share of each side on both sides; and where it begins there."""
    n = np.array(values.shape)
    starts = (share * n).astype(int) + off
    wide = np.abs(np.random.default_rng(0).normal(size=(n + 2 * (share * n)).astype(int))) * noise
    wide[tuple(slice(a, a + m) for a, m in zip(starts, n, strict=True))] = values
    return np.asfortranarray(wide, np.float32)


@pytest.mark.parametrize("noise", [0.0, 2.0, 10.0])
@pytest.mark.parametrize("framed_first", [False, True])
def test_a_copy_in_a_large_frame_is_found(noise, framed_first):
    """Failed before, but for black frames: too few voxels were left for what both show."""
    pair = [channel(head(1), SPACING), channel(framed(head(1), noise=noise), SPACING)]
    judged = judge_pair(PairJob(*(pair[::-1] if framed_first else pair))).found
    assert judged.decision.verdict in ("near", "identical")
    place = np.linalg.inv(judged.evidence.place) if framed_first else judged.evidence.place
    np.testing.assert_allclose(place[:3, 3], np.array([3, -4, 5]) * SPACING, atol=1.0)


@pytest.mark.parametrize("noise", [0.0, 10.0])
def test_others_in_a_large_frame_are_no_copies(noise):
    pair = channel(head(1), SPACING), channel(framed(head(2), noise=noise), SPACING)
    assert judge_pair(PairJob(*pair)).found.decision.verdict is None


def test_both_in_frames_of_their_own():
    pair = [
        channel(framed(head(1), noise=8.0, off=off), SPACING) for off in ((3, 3, 3), (-5, 0, 2))
    ]
    assert judge_pair(PairJob(*pair)).found.decision.verdict == "near"


def test_without_a_large_frame_nothing_is_cut():
    assert cut_outs(channel(head(1)), channel(framed(head(2), share=0.2))) is None
    assert len(list(assumptions(channel(head(1)), channel(head(1))))) == 1


def test_pictures_are_not_cut():
    picture = np.zeros((200, 200))
    picture[90:110, 90:110] = np.random.default_rng(0).uniform(50, 90, (20, 20))
    assert cut_outs(channel(picture), channel(picture)) is None


@pytest.mark.parametrize("share", [0.75, 1.5])
def test_a_cut_out_lies_where_it_lay(share):
    """The proxy and the whole scan hold the same part, about the centre that they say."""
    values = framed(head(1, (40, 44, 36)), share)
    _, cut = cut_outs(channel(head(1)), channel(values, SPACING))
    for scan in (cut.proxy(), cut.full()):
        assert np.prod(scan.values.shape) < 0.35 * np.prod(values.shape)
        inside = np.array(np.nonzero(scan.values > 60)).mean(axis=1)
        middle = (inside - (np.array(scan.values.shape) - 1) / 2) * scan.spacing + scan.centre
        seen = np.array(np.nonzero(values > 60)).mean(axis=1)
        truth = (seen - (np.array(values.shape) - 1) / 2) * SPACING
        np.testing.assert_allclose(middle, truth, atol=1.5)
    assert (cut.shape, cut.spacing) == (values.shape, SPACING)
    assert cut.resized((1.0, 1.0, 1.0)).proxy().values.shape == cut.proxy().values.shape


def test_a_file_that_cannot_be_had_is_not_cut():
    lost = SimpleNamespace(
        shape=(80, 80, 80),
        spacing=SPACING,
        proxy=channel(framed(head(1)), SPACING).proxy,
        full=lambda: None,
    )
    _, cut = cut_outs(channel(head(1)), lost)
    assert cut.full() is None
