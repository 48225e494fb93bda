"""Channels that are no picture of a scan: masks and label maps stored beside one.

The same mask lies beside scans of different persons (a round field of view, a template), so that it
proves nothing about two scans that share it. It is told by its values: few of them, in patches.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from dvdup.records import Volume

MAX_VALUES = 256
"""A label map has no more values than this."""
MIN_PATCHES = 0.8
"""Share of its foreground voxels that equal their neighbour, at least; of noise few do."""

_SAMPLE = 4096  # voxels that tell an image with many values at once


def without_masks(volume: Volume) -> Volume:
    """Leave out the channels that are masks or label maps, if another channel is an image.

    Args:
        volume: Any number of channels.

    Returns:
        The volume itself, or one with fewer channels and a note that says so.
    """
    n = len(volume.channels)
    if n < 2:
        return volume
    masks = {i for i, channel in enumerate(volume.channels) if is_mask(channel)}
    images = [i for i in range(n) if i not in masks and not _is_constant(volume.channels[i])]
    if not masks or not images:
        return volume
    kept = [i for i in range(n) if i not in masks]
    names = ", ".join(str(i + 1) for i in sorted(masks))
    note = f"channel {names} of {n} is a mask, which proves nothing; it is not compared"
    return dataclasses.replace(
        volume,
        channels=tuple(volume.channels[i] for i in kept),
        scaling=tuple(volume.scaling[i] for i in kept),
        notes=(*volume.notes, note),
    )


def is_mask(channel: np.ndarray) -> bool:
    """Whether a channel has few values, in patches.

    Args:
        channel: (X, Y, Z), any real dtype.
    """
    values, counts = np.unique(_sample(channel), return_counts=True)
    if not 1 < len(values) <= MAX_VALUES:
        return False
    axis = int(np.argmax(channel.shape))
    after = channel.swapaxes(0, axis)[1:]
    foreground = after != values[counts.argmax()]
    equal = after == channel.swapaxes(0, axis)[:-1]
    n = int(np.count_nonzero(foreground))
    return n > 0 and int(np.count_nonzero(foreground & equal)) >= MIN_PATCHES * n


def _sample(channel: np.ndarray) -> np.ndarray:
    """Some voxels of all parts of a channel, in no order."""
    step = max(1, int((channel.size / _SAMPLE) ** (1 / 3)))
    return channel[::step, ::step, ::step] if min(channel.shape) > step else channel.ravel()


def _is_constant(channel: np.ndarray) -> bool:
    return not channel.size or bool((channel == channel.flat[0]).all())
