"""ONNX operators compute what the standard says; what cannot be compiled is named."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.onnx_models import FLOAT, array, check, helper, keras, model, node, random, saved

from snnc.common.errors import ModelError, UnsupportedError
from snnc.compiler.frontend import trace
from snnc.compiler.frontend.files.load import load_model


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([node("Conv", "x w", auto_pad="SAME_UPPER", strides=[3, 2])], {"w": random(3, 2, 2, 4)}),
        ([node("Conv", "x w", auto_pad="SAME_LOWER", strides=[2, 2], dilations=[2, 1])], {"w": random(3, 2, 2, 4)}),
        ([node("Conv", "x w", auto_pad="SAME_UPPER")], {"w": random(3, 2, 2, 3)}),
        ([node("Conv", "x w", pads=[0, 1, 2, 0])], {"w": random(3, 2, 2, 3)}),
        ([node("Conv", "x w", group=2, auto_pad="VALID")], {"w": random(4, 1, 3, 3)}),
        ([node("ConvTranspose", "x w", strides=[2, 2], pads=[1, 0, 0, 1])], {"w": random(2, 3, 3, 3)}),
        ([node("ConvTranspose", "x w b", output_padding=[1, 1], strides=[2, 2])],
         {"w": random(2, 3, 2, 2), "b": random(3)}),
        ([node("AveragePool", "x", kernel_shape=[2, 2], pads=[1, 0, 0, 1], count_include_pad=1)], {}),
        ([node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])], {}),
        ([node("GlobalMaxPool", "x")], {}),
        ([node("ReduceMean", "x", axes=[-2, -1], keepdims=1)], {}),
        ([node("Clip", "x low")], {"low": np.float32(0)}),
        ([node("Sub", "c x")], {"c": random(2, 1, 1)}),
        ([node("Div", "x c")], {"c": random(1, 2, 1, 1)}),
        ([node("Sum", "x x x")], {}),
        ([helper.make_node("Split", ["x"], ["a", "b"], axis=1), node("Concat", "b a", axis=1)], {}),
        ([helper.make_node("Split", ["x", "s"], ["a", "b"], axis=2), node("Relu", "b")], {"s": np.array([2, 4])}),
        ([node("Slice", "x s e a t")],
         {"s": np.array([1, 0]), "e": np.array([6, -1]), "a": np.array([2, -1]), "t": np.array([2, 1])}),
        ([helper.make_node("Dropout", ["x"], ["d"]), node("Identity", "d")], {}),
        ([node("Flatten", "x", "f"), node("LogSoftmax", "f")], {}),
        ([node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Unsqueeze", "n axes", "m"),
          node("Concat", "m rest", "t", axis=0), node("Reshape", "x t")],
         {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1])}),
        ([node("Constant", "", "c", value=array("", random(2, 1, 1))), node("Add", "x c")], {}),
        ([node("Reshape", "x t")], {"t": np.array([0, -1])}),
        ([node("Transpose", "w0", "w", perm=[3, 2, 0, 1]), node("Conv", "x w")], {"w0": random(3, 3, 2, 4)}),
    ],
    ids=lambda value: "-".join(each.op_type for each in value) if isinstance(value, list) else "",
)  # fmt: skip
def test_operators_compute_what_onnx_says(tmp_path: Path, nodes: list[Any], constants: dict[str, Any]) -> None:
    check(model(nodes, constants, ("n", 2, 6, 7)), tmp_path, (2, 6, 7))


@pytest.mark.parametrize(
    ("nodes", "constants", "told"),
    [
        ([node("Sigmoid", "x")], {}, "net/y: Sigmoid is not supported; train with ReLU instead"),
        ([node("Clip", "x low high")], {"low": np.float32(0), "high": np.float32(6)}, "net/y: Clip to 0 to 6"),
        ([node("MatMul", "x x")], {}, "MatMul of two values that the network computes"),
        ([node("Mul", "x x")], {}, "the product of two values"),
        ([node("Div", "c x")], {"c": random(2, 1, 1)}, "a division by what the network computes"),
        ([node("Add", "x c")], {"c": random(6, 7)}, "one for each channel"),
        ([node("Conv", "x x")], {}, "weight of Conv is computed by the network"),
        ([node("Conv", "x w")], {"w": random(2, 2, 3)}, "Conv with weights of shape (2, 2, 3)"),
        ([node("MaxPool", "x", kernel_shape=[2, 2], auto_pad="SAME_UPPER")], {}, "padding that differs"),
        ([node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1])], {}, "count_include_pad=False"),
        ([node("Pad", "x p", mode="reflect")], {"p": np.zeros(8, np.int64)}, "Pad with other than a constant"),
        ([node("Transpose", "x", "t", perm=[0, 3, 2, 1]), node("Relu", "t")], {}, "the output is no tensor of classes"),
        (
            [node("Transpose", "x", "t", perm=[0, 3, 2, 1]), node("Conv", "t w")],
            {"w": random(2, 7, 1, 1)},
            "axes in the",
        ),
        ([node("Gather", "x i", axis=1)], {"i": np.array([0])}, "Gather is not supported; take slices instead"),
        ([node("Cast", "x", "i", to=7), node("Relu", "i")], {}, "Cast to whole numbers"),
        ([node("Relu", "nothing")], {}, "it reads nothing, which nothing gives"),
        ([helper.make_node("FusedConv", ["x"], ["y"], domain="com.microsoft")], {}, "com.microsoft.FusedConv is not"),
        ([node("Softmax", "x", axis=2)], {}, "softmax over axis 2"),
        ([node("Resize", "x")], {}, "Resize is not supported; train with ConvTranspose2d instead"),
    ],
)
def test_what_cannot_be_compiled_is_named(
    tmp_path: Path, nodes: list[Any], constants: dict[str, Any], told: str
) -> None:
    path = saved(model(nodes, constants, ("n", 2, 6, 7)), tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError) as error:
        trace(load_model(path), (2, 6, 7))
    assert told in str(error.value)


def normalizing(version: int, outputs: int = 1, **attributes: int) -> Any:
    statistics = {"s": random(2), "b": random(2), "m": random(2), "v": random(2) ** 2}
    names = ["y", *("m1", "v1", "m2", "v2")[: outputs - 1]]
    made = helper.make_node("BatchNormalization", ["x", *statistics], names, name="net/y", **attributes)
    return model([made], statistics, ("n", 2, 6, 7), version=version)


@pytest.mark.parametrize(
    ("version", "outputs", "attributes", "told"),
    [
        (17, 3, {"training_mode": 1}, "training_mode=1"),
        (13, 5, {}, "5 outputs"),
        (9, 3, {}, "3 outputs"),
        (7, 5, {}, "5 outputs"),
        (6, 1, {}, "is_test=0"),
    ],
)
def test_batch_normalization_in_training_mode_is_refused(
    tmp_path: Path, version: int, outputs: int, attributes: dict[str, int], told: str
) -> None:
    path = saved(normalizing(version, outputs, **attributes), tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError) as error:
        load_model(path)
    assert str(error.value).startswith("net/y: BatchNormalization in training mode") and told in str(error.value)
    assert "network.eval()" in str(error.value)


@pytest.mark.parametrize(
    ("version", "attributes"), [(17, {}), (13, {}), (8, {"spatial": 1}), (6, {"is_test": 1}), (1, {"is_test": 1})]
)
def test_batch_normalization_at_inference_is_read_of_every_version(
    tmp_path: Path, version: int, attributes: dict[str, int]
) -> None:
    read = load_model(saved(normalizing(version, **attributes), tmp_path / "m.onnx"))
    newest = load_model(saved(normalizing(17), tmp_path / "n.onnx"))
    batch = torch.rand(3, 2, 6, 7)
    assert torch.equal(read(batch), newest(batch))


def test_statistics_of_each_value_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="spatial=0"):
        load_model(saved(normalizing(8, spatial=0), tmp_path / "m.onnx"))


@pytest.mark.parametrize(("version", "axis"), [(12, 1), (12, -3)])
def test_a_softmax_over_all_that_follows_an_axis_is_refused(tmp_path: Path, version: int, axis: int) -> None:
    made = model([node("Softmax", "x", axis=axis)], {}, ("n", 2, 6, 7), version=version)
    with pytest.raises(UnsupportedError, match=f"Softmax over several axes, from axis {axis} on"):
        load_model(saved(made, tmp_path / "m.onnx"))


def test_a_softmax_over_channels_is_read(tmp_path: Path) -> None:
    check(model([node("Softmax", "x", axis=1)], {}, ("n", 2, 6, 7), version=13), tmp_path, (2, 6, 7))


def test_control_flow_is_refused(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [node("Relu", "x", "z")], "branch", [], [helper.make_tensor_value_info("z", FLOAT, None)]
    )
    made = model([node("If", "c", then_branch=branch, else_branch=branch)], {"c": np.array(True)}, ("n", 2, 6, 7))
    with pytest.raises(UnsupportedError, match=r"net/y: If is not supported \(expected a graph without control flow"):
        load_model(saved(made, tmp_path / "m.onnx"))


def test_several_outputs_are_refused(tmp_path: Path) -> None:
    made = model([node("Relu", "x", "y"), node("Relu", "x", "z")], {}, ("n", 2, 6, 7), ("y", "z"))
    with pytest.raises(UnsupportedError, match="returns several values"):
        trace(load_model(saved(made, tmp_path / "m.onnx")), (2, 6, 7))


def test_inputs_without_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"x: the input has 3 axes"):
        load_model(saved(model([node("Relu", "x")], {}, ("n", 2, 6)), tmp_path / "m.onnx"))


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(keras(), tmp_path / "m.onnx")
    imported = importlib.import_module

    def refusing(name: str, *arguments: Any) -> Any:
        if name == "onnx":
            raise ModuleNotFoundError("No module named 'onnx'")
        return imported(name, *arguments)

    monkeypatch.setattr(importlib, "import_module", refusing)
    with pytest.raises(ModelError, match=r"needs the package onnx; pip install"):
        load_model(path)


def test_all_that_is_unsupported_is_named_at_once(tmp_path: Path) -> None:
    nodes = [
        node("Sigmoid", "x", "s"),
        node("Conv", "s w", "c"),
        node("Tanh", "c", "t"),
        node("LSTM", "t", "l"),
        node("Add", "l t"),
    ]
    path = saved(model(nodes, {"w": random(2, 2, 1, 1)}, ("n", 2, 6, 7)), tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError) as error:
        load_model(path)
    assert str(error.value).startswith("3 places cannot be compiled: net/s: Sigmoid is not supported")
    assert "; net/t: Tanh is not supported" in str(error.value) and "; net/l: LSTM is not" in str(error.value)
