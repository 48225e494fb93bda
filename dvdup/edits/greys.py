"""Edits that change values and leave every voxel in its place."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from dvdup.edits.scan import Done, Scan, sign, unit


def noise(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Add gaussian noise of deviation `share` of the range."""
    noise = rng.standard_normal(scan.values.shape, dtype=np.float32)
    return Done(scan.values + np.float32(share * scan.span) * noise, {})


def blur(scan: Scan, sigma: float, rng: np.random.Generator) -> Done:
    """Blur each slice."""
    from scipy import ndimage

    sigmas = [0.0 if axis == scan.across else sigma for axis in range(3)]
    return Done(ndimage.gaussian_filter(scan.values, sigmas, mode="nearest"), {})


def brightness(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Saturates at both ends of the range, as brightened pictures do."""
    share *= sign(rng)
    values = np.clip(scan.values + np.float32(share * scan.span), scan.low, scan.high)
    return Done(values, {"share": share})


def contrast(scan: Scan, factor: float, rng: np.random.Generator) -> Done:
    """Shrink the values about the middle of the range."""
    middle = np.float32((scan.low + scan.high) / 2)
    return Done(middle + np.float32(factor) * (scan.values - middle), {})


def gamma(scan: Scan, exponents: Sequence[float], rng: np.random.Generator) -> Done:
    """Raise the values, as 0 to 1 of the range, to one of two powers."""
    exponent = exponents[int(rng.integers(2))]
    values = scan.low + scan.span * unit(scan, scan.low, scan.high) ** exponent
    return Done(values, {"exponent": exponent})


def invert(scan: Scan, exponents: Sequence[float], rng: np.random.Generator) -> Done:
    """Dark is bright; then raise the values, as 0 to 1 of the range, to one of two powers."""
    exponent = exponents[int(rng.integers(2))]
    if exponent == 1:
        return Done(np.float32(scan.low + scan.high) - scan.values, {"exponent": 1})
    values = scan.low + scan.span * (1 - unit(scan, scan.low, scan.high)) ** exponent
    return Done(values, {"exponent": exponent})


def bias_field(scan: Scan, peak_to_peak: float, rng: np.random.Generator) -> Done:
    """Times a smooth field about 1: a random polynomial of degree 2 in each coordinate."""
    grid = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in scan.values.shape]
    bases = [np.stack([axis**0, axis, axis**2]) for axis in grid]
    weights = rng.normal(size=(3, 3, 3))
    field = np.einsum("abc,ax,by,cz->xyz", weights, *bases, optimize=True)
    field = (field - field.min()) / max(1e-12, float(np.ptp(field))) - 0.5
    return Done(scan.low + (scan.values - scan.low) * (1 + peak_to_peak * field), {})


def jpeg(scan: Scan, quality: int, rng: np.random.Generator) -> Done:
    """Write every slice as an 8-bit JPEG and read it back."""
    from PIL import Image

    pixels = np.round(unit(scan, scan.low, scan.high) * 255).astype(np.uint8)
    slices = []
    for picture in np.moveaxis(pixels, scan.across, 0):
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture)).save(file, "JPEG", quality=quality)
        with Image.open(file) as back:
            slices.append(np.asarray(back))
    values = np.moveaxis(np.stack(slices), 0, scan.across).astype(np.float32)
    return Done(scan.low + values / 255 * scan.span, {})


def window(scan: Scan, percentiles: Sequence[float], rng: np.random.Generator) -> Done:
    """Clip at two percentiles and write 8 bit, 0 to 255."""
    bottom, top = (float(each) for each in np.percentile(scan.values, percentiles))
    return Done(np.round(unit(scan, bottom, top) * 255), {"window": [bottom, top]})
