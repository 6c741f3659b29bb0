"""Networks of torch.save come back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.saved_models import saved, small_network
from torch import nn

from snnc.compiler.frontend.files.load import load_model


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
