"""From uint8 slices to the tensor that enters a network, equal to the library's own transform.

A transform of timm or open_clip is geometry (resize, crop, pad: done by Pillow on 8 bits) followed
by arithmetic (to [0, 1], minus mean, by standard deviation). A grey slice has three equal channels
after conversion to RGB, so the geometry runs on the one grey channel, by the library's own steps,
and the arithmetic is a table of 256 rows, looked up for the whole batch on the device. The tensors
are equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dvdup.embedders.runtime import import_torch

if TYPE_CHECKING:
    import torch

_GEOMETRY = frozenset({"Resize", "CenterCrop", "ResizeKeepRatio", "CenterCropOrPad", "TrimBorder"})
_TO_TENSOR = frozenset({"MaybeToTensor", "ToTensor", "MaybeConvertMode", "_convert_to_rgb"})


@dataclass(frozen=True, slots=True, eq=False)
class Preprocess:
    """A callable: uint8 (S, H, W) and a device to float32 (S, 3, height, width)."""

    reference: Callable[[Any], torch.Tensor]
    """The library's whole transform of one RGB picture."""
    geometry: tuple[Callable[[Any], Any], ...] | None
    """Its steps on an 8-bit picture; None if it holds a step that is not known here."""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __call__(self, pixels: np.ndarray, device: torch.device) -> torch.Tensor:
        """Preprocess S > 0 slices of one shape."""
        torch = import_torch()
        if self.geometry is None:
            images = torch.stack(
                [self.reference(_picture(slice_).convert("RGB")) for slice_ in pixels]
            )
            return images.to(device)
        grey = torch.from_numpy(np.stack([self._place(slice_) for slice_ in pixels])).to(device)
        # 256 grey values have 256 results a channel: look them up, channels last as networks like.
        table = (torch.arange(256.0).div_(255.0).unsqueeze(1) - self._row("mean")) / self._row(
            "std"
        )
        images = torch.nn.functional.embedding(grey.int(), table.to(device)).permute(0, 3, 1, 2)
        return images

    def _row(self, key: str) -> torch.Tensor:
        return import_torch().tensor(getattr(self, key), dtype=import_torch().float32).unsqueeze(0)

    def _place(self, slice_: np.ndarray) -> np.ndarray:
        picture = _picture(slice_)
        for step in self.geometry or ():
            picture = step(picture)
        return np.asarray(picture)


def split_transform(transform: Any) -> Preprocess:
    """Take a composed torchvision transform of RGB pictures apart into geometry and arithmetic."""
    steps: Sequence[Any] = transform.transforms
    geometry = tuple(step for step in steps if _kind(step) in _GEOMETRY)
    rest = [step for step in steps if _kind(step) not in _GEOMETRY | _TO_TENSOR]
    padded = any(_kind(step) == "CenterCropOrPad" for step in geometry)  # fills by RGB colour
    if padded or [_kind(step) for step in rest] != ["Normalize"] or steps[-1] is not rest[0]:
        return Preprocess(transform, None)
    mean, std = (tuple(float(v) for v in values) for values in (rest[0].mean, rest[0].std))
    return Preprocess(transform, geometry, mean, std)


def resize_side(transform: Any, input_side: int) -> int:
    """The side to which the transform resizes: slices of that side are not resampled again."""
    for step in transform.transforms:
        if _kind(step) in ("Resize", "ResizeKeepRatio"):
            size = step.size
            return int(size if isinstance(size, int) else min(size))
    return input_side


def _kind(step: Any) -> str:
    return getattr(step, "__name__", type(step).__name__)


def _picture(slice_: np.ndarray) -> Any:
    from PIL import Image

    return Image.fromarray(slice_)
