"""Reading TorchScript archives, once they are trusted."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from support.formats import NETWORKS, Network, assert_reads, network
from torch import nn

from snnc.cli import main
from snnc.common.errors import ModelError, SnncError, UnsupportedError, UntrustedModelError
from snnc.compiler.frontend import trace
from snnc.compiler.frontend.files.load import load_model
from snnc.models import digits_cnn


def saved(original: Network, path: Path, *, script: bool) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.jit.script(original.module) if script else torch.jit.trace(original.module, original.batch(2))
        torch.jit.save(made, path)
    return path


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_script_computes_what_was_saved(tmp_path: Path, name: str, script: bool) -> None:
    original = network(name)
    read = assert_reads(saved(original, tmp_path / "m.pt", script=script), original, trust=True)
    assert not read.training


@pytest.mark.parametrize("script", [True, False])
def test_a_network_that_was_saved_in_training_mode_is_evaluated(tmp_path: Path, script: bool) -> None:
    original = network("vgg")
    if script:
        original.module.train()
    path = saved(original, tmp_path / "m.pt", script=script)
    original.module.eval()
    assert_reads(path, original, trust=True)


class Sized(nn.Module):
    """Flattens by sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return self.fc(x.view(x.shape[0], x.shape[1] * 4))


class Unpacked(Sized):
    """Flattens by sizes that are unpacked at once."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        n, c, h, w = x.shape
        return self.fc(x.reshape(n, c * h * w))


@pytest.mark.parametrize("script", [True, False])
def test_layers_are_named_by_their_paths(tmp_path: Path, script: bool) -> None:
    original = network("vgg")
    graph = trace(load_model(saved(original, tmp_path / "m.pt", script=script), trust=True), original.shape)
    modules = {name for node in graph for name in node.modules}
    assert {"0", "1", "3", "4", "7", "11", "14"} <= modules


@pytest.mark.parametrize("script", [True, False])
def test_what_cannot_be_compiled_is_named(tmp_path: Path, script: bool) -> None:
    module = nn.Sequential(nn.Conv2d(2, 2, 3), nn.GELU()).eval()
    with pytest.raises(UnsupportedError, match=r"^gelu.*: gelu is not supported; train with ReLU instead"):
        load_model(saved(Network(module, (2, 4, 4)), tmp_path / "m.pt", script=script), trust=True)


def test_a_line_of_the_users_code_is_named(tmp_path: Path) -> None:
    class Scaled(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x**3

    path = saved(Network(Scaled(), (2, 4, 4)), tmp_path / "m.pt", script=False)
    with pytest.raises(UnsupportedError, match=r"^pow \(test_load_torchscript.py:\d+\): pow is not supported"):
        load_model(path, trust=True)


def test_control_flow_that_depends_on_data_is_refused(tmp_path: Path) -> None:
    class Branching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x) if bool(x.sum() > 0) else x

    path = saved(Network(Branching(), (2, 4, 4)), tmp_path / "m.pt", script=True)
    with pytest.raises(UnsupportedError, match="not supported"):
        load_model(path, trust=True)


@pytest.mark.parametrize("kind", [Sized, Unpacked])
@pytest.mark.parametrize("script", [True, False])
def test_sizes_may_be_computed(tmp_path: Path, script: bool, kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    original = Network(kind().eval(), (1, 4, 4))
    assert_reads(saved(original, tmp_path / "m.pt", script=script), original, trust=True)


class RunsAtLoading(nn.Module):
    """What makes --trust necessary: PyTorch calls this while it reads the file."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x)

    @torch.jit.export
    def __getstate__(self) -> tuple[torch.Tensor, bool]:
        return (self.weight, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]) -> None:
        self.weight = state[0]
        self.training = state[1]
        print("this has run")


def test_without_trust_nothing_is_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = saved(Network(RunsAtLoading(), (2, 4, 4)), tmp_path / "m.pt", script=True)
    capfd.readouterr()
    with pytest.raises(UntrustedModelError) as error:
        load_model(path)
    assert "would run code" in str(error.value) and "--trust" in str(error.value)
    assert "this has run" not in capfd.readouterr().out
    # With trust it does run: so the check above would have seen it.
    load_model(path, trust=True)
    assert "this has run" in capfd.readouterr().out


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, part: float) -> None:
    path = saved(network("vgg"), tmp_path / "m.pt", script=False)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(ModelError, match="truncated or damaged"):
        load_model(path, trust=True)


def test_damage_inside_gives_a_model_error(tmp_path: Path) -> None:
    import zipfile

    path = saved(network("vgg"), tmp_path / "m.pt", script=False)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(tmp_path / "d.pt", "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"forward", b"backwar"))
    with pytest.raises(SnncError) as error:
        load_model(tmp_path / "d.pt", trust=True)
    assert "\n" not in str(error.value)


def test_from_the_command_line(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    saved(Network(digits_cnn().eval(), (1, 8, 8)), tmp_path / "m.pt", script=False)
    arguments = ["m.pt", "--calib", "digits", "--calib-samples", "16", "--threshold", "max", "-q"]
    assert main(["compile", *arguments]) == 2
    assert main(["compile", *arguments, "--trust"]) == 0
    assert main(["run", "m.net", "--data", "digits", "--samples", "4"]) == 0
