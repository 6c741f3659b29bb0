"""Model files that are damaged or contradict themselves are refused."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.saved_models import EMPTY_STATE, LINEAR, RELU, archive, line, saved, small_network, text
from torch import nn

from snnc.common.errors import ModelError
from snnc.compiler.frontend.files.load import load_model


@pytest.mark.parametrize(
    ("pickled", "told"),
    [
        (b"(K\x01", "exhausted before seeing STOP"),
        (b"(S'ls'\nios\nsystem\n.", "uses STRING"),
        (b"(ios\nsystem\n.", "uses INST"),
        (b"(" + LINEAR + b"o.", "uses OBJ"),
        (b"\x82\x01.", "uses EXT1"),
        (b"Pabc\n.", "uses PERSID"),
        (b".", "damaged"),
        (b"K\x01K\x02s.", "damaged"),
        (b"j\xff\xff\xff\xff.", "damaged"),
        (b"\x86.", "damaged"),
        (b"\x80\x63N.", "protocol 99"),
        (b"K\x01\x93.", "damaged"),
        (b"K\x01K\x02\x93.", "a name is not text"),
        (b"K\x01(K\x02e.", "items are put into a int"),
        (b"}(K\x02u.", "a key without a value"),
        (b"NQ.", "a storage is described in an unknown way"),
        (RELU + b")\x81}b.", "a ReLU has no _parameters"),
        (RELU + b")\x81}(" + EMPTY_STATE[:-1] + b"K\x01ub.", "whether it is training"),
        (RELU + b")\x81}(" + EMPTY_STATE + b"K\x01K\x02ub.", "not named by text"),
        (RELU + b")\x81}(" + EMPTY_STATE + text("_modules") + b"}" + text("a") + b"K\x01sub.", "a of a ReLU is a int"),
        (RELU + b")\x81}(" + EMPTY_STATE + text("_modules") + b"}" + text("a.b") + b"Nsub.", "the name 'a.b'"),
    ],
)
def test_damaged_pickles_are_refused(tmp_path: Path, pickled: bytes, told: str) -> None:
    with pytest.raises(ModelError, match=told) as error:
        load_model(archive(tmp_path / "m.pt", b"\x80\x04" + pickled))
    assert "truncated or damaged" in line(error)


def tensor_pickle(storage_type: str, count: bytes, offset: bytes, size: bytes, stride: bytes) -> bytes:
    storage = (
        b"(" + text("storage") + text("torch") + text(storage_type) + b"\x93" + text("0") + text("cpu") + count + b"tQ"
    )
    rebuild = text("torch._utils") + text("_rebuild_tensor_v2") + b"\x93("
    hooks = text("collections") + text("OrderedDict") + b"\x93)R"
    return b"\x80\x04}" + text("w") + rebuild + storage + offset + size + stride + b"\x89" + hooks + b"tRs."


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("FloatStorage", b"K\x04", b"K\x00", b"K\x05\x85", b"K\x01\x85"), "outside its storage of 4 values"),
        (("FloatStorage", b"K\x04", b"K\x01", b"K\x04\x85", b"K\x01\x85"), "outside its storage"),
        (("FloatStorage", b"K\x04", b"K\x00", b"K\x02\x85", b"K\x04\x85"), "outside its storage"),
        (("FloatStorage", b"K\x04", b"K\x00", b"J\xff\xff\xff\x7f\x85", b"K\x00\x85"), "outside its storage"),
        (("FloatStorage", b"K\x04", b"J\xff\xff\xff\xff", b"K\x01\x85", b"K\x01\x85"), "offset is not a count"),
        (
            ("FloatStorage", b"K\x04", b"K\x00", b"K\x02\x85", b"J\xff\xff\xff\xff\x85"),
            "stride is not a tuple of counts",
        ),
        (("FloatStorage", b"K\x04", b"K\x00", b"K\x02\x85", b"K\x01K\x01\x86"), "different lengths"),
        (("FloatStorage", b"K\x05", b"K\x00", b"K\x01\x85", b"K\x01\x85"), "data/0 is too short"),
    ],
)
def test_tensors_stay_inside_their_values(
    tmp_path: Path, arguments: tuple[str, bytes, bytes, bytes, bytes], told: str
) -> None:
    path = archive(tmp_path / "m.pt", tensor_pickle(*arguments), {"data/0": b"\x00" * 16})
    with pytest.raises(ModelError, match=told):
        load_model(path)


def test_the_tensor_pickle_above_is_right_but_for_its_numbers(tmp_path: Path) -> None:
    pickled = tensor_pickle("FloatStorage", b"K\x04", b"K\x01", b"K\x03\x85", b"K\x01\x85")
    path = archive(tmp_path / "m.pt", pickled, {"data/0": struct.pack("<4f", 1, 2, 3, 4)})
    with pytest.raises(ModelError, match="state_dict of 1 tensors"):
        load_model(path)


def test_unsupported_tensors_are_named(tmp_path: Path) -> None:
    for content in [{"w": torch.ones(2, dtype=torch.complex64)}, {"w": torch.eye(2).to_sparse()}]:
        with pytest.raises(ModelError, match="a kind that is not supported"):
            load_model(saved(content, tmp_path / "m.pt"))


def test_compressed_duplicate_and_foreign_endian_archives_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="compressed"):
        load_model(archive(tmp_path / "c.pt", b"\x80\x02N." + b" " * 1000, compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(ModelError, match="another byte order"):
        load_model(archive(tmp_path / "b.pt", b"\x80\x02N.", {"byteorder": b"big"}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ModelError, match="same name"), zipfile.ZipFile(tmp_path / "d.pt", "w") as file:
            file.writestr("model/data.pkl", b"\x80\x02N.")
            file.writestr("model/version", b"3")
            file.writestr("model/version", b"4")
            file.close()
            load_model(tmp_path / "d.pt")


def test_a_network_that_contains_itself_is_refused(tmp_path: Path) -> None:
    network = nn.Sequential(nn.ReLU())
    network.add_module("again", network)
    with pytest.raises(ModelError, match=r"cannot be used.*RecursionError"):
        load_model(saved(network, tmp_path / "m.pt"))


def test_a_layer_without_state_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be used"):
        load_model(archive(tmp_path / "m.pt", b"\x80\x04" + LINEAR + b")\x81."))


def test_lazy_layers_unknown_layers_and_old_protocols_are_explained(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = saved(nn.LazyLinear(3), tmp_path / "m.pt")
    with pytest.raises(ModelError, match="lazy layer without a size"):
        load_model(path)
    path = archive(path, b"\x80\x04" + text("torch.nn.modules.linear") + text("FutureLinear") + b"\x93.")
    with pytest.raises(ModelError, match=r"torch\.nn\.modules\.linear\.FutureLinear.*found torch \d"):
        load_model(path)
    with pytest.raises(ModelError, match="protocol 0 or 1"):
        load_model(saved(nn.ReLU(), tmp_path / "m.pt", pickle_protocol=1))


def test_nan_in_a_parameter_is_named(tmp_path: Path) -> None:
    network = small_network()
    with torch.no_grad():
        network[6].bias[1] = float("nan")
    with pytest.raises(ModelError, match=r"NaN or infinity.*6\.bias"):
        load_model(saved(network, tmp_path / "m.pt"))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_gives_a_model_error_or_a_network(tmp_path: Path, data: st.DataObject) -> None:
    as_zip = data.draw(st.booleans())
    content = bytearray(FILES[as_zip])
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    for position in data.draw(st.lists(st.integers(0, max(0, len(content) - 1)), max_size=3)):
        if content:
            content[position] = data.draw(st.integers(0, 255))
    path = tmp_path / "m.pt"
    path.write_bytes(content)
    try:
        assert isinstance(load_model(path), nn.Module)
    except ModelError as error:
        assert "\n" not in str(error)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_inside_the_pickle_gives_a_model_error_or_a_network(tmp_path: Path, data: st.DataObject) -> None:
    pickled = bytearray(PICKLED)
    for position in data.draw(st.lists(st.integers(0, len(pickled) - 1), min_size=1, max_size=4)):
        pickled[position] = data.draw(st.integers(0, 255))
    path = archive(tmp_path / "m.pt", bytes(pickled), {f"data/{key}": b"\x00" * 64 for key in range(2)})
    try:
        assert isinstance(load_model(path), nn.Module)
    except ModelError as error:
        assert "\n" not in str(error)


def _saved_bytes(as_zip: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), buffer, _use_new_zipfile_serialization=as_zip)
    return buffer.getvalue()


FILES = {as_zip: _saved_bytes(as_zip) for as_zip in (True, False)}
with zipfile.ZipFile(io.BytesIO(FILES[True])) as _file:
    PICKLED = _file.read(next(name for name in _file.namelist() if name.endswith("data.pkl")))
