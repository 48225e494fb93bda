"""The built-in network as an ONNX model, the file that ONNX Runtime runs.

Written by `dvdup train` beside the safetensors file and from the same numbers, in half precision
where that file is. Nothing but the weights, the layout of the network and the release of this
module enters it: the same weights give the same bytes on every machine.

Operators: https://onnx.ai/onnx/operators (set 17).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dvdup.embedders.builtin_network import FLAT, SMALLEST, CopyNetwork, Stage, stored
from dvdup.embedders.packaged import BUILTIN_SIDE
from dvdup.extras import demand

if TYPE_CHECKING:
    import torch
    from torch import nn

OPERATORS = 17
"""Version of the operator set."""
IR_VERSION = 8
"""Version of the file format, the first that knows these operators."""


def save_onnx(network: CopyNetwork, path: Path, weights_hash: str) -> None:
    """Write a network as an ONNX model: float32 (S, 1, 64, 64), 0 to 1, to float32 (S, D).

    Args:
        network: The network in evaluation mode; its weights are rounded as `save_network` does.
        path: Where the model goes; an older one is replaced.
        weights_hash: blake2b-128 hex of the safetensors file with the same weights, kept in the
            model.

    Raises:
        InstallError: The package onnx is not installed.
    """
    part = path.with_name(path.name + ".part")
    part.write_bytes(onnx_bytes(network, weights_hash))
    part.replace(path)


def onnx_bytes(network: CopyNetwork, weights_hash: str) -> bytes:
    """A network as an ONNX model: float32 (S, 1, 64, 64), 0 to 1, to float32 (S, D).

    Args:
        network: The network in evaluation mode.
        weights_hash: Kept in the model under `weights`.

    Raises:
        InstallError: The package onnx is not installed.
    """
    demand("the conversion to ONNX", ("onnx",))
    from onnx import TensorProto, helper

    graph = _Graph(helper)
    rows = _head(graph, network, _body(graph, network, _standardised(graph, "slices")))
    images = helper.make_tensor_value_info(
        "slices", TensorProto.FLOAT, ("S", 1, BUILTIN_SIDE, BUILTIN_SIDE)
    )
    shape = ("S", network.head.out_features)
    graph.node("Identity", [rows], name="rows")
    out = helper.make_tensor_value_info("rows", TensorProto.FLOAT, shape)
    model = helper.make_model(
        helper.make_graph(graph.nodes, "builtin", [images], [out], graph.weights),
        producer_name="dvdup",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPERATORS)],
    )
    helper.set_model_props(model, {"weights": weights_hash})
    written: bytes = model.SerializeToString(deterministic=True)
    return written


@dataclass(slots=True)
class _Graph:
    """Nodes and weights as they gather; every output has the name of its number."""

    helper: Any
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def node(self, kind: str, inputs: Sequence[str], *, name: str = "", **attributes: Any) -> str:
        """Add an operator with one output, and return the name of the output."""
        name = name or f"v{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: np.ndarray) -> str:
        """Add weights; halves are turned to float32 when the model is loaded."""
        name = f"w{len(self.weights)}"
        code = self.helper.np_dtype_to_tensor_dtype(values.dtype)
        data = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
        self.weights.append(self.helper.make_tensor(name, code, values.shape, data, raw=True))
        if values.dtype != np.float16:
            return name
        return self.node("Cast", [name], to=int(self.helper.np_dtype_to_tensor_dtype(_FLOAT)))

    def number(self, value: float) -> str:
        """Add a single float32."""
        return self.constant(np.array(value, np.float32))


_FLOAT = np.dtype(np.float32)


def _standardised(graph: _Graph, images: str) -> str:
    mean = graph.node("ReduceMean", [images], axes=[2, 3], keepdims=1)
    centred = graph.node("Sub", [images, mean])
    square = graph.node("Mul", [centred, centred])
    variance = graph.node("ReduceMean", [square], axes=[2, 3], keepdims=1)
    deviation = graph.node("Sqrt", [variance])
    return graph.node("Div", [centred, graph.node("Add", [deviation, graph.number(FLAT)])])


def _body(graph: _Graph, network: CopyNetwork, images: str) -> str:
    values = graph.node("Relu", [_convolved(graph, network.stem, images)])
    for stage in network.stages:
        values = _staged(graph, stage, values)
    return values


def _staged(graph: _Graph, stage: Stage, values: str) -> str:
    inner = graph.node("Relu", [_convolved(graph, stage.first, values)])
    inner = _convolved(graph, stage.second, inner)
    if stage.stride > 1:
        sides = [stage.stride, stage.stride]
        values = graph.node("AveragePool", [values], kernel_shape=sides, strides=sides)
    beside = _convolved(graph, stage.beside, values)
    return graph.node("Relu", [graph.node("Add", [inner, beside])])


def _convolved(graph: _Graph, block: nn.Sequential, values: str) -> str:
    """A convolution and its normalisation, which ONNX Runtime folds into it."""
    convolution, norm = block[0], block[1]
    size, stride = convolution.kernel_size[0], convolution.stride[0]
    values = graph.node(
        "Conv",
        [values, graph.constant(_array(convolution.weight))],
        kernel_shape=[size, size],
        strides=[stride, stride],
        pads=[convolution.padding[0]] * 4,
    )
    of_norm = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    parts = [graph.constant(_array(each)) for each in of_norm]
    return graph.node("BatchNormalization", [values, *parts], epsilon=norm.eps)


def _head(graph: _Graph, network: CopyNetwork, values: str) -> str:
    power = network.power.item()
    positive = graph.node("Max", [values, graph.number(SMALLEST)])
    raised = graph.node("Pow", [positive, graph.number(power)])
    mean = graph.node("ReduceMean", [raised], axes=[2, 3], keepdims=0)
    pooled = graph.node("Pow", [mean, graph.number(1 / power)])
    weight, bias = (graph.constant(_array(each)) for each in network.head.parameters())
    return graph.node("Gemm", [pooled, weight, bias], transB=1)


def _array(values: torch.Tensor) -> np.ndarray:
    array: np.ndarray = stored(values).cpu().numpy()
    return array
