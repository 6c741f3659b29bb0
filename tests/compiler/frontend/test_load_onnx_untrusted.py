"""ONNX files that nobody should trust: nothing elsewhere is read, no code run, no memory taken."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.formats import assert_close
from support.onnx_models import FLOAT, array, helper, keras, model, node, onnx, random, reference, saved
from torch import nn

from snnc.common.errors import ModelError, SnncError, UnsupportedError
from snnc.compiler.frontend import trace
from snnc.compiler.frontend.files.load import load_model


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
