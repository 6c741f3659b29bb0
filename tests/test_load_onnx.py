"""Reading ONNX models: exports of PyTorch, graphs as tf2onnx writes them, and files that nobody should trust."""

from __future__ import annotations

import importlib
import inspect
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from formats import NETWORKS, Network, assert_close, assert_reads, network
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from tracing import output_of

from snnc.cli import main
from snnc.compiler.frontend import trace
from snnc.compiler.frontend.load import load_model
from snnc.errors import ModelError, SnncError, UnsupportedError
from snnc.models import digits_cnn

onnx = pytest.importorskip("onnx")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT

# The newer exporter, torch's default since 2.9, needs a package more.
HAS_CHOICE = "dynamo" in inspect.signature(torch.onnx.export).parameters
# Before, ONNX's own interpreter gives a convolution that has auto_pad other outputs than the standard.
PADS_AS_THE_STANDARD = tuple(map(int, onnx.__version__.split(".")[:2])) >= (1, 23)
EXPORTERS = [False, True] if HAS_CHOICE and importlib.util.find_spec("onnxscript") else [False]


def exported(original: Network, path: Path, *, newer: bool = False, samples: int = 2, open_batch: bool = False) -> Path:
    options: dict[str, Any] = {"dynamo": newer} if HAS_CHOICE else {}
    if open_batch and newer:
        options["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
    elif open_batch:
        options |= {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(original.module, (original.batch(samples),), str(path), **options)
    return path


@pytest.mark.parametrize("newer", EXPORTERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_model_computes_what_was_exported(tmp_path: Path, name: str, newer: bool) -> None:
    original = network(name)
    assert_reads(exported(original, tmp_path / "m.onnx", newer=newer), original)


@pytest.mark.parametrize("newer", EXPORTERS)
@pytest.mark.parametrize(("samples", "open_batch"), [(1, False), (4, False), (4, True)])
def test_the_number_of_samples_may_be_open_or_fixed(
    tmp_path: Path, newer: bool, samples: int, open_batch: bool
) -> None:
    class Sized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)
            self.fc = nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.conv(x))
            return self.fc(x.view(x.shape[0], x.shape[1] * 4))

    torch.manual_seed(0)
    original = Network(Sized().eval(), (1, 4, 4))
    path = exported(original, tmp_path / "m.onnx", newer=newer, samples=samples, open_batch=open_batch)
    assert_reads(path, original)


def test_errors_name_nodes(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Sequential(nn.Tanh())).eval()
    path = exported(Network(module, (2, 4, 4)), tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError, match=r"^/1/1\.0/Tanh: Tanh is not supported; train with ReLU instead"):
        load_model(path)


def test_layers_are_named_by_their_nodes(tmp_path: Path) -> None:
    original = network("vgg")
    graph = trace(load_model(exported(original, tmp_path / "m.onnx")), original.shape)
    assert "/0/Conv" in {name for node in graph for name in node.modules} and "0.Conv" in {each.name for each in graph}


# ---- graphs made by hand ----


def array(name: str, values: Any) -> Any:
    return onnx.numpy_helper.from_array(np.asarray(values), name)


def model(
    nodes: list[Any], constants: dict[str, Any], shape: tuple[Any, ...], outputs: tuple[str, ...] = ("y",)
) -> Any:
    """A model from x, of a shape, to y."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        [array(name, values) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


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


@pytest.mark.parametrize("samples", ["unk__6", 1])
def test_a_keras_network_is_read_with_channels_first(tmp_path: Path, samples: str | int) -> None:
    check(keras(samples), tmp_path, (3, 12, 10), channels_last=True)


def test_keras_without_a_softmax_and_with_preprocessing(tmp_path: Path) -> None:
    made = model(
        [
            node("Mul", "x factor", "scaled"),
            node("Sub", "scaled offset", "moved"),
            node("Transpose", "moved", "first", perm=[0, 3, 1, 2]),
            node("Pad", "first pads", "padded"),
            node("Conv", "padded w", "conv", kernel_shape=[3, 3], strides=[2, 2]),
            node("Add", "conv b", "biased"),
            node("Relu", "biased", "relu"),
            node("Transpose", "relu", "last", perm=[0, 2, 3, 1]),
            node("ReduceMean", "last", "y", axes=[1, 2], keepdims=0),
        ],
        {
            "factor": np.float32(0.5),
            "offset": np.array([0.1, 0.2, 0.3], np.float32),
            "pads": np.array([0, 0, 0, 0, 0, 0, 1, 1]),
            "w": random(4, 3, 3, 3),
            "b": random(1, 4, 1, 1),
        },
        ("n", 8, 8, 3),
    )
    check(made, tmp_path, (3, 8, 8), channels_last=True)


def test_a_residual_block_and_a_concatenation_with_channels_last(tmp_path: Path) -> None:
    made = model(
        [
            node("Transpose", "x", "a", perm=[0, 3, 1, 2]),
            node("Conv", "a w", "b", pads=[1, 1, 1, 1]),
            node("Transpose", "b", "c", perm=[0, 2, 3, 1]),
            node("Add", "x c", "d"),
            node("Relu", "d", "e"),
            node("Concat", "e c", "f", axis=-1),
            node("Slice", "f starts ends axes", "g"),
            node("Transpose", "g", "h", perm=[0, 3, 1, 2]),
            node("GlobalAveragePool", "h", "i"),
            node("Transpose", "i", "j", perm=[0, 2, 3, 1]),
            node("Squeeze", "j image", "k"),
            node("Gemm", "k m", "y"),
        ],
        {
            "w": random(2, 2, 3, 3),
            "starts": np.array([1]),
            "ends": np.array([2**63 - 1]),
            "axes": np.array([3]),
            "image": np.array([1, 2]),
            "m": random(3, 4),
        },
        ("n", 4, 4, 2),
    )
    check(made, tmp_path, (2, 4, 4), channels_last=True)


def test_one_channel_may_be_moved_by_a_reshape(tmp_path: Path) -> None:
    made = model(
        [
            node("Reshape", "x first", "a"),
            node("Conv", "a w", "b"),
            node("Transpose", "b", "c", perm=[0, 2, 3, 1]),
            node("Reshape", "c flat", "y"),
        ],
        {"first": np.array([-1, 1, 4, 5]), "w": random(2, 1, 3, 3), "flat": np.array([-1, 12])},
        ("n", 4, 5, 1),
    )
    check(made, tmp_path, (1, 4, 5), channels_last=True)


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
        ([node("Mul", "x x")], {}, "Mul of two values"),
        ([node("Div", "c x")], {"c": random(2, 1, 1)}, "Div by what the network computes"),
        ([node("Add", "x c")], {"c": random(6, 7)}, "one number for each channel"),
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


# ---- files that nobody should trust ----


def small() -> Any:
    return model([node("Conv", "x w")], {"w": random(3, 2, 1, 1)}, ("n", 2, 6, 7))


def external(location: str, **where: Any) -> Callable[[Any], None]:
    def change(tensor: Any) -> None:
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in {"location": location, **where}.items():
            tensor.external_data.add(key=key, value=str(value))

    return change


def with_weight(tmp_path: Path, change: Callable[[Any], None]) -> Path:
    made = small()
    change(made.graph.initializer[0])
    return saved(made, tmp_path / "m.onnx")


def test_values_beside_the_model_are_read(tmp_path: Path) -> None:
    (tmp_path / "m.data").write_bytes(b"????" + random(3, 2, 1, 1).tobytes())
    read = load_model(with_weight(tmp_path, external("m.data", offset=4, length=24)))
    batch = torch.ones(1, 2, 6, 7)
    assert_close(read(batch), reference(small(), batch))


@pytest.mark.parametrize(
    "location",
    [
        "../m.data",
        "/etc/passwd",
        "sub/m.data",
        "sub\\m.data",
        "..",
        ".",
        "",
        "c:m.data",
        "m.data\0x",
        "link",
        "pipe",
        "sub",
        "none",
    ],
)
def test_values_elsewhere_are_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for place in (tmp_path, folder / "sub", folder):
        (place / "m.data").write_bytes(random(3, 2, 1, 1).tobytes())
    (folder / "link").symlink_to(tmp_path / "m.data")
    os.mkfifo(folder / "pipe")
    with pytest.raises(ModelError, match="truncated or damaged"):
        load_model(with_weight(folder, external(location)))


@pytest.mark.parametrize(
    "where",
    [
        {"offset": 4},
        {"offset": -4},
        {"offset": 10**30},
        {"length": 8},
        {"length": 10**15},
        {"offset": "x"},
    ],
)
def test_values_beyond_the_file_are_refused(tmp_path: Path, where: dict[str, Any]) -> None:
    (tmp_path / "m.data").write_bytes(random(3, 2, 1, 1).tobytes())
    with pytest.raises(ModelError, match="truncated or damaged"):
        load_model(with_weight(tmp_path, external("m.data", **where)))


def test_a_file_beside_the_model_is_read_once(tmp_path: Path) -> None:
    """Many tensors that are one part of a file would take any memory."""
    (tmp_path / "m.data").write_bytes(random(3, 2, 1, 1).tobytes())
    made = small()
    external("m.data")(made.graph.initializer[0])
    for number in range(3):
        made.graph.initializer.append(made.graph.initializer[0])
        made.graph.initializer[-1].name = f"w{number}"
    with pytest.raises(ModelError, match="lies on another"):
        load_model(saved(made, tmp_path / "m.onnx"))


@pytest.mark.parametrize("dims", [[2**40, 2**40], [-1], [3, 2, 1, 2], [1] * 20 + [6], [2**62] * 4])
def test_declared_sizes_take_no_memory(tmp_path: Path, dims: list[int]) -> None:
    def change(tensor: Any) -> None:
        del tensor.dims[:]
        tensor.dims.extend(dims)

    with pytest.raises(ModelError, match="truncated or damaged"):
        load_model(with_weight(tmp_path, change))


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([node("ConstantOfShape", "n")], {"n": np.array([2**40])}),
        # Each doubles what the one before gives, or squares it.
        ([node("Concat", f"c{i} c{i}", f"c{i + 1}", axis=0) for i in range(40)], {"c0": np.array([1])}),
        ([node("Shape", "x", "c0"), *(node("Mul", f"c{i} c{i}", f"c{i + 1}") for i in range(40))], {}),
        # Each copies a constant.
        ([node("Reshape", "w n", "v0"), *(
            each for i in range(0, 80, 2)
            for each in (node("Transpose", f"v{i}", f"v{i + 1}"), node("Reshape", f"v{i + 1} n", f"v{i + 2}"))
        )], {"w": np.zeros((500, 300), np.float32), "n": np.array([300, 500])}),
    ],
    ids=["shape", "concat", "square", "copy"],
)  # fmt: skip
def test_constants_do_not_grow(tmp_path: Path, nodes: list[Any], constants: dict[str, Any]) -> None:
    path = saved(model([*nodes, node("Relu", "x")], constants, ("n", 2, 6, 7)), tmp_path / "m.onnx")
    with pytest.raises(SnncError):
        trace(load_model(path), (2, 6, 7))


def test_names_from_the_file_become_no_code(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    evil = f"x'\"\n); __import__('os').system('touch {mark}') #\x1b[2J"
    made = model(
        [
            helper.make_node("Conv", ["x", evil], [evil + "y"], name=evil),
            helper.make_node("Tanh", [evil + "y"], ["y"], evil),
        ],
        {evil: random(3, 2, 1, 1)},
        ("n", 2, 6, 7),
    )
    with pytest.raises(UnsupportedError, match="Tanh") as error:
        load_model(saved(made, tmp_path / "m.onnx"))
    assert "\x1b" not in str(error.value) and "\n" not in str(error.value)
    del made.graph.node[1]
    made.graph.output[0].name = evil + "y"
    trace(load_model(saved(made, tmp_path / "m.onnx")), (2, 6, 7))
    assert not mark.exists()


@pytest.mark.parametrize("part", [0, 0.3, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, part: float) -> None:
    content = keras().SerializeToString()
    (tmp_path / "m.onnx").write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ModelError):
        load_model(tmp_path / "m.onnx")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_gives_an_error_or_a_network(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(KERAS)
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    for position in data.draw(st.lists(st.integers(0, max(0, len(content) - 1)), max_size=4)):
        if content:
            content[position] = data.draw(st.integers(0, 255))
    (tmp_path / "m.onnx").write_bytes(content)
    try:
        assert isinstance(load_model(tmp_path / "m.onnx"), nn.Module)
    except SnncError as error:
        assert "\n" not in str(error)


def _without_weights() -> bytes:
    """Most bytes of a small model are its structure."""
    made = keras()
    for each in made.graph.initializer:
        if each.data_type == FLOAT:
            each.CopyFrom(array(each.name, np.zeros([1] * len(each.dims), np.float32)))
    content: bytes = made.SerializeToString()
    return content


KERAS = _without_weights()


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    exported(Network(digits_cnn().eval(), (1, 8, 8)), tmp_path / "m.onnx")
    assert main(["compile", "m.onnx", "--calib", "digits", "--calib-samples", "16", "--threshold", "max", "-q"]) == 0
    assert main(["run", "m.net", "--data", "digits", "--samples", "4"]) == 0
