"""ONNX models that PyTorch exported compute what the network did."""

from __future__ import annotations

import importlib.util
import inspect
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from support.formats import NETWORKS, Network, assert_reads, network
from torch import nn

from snnc.cli import main
from snnc.common.errors import UnsupportedError
from snnc.compiler.frontend import trace
from snnc.compiler.frontend.files.load import load_model
from snnc.models import digits_cnn

pytest.importorskip("onnx")

# The newer exporter, torch's default since 2.9, needs a package more.
HAS_CHOICE = "dynamo" in inspect.signature(torch.onnx.export).parameters
EXPORTERS = [False, True] if HAS_CHOICE and importlib.util.find_spec("onnxscript") else [False]


def exported(original: Network, path: Path, *, newer: bool = False, samples: int = 2, open_batch: bool = False) -> Path:
    options: dict[str, Any] = {"dynamo": newer} if HAS_CHOICE else {}
    if open_batch and newer:
        options["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
    elif open_batch:
        options |= {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(original.module, (original.batch(samples),), str(path), **options)
    return path


@pytest.mark.parametrize("newer", EXPORTERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_model_computes_what_was_exported(tmp_path: Path, name: str, newer: bool) -> None:
    original = network(name)
    assert_reads(exported(original, tmp_path / "m.onnx", newer=newer), original)


@pytest.mark.parametrize("newer", EXPORTERS)
@pytest.mark.parametrize(("samples", "open_batch"), [(1, False), (4, False), (4, True)])
def test_the_number_of_samples_may_be_open_or_fixed(
    tmp_path: Path, newer: bool, samples: int, open_batch: bool
) -> None:
    class Sized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)
            self.fc = nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.conv(x))
            return self.fc(x.view(x.shape[0], x.shape[1] * 4))

    torch.manual_seed(0)
    original = Network(Sized().eval(), (1, 4, 4))
    path = exported(original, tmp_path / "m.onnx", newer=newer, samples=samples, open_batch=open_batch)
    assert_reads(path, original)


def test_errors_name_nodes(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Sequential(nn.Tanh())).eval()
    path = exported(Network(module, (2, 4, 4)), tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError, match=r"^/1/1\.0/Tanh: Tanh is not supported; train with ReLU instead"):
        load_model(path)


def test_layers_are_named_by_their_nodes(tmp_path: Path) -> None:
    original = network("vgg")
    graph = trace(load_model(exported(original, tmp_path / "m.onnx")), original.shape)
    assert "/0/Conv" in {name for node in graph for name in node.modules} and "0.Conv" in {each.name for each in graph}


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    exported(Network(digits_cnn().eval(), (1, 8, 8)), tmp_path / "m.onnx")
    assert main(["compile", "m.onnx", "--calib", "digits", "--calib-samples", "16", "--threshold", "max", "-q"]) == 0
    assert main(["run", "m.net", "--data", "digits", "--samples", "4"]) == 0
