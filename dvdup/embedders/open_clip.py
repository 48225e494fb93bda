"""Networks of open_clip: `open_clip:ARCH/TAG[?OPTIONS]` or `open_clip:ARCH/FILE[?OPTIONS]`.

Only the image tower is kept and run; its output is the image embedding that CLIP compares. The text
tower is built at toy size and thrown away. Preprocessing is open_clip's `image_transform` with what
is published for the tag (for a file: open_clip's defaults); the options `mean`, `std`,
`interpolation` and `resize_mode` override it, every other option goes to the model.
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

_DATA_OPTIONS = ("mean", "std", "interpolation", "resize_mode")
_HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_TOY_TEXT = {"context_length": 4, "vocab_size": 4, "width": 8, "heads": 1, "layers": 1}


def load(name: EmbedderName, title: str, options: LoadOptions) -> Embedder:
    """Load the image tower of an open_clip network.

    Args:
        name: Parsed name.
        title: The name to show and to store.
        options: Where and how to run it.

    Raises:
        EmbedderError: Unknown architecture or tag, weights missing or not fitting.
    """
    open_clip = _import_open_clip()
    published = _published(open_clip, name)
    data = {key: published.get(key) for key in _DATA_OPTIONS if published.get(key) is not None}
    data |= {key: _triple(key, value) for key, value in name.options if key in _DATA_OPTIONS}
    arguments = {key: value for key, value in name.options if key not in _DATA_OPTIONS}
    model = _build(open_clip, name, published, data, arguments)
    if name.tag == RANDOM:
        digest = state_hash(model.visual.state_dict())
    else:
        path = options.find(name.file) if name.file else cached(_weights(published))
        if path is None:
            raise missing_weights(title)
        _fill(open_clip, model, read_state(path), path, name.model)
        digest = file_hash(path)
    transform = _transform(open_clip, model.visual, title)
    source = _weights(published).source if published else ""
    side = model.visual.image_size
    spec = EmbedderSpec(
        name=title,
        weights_hash=digest,
        dimensions=0,
        slice_size=resize_side(transform, side if isinstance(side, int) else min(side)),
        source=source,
    )
    return NetworkEmbedder(model.visual, split_transform(transform), spec, options)


def locate(name: EmbedderName) -> HubWeights:
    """Where the published weights of an architecture and tag lie."""
    return _weights(_published(_import_open_clip(), name))


def _import_open_clip() -> Any:
    import_torchvision()
    with quiet():
        import open_clip
    return open_clip


def _published(open_clip: Any, name: EmbedderName) -> dict[str, Any]:
    """open_clip's record of the weights and preprocessing behind a tag; {} for a file."""
    if name.model not in open_clip.list_models():
        close = difflib.get_close_matches(name.model, open_clip.list_models(), 3)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise EmbedderError(f"open_clip has no architecture {name.model!r}{hint}")
    if name.file or name.tag == RANDOM:
        return {}
    record: dict[str, Any] = open_clip.get_pretrained_cfg(name.model, name.tag) if name.tag else {}
    if not record:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name.model)) or "none"
        raise EmbedderError(
            f"open_clip:{name.model} needs a published tag or a checkpoint file behind a slash, "
            f"and {name.tag or 'nothing'!r} is neither; its tags: {tags}"
        )
    return record


def _weights(published: dict[str, Any]) -> HubWeights:
    where = published.get("hf_hub") or ""
    if not where:
        return HubWeights(url=published.get("url") or "")
    repo, _, file = where.rpartition("/")
    if not file:
        return HubWeights(repo, _HUB_FILES)
    safe = Path(file).with_suffix(".safetensors").name
    return HubWeights(repo, (file,) if safe == file else (safe, file))


def _triple(key: str, value: Any) -> Any:
    return (value,) * 3 if key in ("mean", "std") and not isinstance(value, tuple) else value


def _build(
    open_clip: Any,
    name: EmbedderName,
    published: dict[str, Any],
    data: dict[str, Any],
    arguments: dict[str, Any],
) -> Any:
    """Create the model with random weights and a toy text tower."""
    try:
        with quiet(), seeded():
            return open_clip.create_model(
                name.model,
                pretrained_text=False,
                # The tag knows how it was trained; open_clip itself only warns about a mismatch.
                force_quick_gelu=bool(published.get("quick_gelu")),
                force_preprocess_cfg=data,
                text_cfg=dict(_TOY_TEXT),
                **arguments,
            )
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        line = str(error).partition("\n")[0]
        raise EmbedderError(f"open_clip cannot build {name.model}: {line}") from error


def _fill(open_clip: Any, model: Any, state: State, path: Path, title: str) -> None:
    """Load the image tower's part of a checkpoint, all of it or not at all."""
    from open_clip.convert import convert_state_dict
    from open_clip.model import resize_pos_embed

    try:
        state = convert_state_dict(model, state)
        state = {key: value for key, value in state.items() if key.startswith("visual.")}
        if not state:
            raise EmbedderError(f"checkpoint {path} holds no image tower of open_clip:{title}")
        with quiet():
            resize_pos_embed(state, model)
        model.visual.load_state_dict({k.removeprefix("visual."): v for k, v in state.items()})
    except (RuntimeError, KeyError) as error:
        raise misfit(error, path, f"open_clip:{title}") from error


def _transform(open_clip: Any, visual: Any, title: str) -> Any:
    facts = visual.preprocess_cfg
    try:
        return open_clip.image_transform(
            facts["size"],
            is_train=False,
            mean=facts["mean"],
            std=facts["std"],
            interpolation=facts["interpolation"],
            resize_mode=facts["resize_mode"],
            fill_color=facts.get("fill_color", 0),
        )
    except (AssertionError, TypeError, ValueError) as error:
        raise EmbedderError(
            f"preprocessing options of {title} are not understood: {error}"
        ) from error
