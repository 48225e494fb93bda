"""Slices to embeddings. In: uint8 (S, H, W) slices. Out: float32 (S, D) unit rows.

`EMBEDDERS` lists what there is; modules are named as strings, so that asking for the list, for a
name or for the hash of a checkpoint imports no network library. How names are written stands in
`names.py`. Loading never reaches out to the network: published weights are taken from the local
caches, and `fetch` alone brings them there.

`load_embedder` gives an `Embedder`. To add one: a file with `load`, a row here, a test.
"""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from dvdup.embedders.hub import HubWeights, cached, download, missing_weights, terms
from dvdup.embedders.names import RANDOM, EmbedderName, split_name
from dvdup.embedders.packaged import BUILTIN_SIDE, packaged_weights, projection_file
from dvdup.errors import EmbedderError
from dvdup.extras import NETWORKS, demand, is_installed
from dvdup.hashing import file_hash
from dvdup.records import EmbedderSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

__all__ = [
    "BUILTIN_SIDE",
    "EMBEDDERS",
    "Embedder",
    "EmbedderRow",
    "LoadOptions",
    "ModelRow",
    "available",
    "canonical_name",
    "fetch",
    "load_embedder",
    "packaged_weights",
    "projection_file",
    "quick_weights_hash",
]


class Embedder(Protocol):
    """What every embedder fulfils."""

    @property
    def spec(self) -> EmbedderSpec:
        """What it is, and everything that changes its output."""

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        """Embed slices.

        Args:
            pixels: uint8 (S, H, W), 0 to 255; S may be 0.

        Returns:
            float32 (S, D), finite unit rows in the order of the slices.

        Raises:
            EmbedderError: If a slice has no embedding of length above zero.
        """


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Where and how an embedder runs; none of it changes the rows beyond rounding."""

    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:N" or "mps"; for `builtin` also "directml"."""
    batch: int | None = None
    """Slices a batch; None chooses by device."""
    offline: bool = False
    """Forbid `fetch` to use the network; loading never does."""
    threads: int | None = None
    """CPU threads (of torch: for the whole process); None leaves the choice to the library."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """"auto": fp16 on CUDA, else fp32."""
    folder: Path | None = None
    """Where relative checkpoint paths start; None: the working directory."""

    def find(self, file: str) -> Path:
        """The path of a checkpoint as named."""
        path = Path(file).expanduser()
        return self.folder / path if self.folder is not None else path


@dataclass(frozen=True, slots=True)
class EmbedderRow:
    """One row of the table: an embedder, an alias, or (name ending in a colon) a family."""

    name: str
    module: str
    """Import path of the module with `load`."""
    what: str
    licence: str
    """Of the weights."""
    source: str
    needs_weights: bool = True
    dimensions: int | None = None
    """None where it depends on the model."""
    target: str = ""
    """For an alias: what it stands for. Indexes hold the alias, so a change needs a new alias."""
    weights: HubWeights | None = None
    """For an alias: its published weights, known without importing anything."""
    packaged: str = ""
    """Weight file inside the package, in `embedders/weights`."""
    needs: tuple[str, ...] = ()
    """Packages of the extra `models` that it is of no use without."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One line of `dvdup models`."""

    name: str
    what: str
    dimensions: int | None
    licence: str
    source: str
    present: bool | None
    """Whether its weights are on this machine; None for a family."""
    installed: bool
    """Whether the packages that it needs are installed."""
    megabytes: int | None
    """About how much there is to download; None where it depends, or nothing is."""


_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
_CLIP = "mean=0.48145466,0.4578275,0.40821073&std=0.26862954,0.26130258,0.27577711"


def _alias(name: str, what: str, target: str, weights: HubWeights, dimensions: int) -> EmbedderRow:
    """A network of timm under a name of its own."""
    return EmbedderRow(
        name=name,
        module="dvdup.embedders.timm",
        what=what,
        licence=weights.licence,
        source=weights.source,
        dimensions=dimensions,
        target=target,
        weights=weights,
        needs=NETWORKS,
    )


EMBEDDERS: tuple[EmbedderRow, ...] = (
    EmbedderRow(
        name="builtin",
        module="dvdup.embedders.builtin",
        what="dvdup's own copy-detection network, weights in the package",
        licence="Apache-2.0",
        source="dvdup",
        dimensions=128,
        packaged="builtin.safetensors",
    ),
    EmbedderRow(
        name="thumbnail",
        module="dvdup.embedders.thumbnail",
        what="the slice itself at 16 x 16, numpy only: a baseline",
        licence="Apache-2.0",
        source="dvdup",
        needs_weights=False,
        dimensions=256,
    ),
    # The first two DINOs as published for evaluation: shorter side to 256, bicubic, centre 224,
    # ImageNet mean and deviation. timm's record says 248 for DINO, and for DINOv2 518: six times
    # the work. The others as their own configuration says.
    _alias(
        "dinov1",
        "DINO ViT-B/16, self-supervised on natural images, 224 px",
        "timm:vit_base_patch16_224.dino?crop_pct=0.875",
        HubWeights("timm/vit_base_patch16_224.dino", _HUB_FILES, "", "Apache-2.0", 343),
        768,
    ),
    _alias(
        "dinov2",
        "DINOv2 ViT-B/14, self-supervised on natural images, 224 px",
        "timm:vit_base_patch14_dinov2.lvd142m?crop_pct=0.875&img_size=224",
        HubWeights("timm/vit_base_patch14_dinov2.lvd142m", _HUB_FILES, "", "Apache-2.0", 346),
        768,
    ),
    _alias(
        "dinov2-reg",
        "DINOv2 ViT-B/14 with registers, self-supervised on natural images, 224 px",
        "timm:vit_base_patch14_reg4_dinov2.lvd142m?crop_pct=0.875&img_size=224",
        HubWeights("timm/vit_base_patch14_reg4_dinov2.lvd142m", _HUB_FILES, "", "Apache-2.0", 346),
        768,
    ),
    _alias(
        "dinov3",
        "DINOv3 ViT-S/16, self-supervised on natural images, 256 px",
        "timm:vit_small_patch16_dinov3.lvd1689m?global_pool=token",
        HubWeights("timm/vit_small_patch16_dinov3.lvd1689m", _HUB_FILES, "", "DINOv3-License", 86),
        384,
    ),
    _alias(
        "biomedclip",
        "BiomedCLIP ViT-B/16, image tower, on figures of biomedical articles, 224 px",
        f"timm:vit_base_patch16_224?crop_pct=1.0&interpolation=bicubic&{_CLIP}",
        HubWeights(
            "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
            ("open_clip_pytorch_model.bin",),
            "",
            "MIT",
            784,
        ),
        768,
    ),
    _alias(
        "rad-dino",
        "RAD-DINO ViT-B/14, self-supervised on chest radiographs, 518 px",
        "timm:vit_base_patch14_dinov2?crop_pct=1.0&interpolation=bicubic&mean=0.5307&std=0.2583",
        HubWeights(
            "microsoft/rad-dino",
            ("backbone_compatible.safetensors",),
            "",
            "MIT (once MSRLA)",
            346,
        ),
        768,
    ),
    EmbedderRow(
        name="timm:",
        module="dvdup.embedders.timm",
        what="any network of timm: timm:MODEL[@FILE][?OPTIONS]",
        licence="by model",
        source="https://github.com/huggingface/pytorch-image-models",
        needs=NETWORKS,
    ),
    EmbedderRow(
        name="open_clip:",
        module="dvdup.embedders.open_clip",
        what="the image tower of any network of open_clip: open_clip:ARCH/TAG (or FILE)",
        licence="by model",
        source="https://github.com/mlfoundations/open_clip",
        needs=(*NETWORKS, "open_clip"),
    ),
)


def load_embedder(name: str, options: LoadOptions | None = None) -> Embedder:
    """Load an embedder by name.

    Args:
        name: A row of the table with what it takes, such as `dinov2@vitb14.safetensors`.
        options: Where and how to run it.

    Raises:
        EmbedderError: Unknown name, weights missing here, damaged or not fitting, no such device.
        InstallError: It needs packages of the extra `models`, which are not installed.
    """
    options = options or LoadOptions()
    parsed, row = _find(name)
    demand(f"the embedder {parsed}", row.needs)
    if not row.needs_weights:
        plain: Embedder = importlib.import_module(row.module).load(options)
        return plain
    _check_present(parsed, row, options)
    network: Embedder = importlib.import_module(row.module).load(
        _resolved(parsed, row), str(parsed), options
    )
    return network


def canonical_name(name: str) -> str:
    """The form of a name that is stored: bare file name, sorted options; imports nothing heavy.

    Raises:
        EmbedderError: If the name is unknown.
    """
    return str(_find(name)[0])


def quick_weights_hash(name: str, folder: Path | None = None) -> str | None:
    """The `weights_hash` of an embedder, where it can be told without loading a network.

    Args:
        name: As for `load_embedder`.
        folder: Where a relative checkpoint path starts; None: the working directory.

    Returns:
        blake2b-128 hex of the weight file; "" for an embedder without weights; None if only
        loading can tell (it can of an ONNX model, which keeps the hash of the weights that it was
        made of), or if the file is not here.

    Raises:
        EmbedderError: If the name is unknown.
    """
    parsed, row = _find(name)
    if not row.needs_weights:
        return ""
    path: Path | None = None
    if parsed.file:
        path = LoadOptions(folder=folder).find(parsed.file)
    elif row.packaged and not parsed.tag:
        path = _packaged(row)
    elif row.weights is not None and not parsed.tag:
        path = cached(row.weights)
    if path is None or not path.is_file() or path.suffix == ".onnx":
        return None
    return file_hash(path)


def fetch(
    name: str, options: LoadOptions | None = None, say: Callable[[str], None] = lambda line: None
) -> Path:
    """Bring the published weights of an embedder into the local cache.

    Args:
        name: As for `load_embedder`.
        options: Of these only `offline` matters.
        say: Called before a download with one line: size and licence of the weights.

    Returns:
        The weight file; at once if it was there already.

    Raises:
        EmbedderError: If there is nothing to fetch, or no network, or offline mode is on.
        InstallError: If the embedder needs packages of the extra `models` that are not installed.
    """
    options = options or LoadOptions()
    parsed, row = _find(name)
    if not row.needs_weights or row.packaged or parsed.file or parsed.tag == RANDOM:
        raise EmbedderError(f"{parsed} has no published weights to fetch")
    demand(f"the embedder {parsed}", row.needs)
    weights = row.weights
    if weights is None:
        weights = importlib.import_module(row.module).locate(_resolved(parsed, row))
    present = cached(weights)
    if present is not None:
        return present
    say(terms(weights, str(parsed)))
    return download(weights, str(parsed), offline=options.offline)


def available() -> tuple[ModelRow, ...]:
    """What `dvdup models` lists, in the order of the table; imports no network library."""
    return tuple(
        ModelRow(
            name=row.name,
            what=row.what,
            dimensions=row.dimensions,
            licence=row.licence,
            source=row.source,
            present=_is_present(row),
            installed=all(map(is_installed, row.needs)),
            megabytes=row.weights.megabytes if row.weights else None,
        )
        for row in EMBEDDERS
    )


def _is_present(row: EmbedderRow) -> bool | None:
    if not row.needs_weights or row.packaged:
        return True
    return None if row.weights is None else cached(row.weights) is not None


def _find(name: str) -> tuple[EmbedderName, EmbedderRow]:
    parsed = split_name(name)
    for row in EMBEDDERS:
        if row.name == parsed.head and (row.needs_weights or str(parsed) == row.name):
            return parsed, row
    choices = [row.name for row in EMBEDDERS]
    close = difflib.get_close_matches(parsed.head, choices, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise EmbedderError(f"unknown embedder {name!r}; there are {', '.join(choices)}{hint}")


def _packaged(row: EmbedderRow) -> Path:
    return Path(__file__).parent / "weights" / row.packaged


def _resolved(parsed: EmbedderName, row: EmbedderRow) -> EmbedderName:
    """Replace an alias by what it stands for; a file or option of the user goes before its own."""
    if not row.target:
        return parsed
    target = split_name(row.target)
    merged = dict(target.options) | dict(parsed.options)
    return replace(
        target,
        tag=parsed.tag,
        file=parsed.file,
        options=tuple(sorted(merged.items())),
        weights=row.weights,
    )


def _check_present(parsed: EmbedderName, row: EmbedderRow, options: LoadOptions) -> None:
    """Fail on missing weights at once, before seconds of imports."""
    if parsed.file and not options.find(parsed.file).is_file():
        raise EmbedderError(
            f"checkpoint {options.find(parsed.file)} of {parsed} does not exist or is no file"
        )
    if not (parsed.file or parsed.tag) and row.weights is not None and cached(row.weights) is None:
        raise missing_weights(str(parsed))
