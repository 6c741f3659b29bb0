"""Synaptic operations, counted against connections that are written out one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.program import AnnLayer, InputCoding, Layer, Membrane, Program, Provenance, Scaled, Synapse
from snnc.runtime.energy import ENERGY_MODELS, count_operations, count_synapses, estimate_energy, fan_out
from snnc.runtime.result import RunResult


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Synapse, tuple[int, ...]]:
    groups = draw(st.integers(1, 2))
    inputs, outputs = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 3))
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    padding = (draw(st.integers(0, 2)), draw(st.integers(0, 2)))
    shape = (inputs, draw(st.integers(5, 8)), draw(st.integers(5, 8)))
    weight = np.full((outputs, inputs // groups, *kernel), 2, np.int16)
    return Synapse(-1, "conv", weight, stride, padding, dilation, groups), shape


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_the_fan_out_of_a_convolution_is_the_number_of_outputs_that_a_spike_reaches(
    case: tuple[Synapse, tuple[int, ...]],
) -> None:
    synapse, shape = case
    # One image for each input neuron, with one spike in it: every weight is 2, so the sum counts the synapses.
    images = torch.eye(int(np.prod(shape))).reshape(-1, *shape)
    weight = torch.as_tensor(synapse.weight, dtype=torch.float32)
    outputs = F.conv2d(images, weight, None, synapse.stride, synapse.padding, synapse.dilation, synapse.groups)
    assert np.array_equal(fan_out(synapse, shape).ravel(), outputs.flatten(1).sum(1).numpy() / 2)


def test_the_fan_out_at_the_border_is_smaller() -> None:
    synapse = Synapse(-1, "conv", np.zeros((5, 1, 3, 3), np.int16), padding=(1, 1))
    assert fan_out(synapse, (1, 3, 3)).tolist() == [[[20, 30, 20], [30, 45, 30], [20, 30, 20]]]


def test_a_dense_spike_reaches_every_neuron_of_the_layer() -> None:
    synapse = Synapse(0, "dense", np.zeros((7, 12), np.int16))
    assert fan_out(synapse, (3, 2, 2)).tolist() == np.full((3, 2, 2), 7).tolist()


def layer(name: str, shape: tuple[int, ...], *synapses: Synapse, spiking: bool = True) -> Layer:
    return Layer(
        name=name,
        modules=(name,),
        shape=shape,
        synapses=synapses,
        bias=np.zeros(shape[:1] + (1,) * (len(shape) - 1), np.int32),
        threshold=Scaled(100, 0) if spiking else None,
        initial_potential=50 if spiking else 0,
        gate=None,
        scale=np.ones(shape[0]),
        membrane=Membrane((0, 0)),
    )


@pytest.fixture
def program() -> Program:
    """Input 1×2×2, a 1×1 convolution, and a readout that reads both the convolution and the input."""
    ones = np.ones(1)
    return Program(
        target="loihi2",
        timesteps=4,
        coding=InputCoding("graded", (1, 2, 2), ones, 0 * ones, ones, 0 * ones),
        layers=(
            layer("conv", (3, 2, 2), Synapse(-1, "conv", np.full((3, 1, 1, 1), 2, np.int16))),
            layer(
                "end",
                (5,),
                Synapse(0, "dense", np.full((5, 12), 2, np.int16)),
                Synapse(-1, "dense", np.full((5, 4), 2, np.int16)),
                spiking=False,
            ),
        ),
        ann=(AnnLayer("conv", 12), AnnLayer("end", 80)),
        provenance=Provenance("0", "", "", 0),
    )


@pytest.fixture
def result() -> RunResult:
    """Two samples; 7 of 8 input values are not 0, for 4 steps each; the layer spikes 9 times."""
    spikes = np.zeros((3, 2, 2), np.int64)
    spikes[0, 0, 0], spikes[2, 1, 1] = 4, 5
    return RunResult(
        readout=np.zeros((2, 5), np.int64),
        spike_counts=(spikes,),
        input_counts=np.array([[[8, 8], [8, 4]]]),
        wraps=(0, 0),
    )


def test_operations_of_a_run(program: Program, result: RunResult) -> None:
    counts = count_operations(program, result)
    assert counts.samples == 2
    assert counts.input_events == 28
    assert counts.spikes == (9,)
    # The input reaches 3 neurons of the convolution and, past it, 5 of the readout.
    assert counts.synaptic == (28 * 3, 9 * 5 + 28 * 5)
    assert counts.synaptic_total == 84 + 185
    assert counts.active_updates == 9
    assert counts.active_updates + counts.inactive_updates == (12 + 5) * 4 * 2


def test_synapses_are_counted_once_for_each_pair_of_neurons(program: Program) -> None:
    assert count_synapses(program) == (12, 60 + 20)


def test_energy_is_for_one_sample(program: Program, result: RunResult) -> None:
    qiao, loihi = estimate_energy(program, count_operations(program, result))
    assert (qiao.model, loihi.model) == ENERGY_MODELS
    assert qiao.snn == pytest.approx(269 / 2 * 77e-15)
    assert qiao.ann == pytest.approx(2 * 92 * 12.5e-12)
    assert loihi.snn == pytest.approx((269 * 23.6e-12 + 9 * 81e-12 + 127 * 52e-12) / 2)
    assert loihi.ann is None


def test_without_a_run_only_the_ann_has_an_energy(program: Program) -> None:
    assert [each.snn for each in estimate_energy(program, None)] == [None, None]
