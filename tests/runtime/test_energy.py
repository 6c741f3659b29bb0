"""Energy models and the operation counts that feed them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snnc.common.errors import OptionError, UnsupportedError
from snnc.models import lenet, vgg16
from snnc.runtime.energy import LOIHI1, QIAO2015, ann_energy, energy_model_names, get_energy_model, snn_energy
from snnc.runtime.energy.estimate import count_macs


def test_vgg16_costs_what_the_paper_says():
    macs = sum(count_macs(vgg16(100), (3, 32, 32)).values())
    assert macs == 313_247_744
    energy = ann_energy(get_energy_model("qiao2015"), macs=macs)
    assert energy is not None
    assert round(energy * 1e3, 2) == 7.83
    # Section 9 of the paper: 7.85 mJ.
    assert energy * 1e3 == pytest.approx(7.85, rel=0.005)


def test_figures_per_operation():
    nothing = {"synaptic_operations": 0.0, "neuron_updates_active": 0.0, "neuron_updates_inactive": 0.0}
    for model, picojoules in ((QIAO2015, (0.077, 0, 0)), (LOIHI1, (23.6, 81, 52))):
        for count, expected in zip(nothing, picojoules, strict=True):
            energy = snn_energy(model, **{**nothing, count: 1e12})
            assert energy == pytest.approx(expected, rel=1e-12), (model.name, count)
    assert ann_energy(QIAO2015, macs=1e12) == pytest.approx(25.0, rel=1e-12)
    assert ann_energy(LOIHI1, macs=1e12) is None


@given(
    first=st.tuples(*[st.floats(0, 1e15)] * 3),
    second=st.tuples(*[st.floats(0, 1e15)] * 3),
    model=st.sampled_from([QIAO2015, LOIHI1]),
)
def test_energies_of_parts_add_up(first, second, model):
    def energy(counts):
        names = ("synaptic_operations", "neuron_updates_active", "neuron_updates_inactive")
        return snn_energy(model, **dict(zip(names, counts, strict=True)))

    total = tuple(a + b for a, b in zip(first, second, strict=True))
    assert energy(total) == pytest.approx(energy(first) + energy(second), rel=1e-9)


@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
@pytest.mark.parametrize("name", ["synaptic_operations", "neuron_updates_active", "neuron_updates_inactive"])
def test_counts_have_to_be_counts(name, value):
    counts = {"synaptic_operations": 1.0, "neuron_updates_active": 1.0, "neuron_updates_inactive": 1.0, name: value}
    with pytest.raises(OptionError, match=name):
        snn_energy(LOIHI1, **counts)


@pytest.mark.parametrize("model", [QIAO2015, LOIHI1], ids=lambda model: model.name)
@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
def test_macs_have_to_be_a_count(model, value):
    with pytest.raises(OptionError, match="macs"):
        ann_energy(model, macs=value)


def test_energy_models_by_name():
    assert energy_model_names() == ("qiao2015", "loihi1")
    assert get_energy_model("loihi1") is LOIHI1
    with pytest.raises(OptionError, match=r"qiao2015, loihi1.*'loihi3'"):
        get_energy_model("loihi3")


def test_macs_of_lenet_by_hand():
    assert count_macs(lenet(), (1, 28, 28)) == {
        "0": 28 * 28 * 6 * 25,
        "3": 10 * 10 * 16 * 6 * 25,
        "7": 400 * 120,
        "9": 120 * 84,
        "11": 84 * 10,
    }


@settings(max_examples=40, deadline=None)
@given(
    groups=st.integers(1, 3),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    size=st.tuples(st.integers(5, 8), st.integers(5, 8)),
)
def test_macs_of_a_convolution_are_the_products_it_adds_up(
    groups, inputs, outputs, kernel, stride, padding, dilation, size
):
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    layer = nn.Conv2d(groups * inputs, groups * outputs, kernel, bias=False, **options)
    counted = count_macs(layer, (groups * inputs, *size))
    # With weights of 1 and an image of 1, border included, every product is 1 and the outputs add up their number.
    with torch.no_grad():
        nn.init.ones_(layer.weight)
        layer.padding = (0, 0)
        image = torch.ones(1, groups * inputs, size[0] + 2 * padding, size[1] + 2 * padding)
        assert counted == {"": int(layer(image).sum())}


def test_a_layer_run_twice_counts_twice_and_one_not_run_counts_nothing():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.used = nn.Linear(4, 4)
            self.unused = nn.Linear(4, 4)

        def forward(self, x):
            return self.used(self.used(x))

    assert count_macs(Twice(), (4,)) == {"used": 32, "unused": 0}


def test_counting_leaves_the_module_as_it_was():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(72, 2))
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count_macs(network, (1, 8, 8))
    assert [part.training for part in network] == [True, False, True, True, True]
    assert all(not part._forward_hooks for part in network.modules())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_counting_takes_the_type_of_the_weights():
    assert count_macs(nn.Linear(3, 2).double(), (3,)) == {"": 6}


def test_a_shape_that_does_not_fit_is_an_error_and_leaves_the_module_as_it_was():
    network = lenet().train()
    with pytest.raises(OptionError, match=r"input_shape.*\(3, 28, 28\)"):
        count_macs(network, (3, 28, 28))
    assert all(part.training and not part._forward_hooks for part in network.modules())


@pytest.mark.parametrize("layer", [nn.ConvTranspose2d(1, 1, 3), nn.Conv1d(1, 1, 3), nn.LSTM(4, 4)])
def test_layers_that_cannot_be_counted_are_named(layer):
    with pytest.raises(UnsupportedError, match=rf"^1: .*{type(layer).__name__}"):
        count_macs(nn.Sequential(nn.ReLU(), layer), (1, 8, 8))
