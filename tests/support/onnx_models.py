"""ONNX models made by hand, and ONNX's own interpreter to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from snnc.compiler.frontend import trace
from snnc.compiler.frontend.files.load import load_model
from support.formats import assert_close
from support.tracing import output_of

# Where it is missing, whatever imports this module is skipped.
onnx = pytest.importorskip("onnx")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT

# Before, ONNX's own interpreter gives a convolution that has auto_pad other outputs than the standard.
PADS_AS_THE_STANDARD = tuple(map(int, onnx.__version__.split(".")[:2])) >= (1, 23)


def array(name: str, values: Any) -> Any:
    return onnx.numpy_helper.from_array(np.asarray(values), name)


def model(
    nodes: list[Any],
    constants: dict[str, Any],
    shape: tuple[Any, ...],
    outputs: tuple[str, ...] = ("y",),
    version: int = 17,
) -> Any:
    """A model from x, of a shape, to y, in a version of the operators."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        [array(name, values) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)


def saved(made: Any, path: Path) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


def node(operator: str, inputs: str, output: str = "y", **attributes: Any) -> Any:
    return helper.make_node(operator, inputs.split(), [output], name=f"net/{output}", **attributes)


def reference(made: Any, batch: torch.Tensor) -> torch.Tensor:
    from onnx.reference import ReferenceEvaluator

    pads = any(each.op_type == "Conv" and "auto_pad" in {a.name for a in each.attribute} for each in made.graph.node)
    if pads and not PADS_AS_THE_STANDARD:
        pytest.skip("onnx before 1.23 computes convolutions with auto_pad otherwise than the standard")
    return torch.as_tensor(ReferenceEvaluator(made).run(None, {"x": batch.numpy()})[0])


def check(made: Any, tmp_path: Path, shape: tuple[int, ...], *, channels_last: bool = False) -> nn.Module:
    """What is read, and the graph that is traced of it, compute what ONNX's own interpreter does.

    Args:
        made: The model.
        tmp_path: Where it is written to.
        shape: Of one sample, channels first.
        channels_last: Whether the model takes channels last.
    """
    read = load_model(saved(made, tmp_path / "m.onnx"))
    batch = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    expected = reference(made, batch.permute(0, 2, 3, 1) if channels_last else batch)
    with torch.no_grad():
        assert_close(read(batch), expected)
    assert_close(output_of(trace(read, shape), batch.double()).float(), expected)
    return read


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def keras(samples: str | int = "unk__6") -> Any:
    """A convolutional network as tf2onnx writes it: channels last, transpositions at both ends, a matrix and a bias."""
    return model(
        [
            node("Transpose", "x", "first", perm=[0, 3, 1, 2]),
            node("Conv", "first w1 b1", "conv2d", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            node("Relu", "conv2d", "relu"),
            node("MaxPool", "relu", "pool", kernel_shape=[2, 2], strides=[2, 2]),
            node("Conv", "pool w2", "conv2d_1", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
            node("BatchNormalization", "conv2d_1 scale shift mean variance", "norm", epsilon=1e-3),
            node("Relu", "norm", "relu_1"),
            node("Transpose", "relu_1", "last", perm=[0, 2, 3, 1]),
            node("Reshape", "last sizes", "flatten"),
            node("MatMul", "flatten w3", "dense"),
            node("Add", "dense b3", "biased"),
            node("Softmax", "biased", "y", axis=-1),
        ],
        {
            "w1": random(4, 3, 3, 3),
            "b1": random(4),
            "w2": random(5, 4, 3, 3),
            "scale": random(5),
            "shift": random(5),
            "mean": random(5),
            "variance": 0.5 + random(5) ** 2,
            "sizes": np.array([-1, 45]),
            "w3": random(45, 6),
            "b3": random(6),
        },
        (samples, 12, 10, 3),
    )
