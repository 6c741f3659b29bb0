"""Reading safetensors files, and refusing what contradicts itself."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.formats import assert_close, network

from snnc.cli import main
from snnc.common.errors import ModelError
from snnc.compiler.frontend.files.load import load_model
from snnc.compiler.frontend.files.safetensors import read_safetensors
from snnc.models import digits_cnn

safetensors = pytest.importorskip("safetensors.torch")


def written(path: Path, header: object, values: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + values)
    return path


def entry(dtype: str = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize("name", ["lenet", "vgg", "resnet20", "branches"])
def test_a_state_dict_comes_back_into_its_network(tmp_path: Path, name: str) -> None:
    original = network(name)
    path = tmp_path / "weights.safetensors"
    safetensors.save_file(original.module.state_dict(), path, metadata={"format": "pt"})

    read = load_model(path, arch=lambda: network(name).module)
    batch = original.batch(3)
    with torch.no_grad():
        assert_close(read(batch), original.module(batch))


def test_every_type_is_read(tmp_path: Path) -> None:
    types = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16]
    tensors = {str(each): torch.arange(6).reshape(2, 3).to(each) for each in [*types, torch.int8, torch.uint8]}
    tensors |= {"bool": torch.tensor([True, False]), "empty": torch.empty(0, 3), "scalar": torch.tensor(2.5)}
    safetensors.save_file(tensors, tmp_path / "m.safetensors")
    read = read_safetensors(tmp_path / "m.safetensors")
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype is tensor.dtype and torch.equal(read[name], tensor)


def test_the_network_has_to_be_named(tmp_path: Path) -> None:
    safetensors.save_file({"w": torch.ones(2)}, tmp_path / "m.safetensors")
    with pytest.raises(ModelError, match=r"is a state_dict of 1 tensors.*give --arch module:factory"):
        load_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("header", "values", "told"),
    [
        (b"{]" + b" " * 20, b"", "its header is no JSON"),
        (b"{" + b'"a":[' * 50_000, b"", "its header is no JSON"),
        (b'{"w":{},"w":{}}', b"", "a name twice"),
        ({"w": 3}, b"", "described in an unknown way"),
        ({"w": entry() | {"more": 1}}, bytes(8), "described in an unknown way"),
        ({"w": entry("F8_E4M3")}, bytes(8), "is of the type 'F8_E4M3'"),
        ({"w": entry(shape=[10**18, 10**18])}, bytes(8), "has 8 bytes"),
        ({"w": entry(shape=[-2])}, bytes(8), "no list of counts"),
        ({"w": entry(shape=[True])}, bytes(8), "no list of counts"),
        ({"w": entry(shape=[1] * 100 + [2])}, bytes(8), "no list of counts"),
        ({"w": entry(offsets=[0, 10**12], shape=[25 * 10**10])}, bytes(8), "its tensors have 1000000000000 bytes"),
        ({"w": entry(offsets=[8, 16])}, bytes(16), "overlap others or leave a gap"),
        ({"v": entry(), "w": entry()}, bytes(8), "overlap others or leave a gap"),
        ({"w": entry()}, bytes(12), "its tensors have 8 bytes, where 12 follow"),
        ({"w": entry()}, bytes(7), "its tensors have 8 bytes, where 7 follow"),
    ],
)
def test_files_that_contradict_themselves_are_refused(tmp_path: Path, header: object, values: bytes, told: str) -> None:
    path = written(tmp_path / "m.safetensors", header, values)
    with pytest.raises(ModelError, match="truncated or damaged") as error:
        load_model(path, arch=torch.nn.ReLU)
    assert told in str(error.value) and str(path) in str(error.value)


def test_a_header_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", 50_000_000) + b'{"w":')
    with pytest.raises(ModelError, match="its header of 50000000 bytes is longer"):
        load_model(tmp_path / "m.safetensors")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_gives_a_model_error_or_tensors(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(safetensors.save({"a": torch.ones(2, 3), "b": torch.arange(4)}))
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    for position in data.draw(st.lists(st.integers(0, max(0, len(content) - 1)), max_size=3)):
        if content:
            content[position] = data.draw(st.integers(0, 255))
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError):
        # Without --arch even an intact file is refused.
        load_model(path)


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    safetensors.save_file(digits_cnn().state_dict(), "w.safetensors")
    arguments = [
        "--arch",
        "digits_cnn",
        "--calib",
        "digits",
        "--calib-samples",
        "16",
        "--threshold",
        "max",
        "-o",
        "n.net",
        "-q",
    ]
    assert main(["compile", "w.safetensors", *arguments]) == 0
    assert main(["run", "n.net", "--data", "digits", "--samples", "4"]) == 0
