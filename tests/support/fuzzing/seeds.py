"""The files that fuzzing starts from: small ones that are right, of every kind."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from snnc.program import Program
from snnc.program.net.writer import to_bytes
from snnc.program.nir import FORMS, export_nir
from support.branching import branching
from support.lab_result import RESULT
from support.netx_files import random_file

DATA = Path(__file__).parents[2] / "data"


def seeds(target: str) -> list[bytes]:
    """Files of one kind, see ``TARGETS``."""
    return _SEEDS[target]()


def _written(write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return path.read_bytes()


def _chain() -> Program:
    """The first layer of ``branching``, and a readout."""
    program = branching()
    first, readout = program.layers[0], program.layers[-1]
    readout = replace(readout, synapses=(replace(readout.synapses[1], source=0),))
    return replace(program, layers=(first, readout))


def _netx() -> list[bytes]:
    cases = [(True, True, False), (False, False, False), (True, False, True)]
    return [
        _written(random_file(np.random.default_rng(number), block=block, delays=delays, returns=returns).write)
        for number, (block, delays, returns) in enumerate(cases)
    ]


def _nir() -> list[bytes]:
    return [_written(lambda path, form=form: export_nir(_chain(), path, form)) for form in FORMS]


def network() -> nn.Module:
    """A few hundred weights."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 3)
    ).eval()


def _torch() -> list[bytes]:
    return [
        _written(lambda path, zipped=zipped, what=what: torch.save(what, path, _use_new_zipfile_serialization=zipped))
        for zipped in (True, False)
        for what in (network(), network().state_dict())
    ]


def _exported() -> list[bytes]:
    return [path.read_bytes() for path in sorted(DATA.glob("exported-*.pt2"))]


def _onnx() -> list[bytes]:
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weights = {
        "k": rng.random((2, 1, 3, 3), np.float32),
        "b": rng.random(2, np.float32),
        "w": rng.random((3, 18), np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "k", "b"], ["c"], pads=[0, 0, 0, 0]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"], axis=1),
        helper.make_node("Gemm", ["f", "w"], ["y"], transB=1),
    ]
    described = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", ["n", 1, 8, 8]), ("y", ["n", 3]))
    ]
    initializers = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", described[:1], described[1:], initializers)
    return [helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()]


def _safetensors() -> list[bytes]:
    header = {
        "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "F16", "shape": [2], "data_offsets": [24, 28]},
        "__metadata__": {"format": "pt"},
    }
    text = json.dumps(header).encode()
    content = io.BytesIO()
    content.write(len(text).to_bytes(8, "little") + text + bytes(28))
    return [content.getvalue()]


_SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "net": lambda: [to_bytes(branching()), to_bytes(_chain())],
    "netx": _netx,
    "nir": _nir,
    "torch": _torch,
    "exported": _exported,
    "onnx": _onnx,
    "safetensors": _safetensors,
    "lab": lambda: [json.dumps(RESULT).encode()],
}
