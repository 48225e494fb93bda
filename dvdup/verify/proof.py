"""What resembles others whoever it shows: too few voxels, and pages of text.

Two volumes of 12 x 12 x 12 voxels of different people agree well, and the dose reports of two
patients differ in a few digits. That they are alike proves nothing; that they are equal still does.
"""

from __future__ import annotations

import numpy as np

from dvdup.verify.scans import Scan
from dvdup.voxels import is_flat

FEWEST = 16**3
"""Voxels of a volume from which structures say whose it is."""
_LEVELS = 16  # grey levels, one of which is the ground of a page
_GROUND = 0.5  # of its pixels
_STROKE = 0.025  # of its longest side; no stroke of a letter is as wide
_LEFT = 0.1  # of what stands on the ground; more than strokes where as much is wider
_LETTERS = 40  # pieces that stand on the ground
_EVEN = 0.01  # of the range: pixels of the ground differ less


def proves_nothing(scan: Scan) -> bool:
    """Whether a scan resembles many others whoever it shows.

    Args:
        scan: A volume or a picture; a proxy that left something out is of a scan large enough.
    """
    if not is_flat(scan.values.shape):
        return scan.full and scan.values.size < FEWEST
    return _is_page(scan.values)


def _is_page(picture: np.ndarray) -> bool:
    """Whether a picture is an even ground with strokes on it: letters, rulers, tables."""
    from scipy import ndimage

    pixels = np.nan_to_num(picture.squeeze())
    if pixels.ndim != 2 or pixels.min() == pixels.max():
        return False
    counts, edges = np.histogram(pixels, _LEVELS)
    ground = int(counts.argmax())
    middle = float(np.median(pixels[(pixels >= edges[ground]) & (pixels <= edges[ground + 1])]))
    even = np.abs(pixels - middle) < _EVEN * (edges[-1] - edges[0])
    if even.sum() < _GROUND * pixels.size:
        return False
    # letters fade into the ground
    above = (pixels > edges[min(_LEVELS, ground + 2)]) | (pixels < edges[max(0, ground - 1)])
    width = max(5, round(_STROKE * max(pixels.shape)))
    wide = ndimage.binary_opening(above, np.ones((width, width), bool))
    pieces = int(ndimage.label(above, np.ones((3, 3)))[1])
    return pieces >= _LETTERS and bool(wide.sum() < _LEFT * above.sum())
