"""Checkpoint files: read as tensors only, never as code.

Read are safetensors files and files of `torch.save`, the latter with `weights_only=True`. The
content decides which, not the suffix. Training checkpoints are unwrapped: their weights stand
under a key such as `state_dict`, often with a prefix such as `module.`.
"""

from __future__ import annotations

import argparse
import hashlib
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvdup.embedders.quiet import quiet
from dvdup.embedders.runtime import import_torch
from dvdup.errors import EmbedderError

if TYPE_CHECKING:
    import torch

State = dict[str, "torch.Tensor"]

_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model", "teacher")
_PREFIXES = ("module.", "_orig_mod.", "model.")
_PROBLEM = re.compile(r"(Missing|Unexpected) key\(s\) in state_dict: (.*?)\. *$", re.M)
_SIZE = re.compile(r"size mismatch for (\S+): .*?torch.Size\((\[.*?\])\).*?torch.Size\((\[.*?\])\)")


def read_state(path: Path) -> State:
    """Read the named tensors of a checkpoint file, on the CPU.

    Raises:
        EmbedderError: If the file is missing, is no checkpoint, holds code or holds no tensors.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(16)
    except FileNotFoundError:
        raise EmbedderError(f"checkpoint {path} does not exist") from None
    except OSError as error:
        raise EmbedderError(f"checkpoint {path} cannot be read: {error.strerror}") from error
    is_safetensors = start[8:9] == b"{"
    content = _read_safetensors(path) if is_safetensors else _read_torch(path, start)
    return _tensors(content, path)


def _read_safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except SafetensorError as error:
        raise EmbedderError(f"checkpoint {path} is a damaged safetensors file") from error


def _read_torch(path: Path, start: bytes) -> object:
    if not start.startswith((b"PK\x03\x04", b"\x80")):
        raise EmbedderError(
            f"{path} is not a checkpoint; expected is a safetensors file or one of torch.save"
        )
    torch = import_torch()
    try:
        # Training checkpoints often carry their command line beside the weights.
        with quiet(), torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "global" not in str(error).lower():
            raise EmbedderError(f"checkpoint {path} is damaged") from error
        raise EmbedderError(
            f"checkpoint {path} holds Python objects and is not opened, because they could run "
            "code; save its state_dict alone, best as safetensors"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError) as error:
        reason = "a TorchScript archive" if "TorchScript" in str(error) else "damaged"
        raise EmbedderError(f"checkpoint {path} is {reason}; expected is a state_dict") from error


def _tensors(content: object, path: Path) -> State:
    torch = import_torch()
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    items = content.items() if isinstance(content, Mapping) else ()
    state = {str(name): value for name, value in items if isinstance(value, torch.Tensor)}
    if not state:
        raise EmbedderError(f"checkpoint {path} holds no named tensors; expected is a state_dict")
    return _without_prefixes(state)


def _without_prefixes(state: State) -> State:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    # A DINO training checkpoint holds the network as `backbone.` beside its projection head.
    backbone = {
        name.removeprefix("backbone."): value
        for name, value in state.items()
        if name.startswith("backbone.")
    }
    return backbone or state


def misfit(error: Exception, path: Path, model: str) -> EmbedderError:
    """Turn torch's report of a checkpoint that does not fit into one line."""
    text = str(error)
    parts = [f"{word.lower()} {_few(keys)}" for word, keys in _PROBLEM.findall(text)]
    sizes = [f"{name} is {theirs}, not {ours}" for name, theirs, ours in _SIZE.findall(text)]
    if sizes:
        more = f" and {len(sizes) - 1} more" if len(sizes) > 1 else ""
        parts.append(f"size of {sizes[0]}{more}")
    detail = "; ".join(parts) or text.strip().partition("\n")[0]
    return EmbedderError(f"checkpoint {path} does not fit {model}: {detail}")


def _few(keys: str, shown: int = 3) -> str:
    names = re.findall(r'"([^"]+)"', keys)
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def state_hash(state: Mapping[str, Any]) -> str:
    """blake2b-128 hex over the sorted names, types, shapes and bytes of named tensors."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(state):
        values = state[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name}\0{values.dtype.str}\0{values.shape}\0".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
