"""Networks whose activations are beyond float32: an error of the model, with the layer, and no bug of ours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import snnc
from snnc.common.errors import ModelError

DATA = np.random.default_rng(0).random((64, 16)).astype(np.float32)


def network(*scales: float) -> nn.Module:
    """Three linear layers, whose weights are so many times the usual ones."""
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))
    with torch.no_grad():
        for layer, scale in zip(made[::2], scales, strict=True):
            layer.weight.mul_(scale)
    return made.eval()


@pytest.mark.parametrize(
    ("scales", "where"), [((1e20, 1e20, 1), "modules 2 + 3"), ((1e30, 1e5, 1e10), "module 4")], ids=["hidden", "last"]
)
@pytest.mark.parametrize("neuron", ["if", "sdnn"])
def test_activations_beyond_float32_are_an_error_of_the_model(
    scales: tuple[float, ...], where: str, neuron: str
) -> None:
    with pytest.raises(ModelError) as error:
        snnc.compile(network(*scales), DATA, neuron=neuron)
    assert str(error.value).startswith(f"{where}: its activations are beyond") and "look at the weights" in str(
        error.value
    )


def test_activations_that_float32_holds_compile() -> None:
    assert snnc.compile(network(1e36, 1, 1), DATA).layers


def test_outputs_that_are_infinite_on_other_data_are_an_error_of_the_model() -> None:
    made = network(1e36, 1, 1)
    program = snnc.compile(made, DATA)
    with pytest.raises(ModelError, match="its outputs are beyond the numbers"):
        snnc.validate(made, program, DATA * np.float32(1e4), lava=False)
