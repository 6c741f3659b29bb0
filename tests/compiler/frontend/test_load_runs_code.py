"""Model files that would run code are refused, and nothing in them has run."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from support.saved_models import EMPTY_STATE, LINEAR, RELU, archive, line, saved, text
from torch import nn

from snnc.common.errors import ModelError, UntrustedModelError
from snnc.compiler.frontend.files.admitted import look_up
from snnc.compiler.frontend.files.load import load_model


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
        (
            RELU + b")\x81}(" + EMPTY_STATE + text("__setstate__") + LINEAR + b"ub",
            "a __setstate__ of its own in a ReLU",
        ),
        (RELU + b")\x81}(" + EMPTY_STATE + text("_compiled_call_impl") + LINEAR + b"ub", "another _compiled_call_impl"),
        (RELU + b")\x81}(" + EMPTY_STATE + text("_forward_hooks") + b"}K\x01" + LINEAR + b"sub", "hooks on a ReLU"),
    ],
)
def test_admitted_names_cannot_be_put_to_other_uses(tmp_path: Path, pickled: bytes, told: str) -> None:
    with pytest.raises(UntrustedModelError) as error:
        load_model(archive(tmp_path / "m.pt", b"\x80\x04" + pickled + b"."))
    assert told in line(error)


@pytest.mark.parametrize("name", ["__deepcopy__", "__module__", "__class__", "__array__", "__len__"])
@pytest.mark.parametrize("table", [None, "_modules", "_buffers", "_parameters"])
def test_a_state_sets_no_name_that_python_gives_a_meaning(tmp_path: Path, name: str, table: str | None) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    value = {"_buffers": torch.ones(1), "_parameters": nn.Parameter(torch.ones(1))}.get(table or "", nn.Linear(2, 2))
    entries = vars(network[1]) if table is None else vars(network[1])[table]
    entries["name"] = value
    path = saved(network, tmp_path / "m.pt", pickle_protocol=2)
    with zipfile.ZipFile(path) as file:
        (record,) = (each for each in file.namelist() if each.endswith("data.pkl"))
        pickled = file.read(record)
        records = {each.partition("/")[2]: file.read(each) for each in file.namelist() if each != record}
    assert pickled.count(text("name")) == 1
    changed = archive(tmp_path / "changed.pt", pickled.replace(text("name"), text(name)), records)
    load_model(path)
    with pytest.raises(UntrustedModelError) as error:
        load_model(changed)
    assert f"a {name} of its own in a ReLU" in line(error)


def test_no_class_of_graph_modules_is_admitted(tmp_path: Path) -> None:
    extraction = pytest.importorskip("torchvision.models.feature_extraction")
    assert issubclass(extraction.DualGraphModule, torch.fx.GraphModule)
    pickled = (
        text("torchvision.models.feature_extraction") + text("DualGraphModule") + b"\x93)\x81}(" + EMPTY_STATE + b"ub."
    )
    with pytest.raises(UntrustedModelError) as error:
        load_model(archive(tmp_path / "m.pt", b"\x80\x04" + pickled))
    assert "feature_extraction.DualGraphModule" in line(error)


# What layers of torch have of the names that copying and reading call; they take from the state what they say, and
# call nothing in it. Whoever finds another one here looks at it before it is admitted.
KNOWN = {
    "torch.nn.modules.activation": {"MultiheadAttention", "Softmin", "Softmax", "LogSoftmax"},
    "torch.nn.modules.conv": {"_ConvNd"},
    "torch.nn.modules.module": {"Module"},
    "torch.nn.modules.pooling": {"AvgPool3d"},
    "torch.nn.modules.rnn": {"RNNBase"},
    "torch.nn.modules.transformer": {"TransformerDecoderLayer", "TransformerEncoderLayer"},
    "torch.nn.modules.upsampling": {"Upsample"},
}


def test_the_classes_that_read_a_state_in_their_own_way_are_known() -> None:
    pytest.importorskip("torchvision")
    found: dict[str, set[str]] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith(("torch.nn.modules.", "torchvision.models.", "torchvision.ops.")):
            for key, kind in vars(module).items():
                is_layer = isinstance(kind, type) and issubclass(kind, nn.Module) and kind.__module__ == name
                # Those are no layers, and refused.
                is_layer = is_layer and not issubclass(kind, torch.fx.GraphModule)
                if is_layer and {"__setstate__", "__deepcopy__", "__copy__", "__reduce_ex__", "__del__"} & {
                    *vars(kind)
                }:
                    found.setdefault(name, set()).add(key)
    for name, kinds in found.items():
        assert kinds <= KNOWN.get(name, set()), name
