"""Reading model files: what is read, what is refused, and that nothing in a refused file has run."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from snnc.compiler.frontend.load import load_model
from snnc.compiler.frontend.load_admitted import look_up
from snnc.compiler.frontend.load_restricted import read_restricted
from snnc.compiler.frontend.load_state import load_state
from snnc.errors import ModelError, OptionError, SnncError, UntrustedModelError


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.BatchNorm2d(2),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(32, 4),
    )


def saved(value: object, path: Path, **options: object) -> Path:
    torch.save(value, path, **options)
    return path


def archive(path: Path, pickled: bytes, records: dict[str, bytes] | None = None, compression: int = 0) -> Path:
    """Write a zip archive of torch.save's form around a pickle."""
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("model/data.pkl", pickled)
        for name, content in (records or {}).items():
            file.writestr(f"model/{name}", content)
    return path


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def line(error: pytest.ExceptionInfo[SnncError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


# ---- what is read ----


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("as_zip", [True, False])
def test_a_saved_network_comes_back_as_it_was(tmp_path: Path, protocol: int, as_zip: bool) -> None:
    network = small_network()
    path = saved(network, tmp_path / "m.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=as_zip)
    loaded = load_model(path)
    images = torch.rand(3, 1, 8, 8)
    assert not loaded.training and not any(module.training for module in loaded.modules())
    assert [type(module) for module in loaded] == [type(module) for module in network]
    assert torch.equal(loaded(images), network.eval()(images))
    assert loaded.state_dict().keys() == network.state_dict().keys()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_precisions_become_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    network = small_network().to(dtype)
    loaded = load_model(saved(network, tmp_path / "m.pt"))
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert torch.equal(loaded[0].weight, network[0].weight.float())


def test_shared_modules_and_parameters_stay_shared(tmp_path: Path) -> None:
    relu, first, second = nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    loaded = load_model(saved(nn.Sequential(first, relu, second, relu), tmp_path / "m.pt"))
    assert loaded[1] is loaded[3]
    assert loaded[0].weight is loaded[2].weight


def test_views_of_one_storage_are_read(tmp_path: Path) -> None:
    linear = nn.Linear(3, 2)
    linear.weight = nn.Parameter(torch.arange(6.0).reshape(3, 2).t())
    loaded = load_model(saved(linear, tmp_path / "m.pt"))
    assert torch.equal(loaded.weight, linear.weight)


def test_layers_with_functions_hooks_and_odd_members_are_read(tmp_path: Path) -> None:
    layers = [
        nn.LSTM(3, 4, 2, bidirectional=True),
        nn.MultiheadAttention(8, 2),
        nn.TransformerEncoderLayer(8, 2),
        nn.Embedding(3, 4),
        nn.ParameterList([nn.Parameter(torch.ones(2))]),
        nn.ModuleDict({"a": nn.ReLU()}),
        nn.Upsample(scale_factor=2),
        nn.BatchNorm1d(3, affine=False, track_running_stats=False),
        nn.Linear(3, 4, bias=False),
    ]
    for layer in layers:
        loaded = load_model(saved(layer, tmp_path / "m.pt"))
        assert type(loaded) is type(layer)
        for key, value in layer.state_dict().items():
            assert torch.equal(loaded.state_dict()[key], value)


def test_tensor_attributes_are_left_out(tmp_path: Path) -> None:
    network = small_network()
    network[0].weight.note = "mine"
    network[1].running_mean.note = "mine"
    loaded = load_model(saved(network, tmp_path / "m.pt"))
    assert torch.equal(loaded[0].weight, network[0].weight)
    assert not hasattr(loaded[0].weight, "note")


def test_data_parallel_and_checkpoints_are_unwrapped(tmp_path: Path) -> None:
    network = small_network()
    assert type(load_model(saved(nn.DataParallel(network), tmp_path / "p.pt"))) is nn.Sequential
    loaded = load_model(saved({"epoch": 3, "model": network}, tmp_path / "c.pt"))
    assert torch.equal(loaded[0].weight, network[0].weight)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "squeezenet1_1"])
def test_torchvision_networks_are_read(tmp_path: Path, name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    network = getattr(models, name)(weights=None, num_classes=3)
    loaded = load_model(saved(network, tmp_path / "m.pt"))
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded(images), network.eval()(images))


# ---- what is refused, because it would run code ----


class RunsCode:
    """What an attacker's pickle looks like."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> object:
        return self.call


class OwnNetwork(nn.Module):
    """A class that did not come with torch."""


def test_a_class_of_the_users_own_needs_trust(tmp_path: Path) -> None:
    with pytest.raises(UntrustedModelError) as error:
        load_model(saved(nn.Sequential(OwnNetwork()), tmp_path / "m.pt"))
    message = line(error)
    assert f"{OwnNetwork.__module__}.OwnNetwork" in message
    assert "would run code" in message and "--trust" in message and "--arch module:factory" in message
    assert str(tmp_path / "m.pt") in message


@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_runs_code_is_refused_before_anything_runs(tmp_path: Path, protocol: int, as_zip: bool) -> None:
    mark = tmp_path / "ran"
    evil = RunsCode(os.system, f"touch {mark}")
    for number, content in enumerate([evil, {"state_dict": {"w": torch.ones(1)}, "x": evil}, [evil]]):
        path = tmp_path / f"{number}.pt"
        saved(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=as_zip)
        with pytest.raises(UntrustedModelError, match=r"system"):
            load_model(path)
        assert not mark.exists()
    # The same file does run what it says once it is trusted: so the test above would have seen it.
    with pytest.raises(ModelError):
        load_model(tmp_path / "0.pt", trust=True)
    assert mark.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("posix", "system"),
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("builtins", "getattr"),
        ("__builtin__", "eval"),
        ("builtins", "__import__"),
        ("subprocess", "Popen"),
        ("functools", "partial"),
        ("importlib", "import_module"),
        ("torch", "load"),
        ("torch", "nn.Linear"),
        ("torch", "os.system"),
        ("torch", "_C"),
        ("torch.hub", "load"),
        ("torch.jit", "load"),
        ("torch.serialization", "os"),
        ("torch._utils", "_import_dotted_name"),
        ("torch.nn.functional", "torch.os.system"),
        ("torch.nn.functional", "importlib"),
        ("torch.nn.functional", "__builtins__"),
        ("torch.nn.modules.module", "torch.os.system"),
        ("torch.nn.modules.module", "warnings"),
        ("torch.nn.modules.module", "Module.__init__"),
        ("torch.nn.modules.module", "register_module_forward_hook"),
        ("torch.nn.modules.linear", "init.math.os"),
        ("torch.nn.modules.linear", "Module"),
        ("torch.nn.modules.container", "OrderedDict"),
        ("torch.nn.modules.conv", "__loader__"),
        ("torch.nn.utils.weight_norm", "WeightNorm"),
        ("torch.fx.graph_module", "reduce_graph_module"),
        ("torch.nn.modules..linear", "a b"),
    ],
)
def test_no_other_name_is_admitted(tmp_path: Path, module: str, name: str) -> None:
    with pytest.raises(UntrustedModelError, match=r"would run code"):
        look_up(module, name, "m.pt")
    # Named on the stack, and never called.
    path = archive(tmp_path / "m.pt", b"\x80\x04" + text(module) + text(name) + b"\x93.")
    with pytest.raises(UntrustedModelError) as error:
        load_model(path)
    assert f"{module.replace('__builtin__', 'builtins')}.{name}" in line(error)


def test_a_module_that_is_not_imported_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "evilpackage"
    package.mkdir()
    (package / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for module in ["evilpackage", "torch.nn.modules.evilpackage", "torchvision.models.evilpackage"]:
        path = archive(tmp_path / "m.pt", b"\x80\x04" + text(module) + text("Net") + b"\x93.")
        with pytest.raises(ModelError):
            load_model(path)
    assert not (tmp_path / "ran").exists()


LINEAR = text("torch.nn.modules.linear") + text("Linear") + b"\x93"
RELU = text("torch.nn.modules.activation") + text("ReLU") + b"\x93"
EMPTY_STATE = (
    text("_parameters") + b"}" + text("_buffers") + b"}" + text("_modules") + b"}" + text("training") + b"\x89"
)


@pytest.mark.parametrize(
    ("pickled", "told"),
    [
        (LINEAR + b"K\x01K\x02\x86R", "a call of Linear"),
        (LINEAR + b")\x81)R", "a call of a Linear"),
        (text("torch.nn.functional") + text("relu") + b"\x93)R", "a call of a function"),
        (LINEAR + b"K\x01K\x02\x86\x81", "a new Linear with arguments"),
        (LINEAR + b"}" + text("bias") + b"\x89s" + b"\x92", "with named arguments"),
        (text("torch") + text("Tensor") + b"\x93)\x81", "a new Tensor with arguments"),
        (LINEAR + b"N}" + text("forward") + b"\x89s\x86b", "the state of Linear to be set"),
        (
            text("torch.nn.functional") + text("relu") + b"\x93N}" + text("__code__") + b"Ns\x86b",
            "the state of a function",
        ),
        (RELU + b")\x81}(" + EMPTY_STATE + text("forward") + LINEAR + b"ub", "another forward in a ReLU"),
        (RELU + b")\x81}(" + EMPTY_STATE + text("__setstate__") + LINEAR + b"ub", "another __setstate__ in a ReLU"),
        (RELU + b")\x81}(" + EMPTY_STATE + text("_compiled_call_impl") + LINEAR + b"ub", "another _compiled_call_impl"),
        (RELU + b")\x81}(" + EMPTY_STATE + text("_forward_hooks") + b"}K\x01" + LINEAR + b"sub", "hooks on a ReLU"),
    ],
)
def test_admitted_names_cannot_be_put_to_other_uses(tmp_path: Path, pickled: bytes, told: str) -> None:
    with pytest.raises(UntrustedModelError) as error:
        load_model(archive(tmp_path / "m.pt", b"\x80\x04" + pickled + b"."))
    assert told in line(error)


# ---- what is refused, because it contradicts itself ----


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


# ---- files that are no models ----


def _tar(path: Path) -> None:
    with tarfile.open(path, "w") as file:
        file.addfile(tarfile.TarInfo("storages"))


NOT_MODELS = {
    "empty": (lambda path: path.write_bytes(b""), "found an empty file"),
    "text": (lambda path: path.write_text("hello, this is ünïcode\n" * 300), "found a text file"),
    "random": (
        lambda path: path.write_bytes(bytes([200, 3, 255, 129] * 50)),
        "found unknown bytes, starting with c8 03",
    ),
    "folder": (lambda path: path.mkdir(), "found a folder"),
    "missing": (lambda path: None, "no such file"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps([1])), "a pickle that torch.save did not write"),
    "zip": (
        lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "a"),
        "a zip archive without torch.save's data.pkl",
    ),
    "hdf5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 50), "an HDF5 file, such as a compiled .net"),
    "npy": (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00v\x00"), "a NumPy array file"),
    "gzip": (lambda path: path.write_bytes(b"\x1f\x8b\x08\0\0\0"), "a gzip file"),
    "lfs": (lambda path: path.write_bytes(b"version https://git-lfs.example/spec/v1\n"), "a Git LFS pointer"),
    "tar": (_tar, "a tar archive"),
    "first bytes": (lambda path: path.write_bytes(b"PK"), "a truncated file of 2 bytes"),
}


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("kind", NOT_MODELS)
def test_other_files_are_named(tmp_path: Path, kind: str, trust: bool) -> None:
    write, told = NOT_MODELS[kind]
    path = tmp_path / "m.pt"
    write(path)
    with pytest.raises(ModelError) as error:
        load_model(path, trust=trust)
    assert told in line(error) and str(path) in line(error)


def test_npz_archives_are_named(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    numpy.savez(tmp_path / "m.npz", x=numpy.zeros(3))
    with pytest.raises(ModelError, match=r"a NumPy \.npz file"):
        load_model(tmp_path / "m.npz")


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize("part", [0.2, 0.6, 0.99])
def test_truncated_files_are_refused(tmp_path: Path, part: float, as_zip: bool, trust: bool) -> None:
    path = saved(small_network(), tmp_path / "m.pt", _use_new_zipfile_serialization=as_zip)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ModelError) as error:
        load_model(path, trust=trust)
    assert "truncated or damaged" in line(error) or (trust and "cannot be read" in line(error))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (torch.ones(2, 3), "a tensor of shape (2, 3)"),
        ([1, 2], "a list"),
        (3, "an int"),
        ({}, "an empty dict"),
        ({"a": 1, "b": 2}, "a dict of a, b"),
        ({str(number): number for number in range(9)}, "a dict of 0, 1, 2, 3, 4, ..."),
    ],
)
def test_content_that_is_no_network_is_named(tmp_path: Path, content: object, told: str) -> None:
    with pytest.raises(ModelError) as error:
        load_model(saved(content, tmp_path / "m.pt"))
    assert "holds no network" in line(error) and told in line(error)


# ---- --trust ----


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the user's own in the working directory, under a name that no other test uses."""
    monkeypatch.chdir(tmp_path)
    name = "own_" + "".join(character if character.isalnum() else "_" for character in tmp_path.name)
    (tmp_path / f"{name}.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, width=4):\n"
        "        super().__init__()\n"
        "        self.linear = nn.Linear(3, width)\n"
        "        self.norm = nn.BatchNorm1d(width)\n"
        "    def forward(self, x):\n"
        "        return self.norm(self.linear(x))\n"
        "    class Inner:\n"
        "        @staticmethod\n"
        "        def make():\n"
        "            return Net()\n"
        "ready = Net()\n"
        "number = 3\n"
        "def needs(argument): return Net()\n"
        "def raises(): raise KeyError('no luck')\n"
        "def returns_none(): return None\n"
    )
    return name


def save_own(module: str, path: Path) -> nn.Module:
    """Save an instance of the user's class from another process's point of view: the module is forgotten again."""
    import importlib
    import sys

    sys.path.insert(0, str(path.parent))
    try:
        network = importlib.import_module(module).Net()
        torch.save(network, path)
    finally:
        sys.path.pop(0)
        del sys.modules[module]
    return network


def test_with_trust_the_users_class_is_found_in_the_working_directory(tmp_path: Path, own_module: str) -> None:
    import sys

    network = save_own(own_module, tmp_path / "m.pt")
    before = list(sys.path)
    with pytest.raises(UntrustedModelError, match=rf"needs {own_module}\.Net"):
        load_model(tmp_path / "m.pt")
    assert own_module not in sys.modules
    loaded = load_model(tmp_path / "m.pt", trust=True)
    assert type(loaded).__name__ == "Net" and not loaded.training
    assert torch.equal(loaded.linear.weight, network.linear.weight)
    assert sys.path == before


def test_with_trust_a_missing_module_or_class_is_named(tmp_path: Path, own_module: str) -> None:
    save_own(own_module, tmp_path / "m.pt")
    source = tmp_path / f"{own_module}.py"
    source.write_text("")
    with pytest.raises(ModelError, match=rf"needs the class {own_module}\.Net, which cannot be found"):
        load_model(tmp_path / "m.pt", trust=True)
    import sys

    del sys.modules[own_module]
    source.unlink()
    with pytest.raises(ModelError, match=rf"needs the module {own_module}, which cannot be found"):
        load_model(tmp_path / "m.pt", trust=True)


def test_with_trust_a_class_from_a_script_is_explained(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt", b"\x80\x02c__main__\nScriptNet\n)\x81.", {"version": b"3\n"})
    with pytest.raises(ModelError, match=r"__main__\.ScriptNet.*defined in a script"):
        load_model(path, trust=True)


# ---- state_dicts ----


def with_prefix(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"module.{key}": value for key, value in state.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        dict,
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3, "best": 0.5},
        lambda state: {"model": state, "optimizer": {"state": {0: {"step": torch.ones(1)}}, "groups": [{"lr": 0.1}]}},
        lambda state: {"model_state_dict": with_prefix(state)},
        with_prefix,
        lambda state: {key: value.half() if value.is_floating_point() else value for key, value in state.items()},
    ],
)
@pytest.mark.parametrize("as_zip", [True, False])
def test_state_dicts_of_all_forms_are_loaded(tmp_path: Path, own_module: str, wrap: object, as_zip: bool) -> None:
    network = save_own(own_module, tmp_path / "unused.pt").half().float()
    path = saved(wrap(network.state_dict()), tmp_path / "m.pt", _use_new_zipfile_serialization=as_zip)
    for factory in ["Net", "Inner.make", "ready"]:
        arch = f"{own_module}:{'Net.Inner.make' if factory == 'Inner.make' else factory}"
        loaded = load_model(path, arch=arch)
        assert not loaded.training
        for key, value in network.state_dict().items():
            assert torch.equal(loaded.state_dict()[key], value)
            assert loaded.state_dict()[key].dtype is value.dtype


def test_an_arch_that_is_a_network_is_not_changed(tmp_path: Path, own_module: str) -> None:
    import sys

    state = save_own(own_module, tmp_path / "unused.pt").state_dict()
    loaded = load_model(saved(state, tmp_path / "m.pt"), arch=f"{own_module}:ready")
    assert loaded is not sys.modules[own_module].ready
    assert not torch.equal(sys.modules[own_module].ready.linear.weight, loaded.linear.weight)


def test_a_state_dict_without_arch_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        load_model(saved(small_network().state_dict(), tmp_path / "m.pt"))
    assert "is a state_dict of 9 tensors" in line(error) and "give --arch module:factory" in line(error)


def test_arch_with_a_whole_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--arch: is only for a state_dict.*class Sequential.*leave --arch out"):
        load_model(saved(small_network(), tmp_path / "m.pt"), arch="torch.nn:ReLU")


def test_keys_that_do_not_fit_are_named(tmp_path: Path) -> None:
    network = small_network()
    state = network.state_dict()
    state["other"] = state.pop("6.bias")
    with pytest.raises(ModelError) as error:
        load_state(network, state, "m.pt")
    assert "1 missing: 6.bias; 1 unexpected: other" in line(error)
    state = small_network().state_dict()
    state["6.weight"] = torch.ones(4, 31)
    state["6.bias"] = torch.ones(4, dtype=torch.int8)
    del state["0.bias"]
    with pytest.raises(ModelError) as error:
        load_state(network, state, "m.pt")
    assert "1 missing: 0.bias" in line(error)
    assert "2 of another shape or type: 6.weight (4, 31) instead of (4, 32), 6.bias torch.int8" in line(error)


def test_many_wrong_keys_are_cut_short() -> None:
    state = {f"layer{number}.weight": torch.ones(1) for number in range(1000)}
    with pytest.raises(ModelError) as error:
        load_state(small_network(), state, "m.pt")
    assert "1000 unexpected: layer0.weight, layer1.weight, layer2.weight, ..." in line(error)
    assert len(line(error)) < 400


def test_a_networks_own_module_prefix_is_kept() -> None:
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Linear(2, 2)

    source, target = Wrapper(), Wrapper()
    load_state(target, source.state_dict(), "m.pt")
    assert torch.equal(target.module.weight, source.module.weight)


def test_versions_of_old_layers_are_honoured(tmp_path: Path) -> None:
    # Batch norm before version 2 had no num_batches_tracked, and torch accepts its absence for these alone.
    state = small_network().state_dict()
    del state["1.num_batches_tracked"]
    with pytest.raises(ModelError, match=r"1 missing: 1\.num_batches_tracked"):
        load_state(small_network(), state, "m.pt")
    state._metadata["1"]["version"] = 1
    path = saved(state, tmp_path / "m.pt")
    load_state(small_network(), state, "m.pt")
    assert read_restricted(path, _kind(path))._metadata["1"] == {"version": 1}


def _kind(path: Path) -> object:
    from snnc.compiler.frontend.load_identify import identify

    return identify(path)


@pytest.mark.parametrize(
    ("arch", "told"),
    [
        ("nocolon", r"--arch: cannot be understood \(expected module:factory.*found 'nocolon'\)"),
        (":Net", "cannot be understood"),
        ("MODULE:", "cannot be understood"),
        ("a b:c", "cannot be understood"),
        ("./net.py:Net", "cannot be understood"),
        ("no_such_module_here:Net", "there is no module no_such_module_here"),
        ("MODULE:Missing", "has no Missing"),
        ("MODULE:number", r"cannot be called .*found a int"),
        ("MODULE:needs", r"calling MODULE:needs without arguments failed \(found TypeError.*argument"),
        ("MODULE:raises", "KeyError: 'no luck'"),
        ("MODULE:returns_none", r"returned no network .*found a NoneType"),
    ],
)
def test_bad_arch_options_are_explained(tmp_path: Path, own_module: str, arch: str, told: str) -> None:
    path = saved(small_network().state_dict(), tmp_path / "m.pt")
    with pytest.raises(OptionError, match=told.replace("MODULE", own_module)) as error:
        load_model(path, arch=arch.replace("MODULE", own_module))
    line(error)


def test_an_arch_module_that_fails_to_import_is_explained(tmp_path: Path, own_module: str) -> None:
    path = saved(small_network().state_dict(), tmp_path / "m.pt")
    (tmp_path / f"{own_module}_broken.py").write_text("import no_such_dependency")
    with pytest.raises(OptionError, match=r"_broken failed \(found ModuleNotFoundError.*no_such_dependency"):
        load_model(path, arch=f"{own_module}_broken:Net")
