"""The user's own code, by ``--trust`` and ``--arch``: it is found, or what is wrong with it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.saved_models import archive, line, saved, small_network
from torch import nn

from snnc.common.errors import ModelError, OptionError, UntrustedModelError
from snnc.compiler.frontend.files.load import load_model


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
