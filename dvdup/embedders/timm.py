"""Networks of timm: `timm:MODEL[@FILE][?OPTIONS]`, and the aliases that stand on them.

The embedding is the pooled feature before the classifier (`num_classes=0`). Preprocessing is what
timm publishes for the model, `create_transform(**resolve_data_config(...))`. A checkpoint file that
was trained otherwise says so in the options: `mean`, `std`, `interpolation`, `crop_pct`,
`crop_mode` and `img_size` change the preprocessing, every other option goes to the model, so

    timm:mobilenetv2_100@w.pth?mean=0.5&std=0.5&pad_type=same

is a MobileNetV2 with TensorFlow's padding and input range. Checkpoints go through timm's own
conversion for the architecture (original DINO and DINOv2 files included) and must fit completely;
a classifier of any number of classes is accepted and dropped.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvdup.embedders.checkpoints import State, misfit, read_state, state_hash
from dvdup.embedders.hub import HubWeights, cached, missing_weights
from dvdup.embedders.names import RANDOM, EmbedderName
from dvdup.embedders.preprocess import resize_side, split_transform
from dvdup.embedders.quiet import quiet
from dvdup.embedders.runtime import NetworkEmbedder, import_torchvision, seeded
from dvdup.errors import EmbedderError
from dvdup.hashing import file_hash
from dvdup.records import EmbedderSpec

if TYPE_CHECKING:
    from dvdup.embedders import Embedder, LoadOptions

_DATA_OPTIONS = ("mean", "std", "interpolation", "crop_pct", "crop_mode", "img_size")
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")


def load(name: EmbedderName, title: str, options: LoadOptions) -> Embedder:
    """Load a timm network.

    Args:
        name: Parsed name within this family (an alias already replaced by its target).
        title: The name to show and to store.
        options: Where and how to run it.

    Raises:
        EmbedderError: Unknown model, weights missing or not fitting, options not understood.
    """
    timm = _import_timm()
    pretrained = _published(timm, name.model)
    weights = name.weights or _weights(pretrained)
    data, arguments = _split_options(name, pretrained)
    path: Path | None = None
    if name.tag == RANDOM:
        network = _build(timm, name, None, None, arguments)
        digest = state_hash(network.state_dict())
    else:
        path = options.find(name.file) if name.file else cached(weights)
        if path is None:
            raise missing_weights(title)
        state = read_state(path)
        network = _build(timm, name, path, state, arguments)
        digest = file_hash(path)
    transform = _transform(timm, network, data, title)
    published = not name.file and name.tag != RANDOM
    spec = EmbedderSpec(
        name=title,
        weights_hash=digest,
        dimensions=0,
        slice_size=resize_side(transform, 224),
        licence=weights.licence if published else "",
        source=weights.source if published else "",
    )
    return NetworkEmbedder(network, split_transform(transform), spec, options)


def locate(name: EmbedderName) -> HubWeights:
    """Where the published weights of a model lie."""
    return _weights(_published(_import_timm(), name.model))


def _import_timm() -> Any:
    import_torchvision()
    with quiet():
        import timm
    return timm


def _published(timm: Any, model: str) -> Any:
    """What timm records of the weights and preprocessing of a model."""
    architecture, _, tag = model.partition(".")
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models(), 3)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise EmbedderError(f"timm has no model {architecture!r}{hint}")
    with quiet():
        try:
            pretrained = timm.get_pretrained_cfg(model, allow_unregistered=False)
        except RuntimeError:
            pretrained = None
    if pretrained is None and tag:
        known = ", ".join(timm.list_models(f"{architecture}.*", pretrained=True)) or "none"
        raise EmbedderError(f"timm has no weights {model!r}; there are {known}")
    if pretrained is None:
        return timm.models.PretrainedCfg(architecture=architecture)
    return pretrained


def _weights(pretrained: Any) -> HubWeights:
    licence = pretrained.license or ""
    if pretrained.hf_hub_id:
        named = pretrained.hf_hub_filename
        return HubWeights(pretrained.hf_hub_id, (named,) if named else _HUB_FILES, licence=licence)
    url = pretrained.url or ""
    return HubWeights(url=url if isinstance(url, str) else url[0], licence=licence)


def _split_options(name: EmbedderName, pretrained: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the preprocessing, as `resolve_data_config` takes them, and of the model."""
    data: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    for key, value in name.options:
        if key not in _DATA_OPTIONS:
            arguments[key] = value
        elif key in ("mean", "std"):
            data[key] = value if isinstance(value, tuple) else (value,)
        elif key == "img_size":
            data["input_size"] = (3, value, value)
            if pretrained.fixed_input_size:
                arguments["img_size"] = value
        else:
            data[key] = value
    return data, arguments


def _build(
    timm: Any, name: EmbedderName, path: Path | None, state: State | None, arguments: dict[str, Any]
) -> Any:
    """Create the network without a classifier, with the weights of `state` (None: random)."""
    overlay: dict[str, Any] = {}
    classes = 0
    if state is not None:
        classes = _count_classes(timm, name.model, state)
        overlay = {"state_dict": state, "num_classes": classes, "label_offset": 0, "source": ""}
    try:
        with quiet(), seeded():
            network = timm.create_model(
                name.model,
                pretrained=state is not None,
                pretrained_cfg_overlay=overlay,
                num_classes=classes,
                **arguments,
            )
            network.reset_classifier(0)
    except (TypeError, ValueError, AssertionError) as error:
        line = str(error).partition("\n")[0]
        raise EmbedderError(f"timm cannot build {name.model} with these options: {line}") from error
    except (RuntimeError, KeyError) as error:
        raise misfit(error, path or Path(RANDOM), f"timm:{name.model}") from error
    network.pretrained_cfg.pop("state_dict", None)
    return network


def _count_classes(timm: Any, model: str, state: State) -> int:
    """How many classes the checkpoint's classifier has; 0 if it has none."""
    published = _published(timm, model).classifier or ()
    names = (published,) if isinstance(published, str) else tuple(published)
    for classifier in (*names, "head", "fc", "classifier", "head.fc"):
        weight = state.get(f"{classifier}.weight")
        if weight is not None and weight.ndim >= 2:
            return int(weight.shape[0])
    return 0


def _transform(timm: Any, network: Any, data: dict[str, Any], title: str) -> Any:
    try:
        resolved = timm.data.resolve_data_config(data, model=network)
        return timm.data.create_transform(**resolved)
    except (AssertionError, TypeError, ValueError, KeyError) as error:
        raise EmbedderError(
            f"preprocessing options of {title} are not understood: {error}"
        ) from error
