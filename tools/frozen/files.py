"""Model files of every format that is read, data files, and a netx file of another tool; all in one working folder."""

from __future__ import annotations

import importlib.util
import shutil
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from networks import NETWORKS, Shape, network
from torch import nn

import snnc

# Of files that are no network of networks.py; all others are digits.
SHAPES: dict[str, Shape] = {
    "branched.nir": (2, 6, 6),
    "branches.onnx": (2, 8, 8),
    "branches.pt2": (2, 8, 8),
    "keras.onnx": (3, 12, 10),
    "resnet20.th": (3, 32, 32),
    "residual.pt2": (2, 8, 8),
    "sinabs.nir": (2, 34, 34),
}
# By name in the working folder, where a file lies in the folder of --shared.
SHARED = {"resnet20.th": "data/checkpoints/resnet20-12fca82f.th", "sinabs.nir": "data/nir/cnn_sinabs.nir"}

PICTURES = "data/cifar10-jpeg/test.zip"
SAMPLES = 96


def samples(shape: Shape, count: int = SAMPLES, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Images of 8 bits that are smooth, of different brightness, or features; and labels that mean nothing.

    Args:
        shape: Of one sample.
        count: Their number.
        seed: Of numpy's RandomState, whose stream is fixed for ever.
    """
    random = np.random.RandomState(seed + sum(shape))
    values = random.uniform(0, 255, (count, *shape))
    for axis in range(2, values.ndim):
        values = (values + np.roll(values, 1, axis)) / 2
    values = values * random.uniform(0.3, 1, (count,) + (1,) * len(shape))
    return values.astype(np.uint8), random.randint(0, 3, count).astype(np.int64)


def pictures(shared: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """A few images of CIFAR-10, of all classes; random ones where there is no such file."""
    if shared is None or not (shared / PICTURES).exists():
        return samples((3, 32, 32))
    data = snnc.load_data(str(shared / PICTURES), split="test")
    step = len(data.images) // SAMPLES
    return np.asarray(data.images[::step])[:SAMPLES], np.asarray(data.labels)[::step][:SAMPLES]


def write_models(folder: Path, trained: nn.Module, shared: Path | None) -> None:
    """Writes everything that ``file:`` in cases.py and the commands name.

    Args:
        folder: The working folder.
        trained: The network for digits.
        shared: Where published weights and images lie; None: these are left out.
    """
    batch = torch.zeros(2, 1, 8, 8)
    state = trained.state_dict()
    torch.save(trained, folder / "saved.pt")
    torch.save(state, folder / "state.pt")
    prefixed = {f"module.{name}": value for name, value in state.items()}
    torch.save({"epoch": 3, "state_dict": prefixed}, folder / "checkpoint.pt")
    torch.save(network("lenet-max"), folder / "lenet.pt")
    torch.save(network("clipped-digits"), folder / "clipped.pt")
    torch.save(network("chain"), folder / "chain.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(trained, batch), folder / "scripted.pt")
        torch.export.save(torch.export.export(trained, (batch,)), folder / "exported.pt2")
        for name in ("branches", "residual"):
            zeros = torch.zeros(2, *NETWORKS[name][1])
            torch.export.save(torch.export.export(network(name), (zeros,)), folder / f"{name}.pt2")
        _write_onnx(folder, trained)
    _write_safetensors(folder, state)
    _write_nir(folder)
    _write_netx(folder)
    for name, shape in {"images": (1, 28, 28), "small": (2, 8, 8)}.items():
        x, y = samples(shape)
        np.savez(folder / f"{name}.npz", x=x, y=y)
    x, y = pictures(shared)
    np.savez(folder / "pictures.npz", x=x, y=y)
    for name, path in SHARED.items():
        if shared is not None and (shared / path).exists():
            shutil.copyfile(shared / path, folder / name)
    _say_reset(folder / "sinabs.nir")


def _write_safetensors(folder: Path, state: dict[str, torch.Tensor]) -> None:
    try:
        from safetensors.torch import save_file
    except ImportError:
        return
    save_file(state, folder / "weights.safetensors", metadata={"format": "pt"})


def _floats(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed + sum(shape)).uniform(-1, 1, shape).astype(np.float32)


def _write_onnx(folder: Path, trained: nn.Module) -> None:
    try:
        import onnx
    except ImportError:
        return
    torch.onnx.export(trained, (torch.zeros(1, 1, 8, 8),), str(folder / "digits.onnx"))
    torch.onnx.export(network("branches"), (torch.zeros(1, 2, 8, 8),), str(folder / "branches.onnx"))
    helper = onnx.helper

    def node(operator: str, inputs: str, output: str, **attributes: Any) -> Any:
        return helper.make_node(operator, inputs.split(), [output], name=f"net/{output}", **attributes)

    # As tf2onnx writes a network of Keras: channels last, transpositions at both ends, a matrix and a bias.
    nodes = [
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
    ]
    constants = {
        "w1": _floats(4, 3, 3, 3),
        "b1": _floats(4),
        "w2": _floats(5, 4, 3, 3),
        "scale": 1 + _floats(5) / 2,
        "shift": _floats(5, seed=1),
        "mean": _floats(5, seed=2),
        "variance": 0.5 + _floats(5, seed=3) ** 2,
        "sizes": np.array([-1, 45]),
        "w3": _floats(45, 6),
        "b3": _floats(6),
    }
    number = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", number, ("samples", 12, 10, 3))],
        [helper.make_tensor_value_info("y", number, None)],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "keras.onnx").write_bytes(made.SerializeToString())


def _write_nir(folder: Path) -> None:
    try:
        import nir
    except ImportError:
        return

    def neurons(*shape: int, threshold: float = 2.0, reset: float = 0.0) -> Any:
        full = [np.full(shape, each) for each in (1e4, threshold, reset)]
        return nir.IF(*full, metadata={"reset": "subtract"})

    def convolution(size: int, weight: np.ndarray, padding: int = 0) -> Any:
        return nir.Conv2d((size, size), weight, 1, padding, 1, 1, _floats(len(weight)) / 2)

    def linear(rows: int, columns: int) -> Any:
        return nir.Linear(_floats(rows, columns) / 4)

    nodes = [
        nir.Input(np.array([1, 8, 8])),
        convolution(8, _floats(8, 1, 3, 3), 1),
        neurons(8, 8, 8, threshold=1.5, reset=-0.5),
        nir.Flatten({"input": np.array([8, 8, 8])}, start_dim=0, end_dim=-1),
        nir.Affine(_floats(10, 512) / 8, _floats(10)),
        nir.Output(np.array([10])),
    ]
    nir.write(folder / "others.nir", nir.NIRGraph.from_list(*nodes, type_check=False))
    named = {
        "in": nir.Input(np.array([2, 6, 6])),
        "a": convolution(6, _floats(4, 2, 3, 3), 1),
        "first": neurons(4, 6, 6),
        "b": convolution(6, _floats(4, 4, 3, 3) / 2, 1),
        "c": convolution(6, _floats(4, 4, 1, 1)),
        "second": neurons(4, 6, 6, reset=-0.5),
        "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([4, 3, 3])}, start_dim=0, end_dim=-1),
        "out": linear(5, 36),
        "end": nir.Output(np.array([5])),
    }
    path = "in-a a-first first-b first-c b-second c-second second-pool pool-flat flat-out out-end"
    edges = [tuple(each.split("-")) for each in path.split()]
    nir.write(folder / "branched.nir", nir.NIRGraph(named, edges, type_check=False))


def _say_reset(path: Path) -> None:
    """Writes into a graph that its neurons reset by subtraction, which NIR cannot say and the tool's do."""
    if not path.exists() or importlib.util.find_spec("nir") is None:
        return
    import nir

    graph = nir.read(path)
    for node in graph.nodes.values():
        if isinstance(node, nir.IF):
            node.metadata["reset"] = "subtract"
    nir.write(path, graph)


def _write_netx(folder: Path) -> None:
    """A network that lava-dl could have exported, with neurons that leak, and events for it."""
    random = np.random.RandomState(3)

    def neuron(**changes: Any) -> dict[str, Any]:
        return {"type": "CUBA", "iDecay": 700, "vDecay": 128, "vThMant": 90, "refDelay": 1, **changes}

    def even(*shape: int) -> np.ndarray:
        return (2 * random.randint(-50, 70, shape)).astype(np.float32)

    pair = np.array([1, 1])
    convolution = {
        "type": "conv",
        "shape": np.array([4, 5, 4]),
        "weight": even(4, 2, 3, 3, 1),
        "bias": random.randint(-60, 60, 4).astype(np.float32),
        "stride": pair,
        "padding": pair,
        "dilation": pair,
        "groups": 1,
        "inChannels": 2,
        "outChannels": 4,
        "kernelSize": np.array([3, 3]),
        "neuron": neuron(),
    }
    entries: list[dict[str, Any]] = [
        {"type": "input", "shape": np.array([2, 5, 4])},
        convolution,
        {"type": "flatten", "shape": np.array([80, 1, 1])},
        *(
            {
                "type": "dense",
                "shape": np.array([outputs]),
                "weight": even(outputs, inputs),
                "bias": random.randint(-60, 60, outputs).astype(np.float32),
                "inFeatures": inputs,
                "outFeatures": outputs,
                "neuron": neuron(iDecay=4095, vDecay=1024),
            }
            for inputs, outputs in ((80, 6), (6, 5))
        ),
    ]
    with h5py.File(folder / "others.net", "w") as file:
        layers = file.create_group("layer")
        for index, entry in enumerate(entries):
            _write_members(layers.create_group(str(index)), entry)
        _write_members(file.create_group("simulation"), {"Ts": 1, "tSample": 8})
    events = random.randint(0, 3, (6, 8, 2, 5, 4)) == 0
    np.savez(folder / "events.npz", x=events.astype(np.uint8), y=random.randint(0, 5, 6))


def _write_members(group: h5py.Group, members: dict[str, Any]) -> None:
    for name, value in members.items():
        if isinstance(value, dict):
            _write_members(group.create_group(name), value)
        elif name == "type" and not str(group.name).endswith("neuron"):
            group.create_dataset(name, (1,), "S10", [value.encode()])
        else:
            group.create_dataset(name, data=value)
