"""Model files that would run code are refused, and nothing in them has run."""

from __future__ import annotations

import os
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
        (RELU + b")\x81}(" + EMPTY_STATE + text("__setstate__") + LINEAR + b"ub", "another __setstate__ in a ReLU"),
        (RELU + b")\x81}(" + EMPTY_STATE + text("_compiled_call_impl") + LINEAR + b"ub", "another _compiled_call_impl"),
        (RELU + b")\x81}(" + EMPTY_STATE + text("_forward_hooks") + b"}K\x01" + LINEAR + b"sub", "hooks on a ReLU"),
    ],
)
def test_admitted_names_cannot_be_put_to_other_uses(tmp_path: Path, pickled: bytes, told: str) -> None:
    with pytest.raises(UntrustedModelError) as error:
        load_model(archive(tmp_path / "m.pt", b"\x80\x04" + pickled + b"."))
    assert told in line(error)
