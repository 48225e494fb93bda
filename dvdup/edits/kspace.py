"""What a faster acquisition leaves of a scan."""

from __future__ import annotations

import numpy as np

from dvdup.edits.scan import Done, Scan

_CENTRE = 0.32  # of the lines that are kept lie in the middle


def undersample(scan: Scan, factor: float, rng: np.random.Generator) -> Done:
    """Keep one line of k-space in `factor`: the middle, and others at random; magnitudes.

    Lines lie across one axis of the slices. Lines kept by a stronger factor are kept by a weaker
    one as well.
    """
    from scipy import fft

    axis = int(rng.choice(scan.in_plane))
    n = scan.values.shape[axis]
    order = rng.permutation(n)
    if n == 1:
        return Done(scan.values, {"unchanged": "one line is all there is"})
    kept = _kept_lines(order, n, factor)
    lowest = scan.values.min()
    lines = fft.fft(scan.values - lowest, axis=axis)
    lines *= np.expand_dims(kept, [each for each in range(3) if each != axis])
    values = np.abs(fft.ifft(lines, axis=axis)) + lowest
    return Done(values, {"axis": axis, "lines": int(kept.sum())})


def _kept_lines(order: np.ndarray, n: int, factor: float) -> np.ndarray:
    """Whether each is kept: bool (n,) in the order of the transform, lowest frequency first."""
    wanted = max(1, round(n / factor))
    frequencies = np.minimum(np.arange(n), n - np.arange(n))
    middle = np.argsort(frequencies, kind="stable")[: max(1, round(wanted * _CENTRE))]
    kept = np.zeros(n, bool)
    kept[middle] = True
    others = order[~kept[order]][: wanted - len(middle)]
    kept[others] = True
    return kept
