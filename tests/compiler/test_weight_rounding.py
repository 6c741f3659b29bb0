"""Weights are rounded with an eye to what they read."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from snnc.common.arrays import FloatArray
from snnc.compiler.ir import Conv2d, Linear, SpikingLayer
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import compile_module
from snnc.compiler.quantization.input_moments import input_moments, measure_input_moments
from snnc.compiler.quantization.weights import RIDGE, WeightRounding, drive_variance, round_for_inputs, round_to_nearest
from snnc.program.targets import get_target
from snnc.runtime.simulator import Simulator

CHIP = get_target("loihi2")
STEP = CHIP.weight_step


def covariance_of(rng: np.random.Generator, inputs: int, directions: int) -> FloatArray:
    """A covariance that fewer directions than inputs make most of."""
    mixed = rng.normal(size=(directions, inputs))
    found: FloatArray = mixed.T @ mixed + 0.01 * np.eye(inputs)
    return found


@given(st.integers(1, 90), st.integers(1, 6), st.integers(0, 1000))
def test_rounding_is_never_worse_than_to_the_nearest(inputs: int, directions: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(5, inputs)) * rng.choice([1, 10, 200])
    covariance = covariance_of(rng, inputs, directions)
    found, nearest = round_for_inputs(weight, covariance, CHIP), round_to_nearest(weight, CHIP)
    assert (found % STEP == 0).all()
    assert found.min() >= CHIP.weight_minimum and found.max() <= CHIP.weight_maximum
    ridge = RIDGE * np.trace(covariance) / inputs * np.eye(inputs)
    allowed = drive_variance(nearest - weight, covariance + ridge)
    assert (drive_variance(found - weight, covariance + ridge) <= allowed * (1 + 1e-9) + 1e-12).all()


def test_few_weights_come_near_the_best_of_all_roundings() -> None:
    found, nearest, best = [], [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        weight = rng.normal(size=(1, 4)) * 10
        covariance = covariance_of(rng, 4, 2)
        metric = covariance + RIDGE * np.trace(covariance) / 4 * np.eye(4)
        around = np.array(list(itertools.product(range(-3, 5), repeat=4))) * STEP + np.floor(weight / STEP) * STEP
        best.append(drive_variance(around - weight, metric).min())
        nearest.append(drive_variance(round_to_nearest(weight, CHIP) - weight, metric)[0])
        found.append(drive_variance(round_for_inputs(weight, covariance, CHIP) - weight, metric)[0])
    assert (np.array(found) >= np.array(best) * (1 - 1e-9)).all()
    assert np.mean(found) < 2.5 * np.mean(best)
    assert np.mean(nearest) > 3.5 * np.mean(found)


def test_inputs_that_are_all_one_number_round_the_sum_of_the_weights() -> None:
    weight = np.full((1, 20), 0.9)
    found = round_for_inputs(weight, np.ones((20, 20)), CHIP)
    assert abs(found.sum() - weight.sum()) <= STEP / 2
    assert round_to_nearest(weight, CHIP).sum() == 0


def test_independent_inputs_round_each_weight_by_itself() -> None:
    weight = np.random.default_rng(0).normal(size=(6, 50)) * 20
    assert np.array_equal(round_for_inputs(weight, np.eye(50), CHIP), round_to_nearest(weight, CHIP))


def test_an_input_that_never_varies_has_its_weight_rounded_to_the_nearest() -> None:
    rng = np.random.default_rng(1)
    covariance = covariance_of(rng, 9, 2)
    covariance[4], covariance[:, 4] = 0, 0
    weight = rng.normal(size=(7, 9)) * 20
    assert np.array_equal(round_for_inputs(weight, covariance, CHIP)[:, 4], round_to_nearest(weight[:, 4], CHIP))


def test_the_largest_weights_stay_within_the_chip_s_range() -> None:
    weight = np.array([[300.0, -300.0, 254.9, -256.9]])
    found = round_for_inputs(weight, np.ones((4, 4)) + np.eye(4), CHIP)
    assert found.min() >= CHIP.weight_minimum and found.max() <= CHIP.weight_maximum


@pytest.mark.parametrize("groups", [1, 2])
def test_moments_are_those_of_the_windows(groups: int) -> None:
    rng = np.random.default_rng(2)
    synapse = Conv2d(np.zeros((4, 4 // groups, 3, 2)), np.zeros(4), (2, 1), (1, 1), (1, 1), groups)
    values = rng.normal(size=(3, 4, 7, 6))
    moments = measure_input_moments(synapse, torch.as_tensor(values))
    padded = np.pad(values, ((0, 0), (0, 0), (1, 1), (1, 1)))
    per_group = 4 // groups
    for group in range(groups):
        part = padded[:, group * per_group : (group + 1) * per_group]
        windows = [
            part[sample, :, row : row + 3, column : column + 2].ravel()
            for sample in range(3)
            for row in range(0, 7, 2)
            for column in range(7)
        ]
        assert np.allclose(moments.covariance[group], np.cov(np.array(windows).T, bias=True))
    assert np.allclose(moments.mean, values.mean(0))


def test_moments_of_a_linear_synapse_are_those_of_its_inputs() -> None:
    values = np.random.default_rng(3).normal(size=(50, 2, 3, 4))
    moments = measure_input_moments(Linear(np.zeros((5, 24)), np.zeros(5)), torch.as_tensor(values))
    assert np.allclose(moments.covariance[0], np.cov(values.reshape(50, -1).T, bias=True))


def smooth_images(samples: int) -> np.ndarray:
    """Images whose neighbouring pixels are alike, as in photographs."""
    rng = np.random.default_rng(4)
    coarse = torch.as_tensor(rng.integers(20, 235, (samples, 3, 3, 3)), dtype=torch.float32)
    smooth = nn.functional.interpolate(coarse, size=12, mode="bilinear").numpy()
    return (smooth + rng.normal(scale=4, size=smooth.shape)).clip(0, 255).astype(np.uint8)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(8 * 144, 5),
    ).eval()  # fmt: skip


def test_moments_are_found_for_every_synapse_of_a_network_as_rates() -> None:
    levels = smooth_images(40)
    compilation = compile_module(network(), levels, CompileOptions(timesteps=8, std=(255.0,)), unit=1.0)
    (graph,) = (each.result.graph for each in compilation.records if each.name == "ChooseThresholds")
    moments = input_moments(graph, levels)
    first, second, readout = (node.name for node in graph if node.name in {name for name, _ in moments})
    assert set(moments) == {(first, 0), (second, 0), (readout, 0)}
    assert np.allclose(moments[first, 0].mean, levels.mean(0), rtol=1e-5)
    assert moments[second, 0].mean.min() >= 0 and moments[second, 0].mean.max() <= 1
    assert moments[second, 0].covariance.shape == (1, 72, 72)


def test_the_drive_of_the_first_layer_is_nearer_to_the_network_s_than_with_nearest_weights() -> None:
    """Regression: at T = 16 a ResNet20 lost two points to the rounding of its input weights."""
    levels = smooth_images(64)
    compilation = compile_module(network(), levels, CompileOptions(timesteps=32, std=(255.0,)), unit=1.0)
    (graph,) = (each.result.graph for each in compilation.records if each.name == "ChooseThresholds")
    node, layer = graph.of_kind(SpikingLayer)[0], compilation.program.layers[0]
    assert isinstance(node.op, SpikingLayer)
    exact = node.op.drive(torch.as_tensor(levels, dtype=torch.float64)).numpy()
    unit = layer.threshold.value / node.op.threshold.reshape(-1, 1, 1)
    per_payload = compilation.program.coding.levels_per_unit

    def error(weight: FloatArray, bias: FloatArray) -> float:
        op = Conv2d(weight.astype(float), np.zeros(8), padding=(1, 1))
        drive = op.apply(torch.as_tensor(levels / per_payload)).numpy() + bias
        return float(((drive - exact * unit) ** 2).mean())

    nearest = round_to_nearest(node.op.synapses[0].weight * unit[..., None] * per_payload, CHIP)
    plain = np.rint(node.op.synapses[0].bias_map() * unit)
    assert error(layer.synapses[0].weight, layer.bias) < 0.5 * error(nearest, plain)
    assert not any(Simulator(compilation.program).run(levels).wraps)


def test_the_bias_takes_what_rounding_changes_on_average() -> None:
    synapse = Linear(np.full((1, 4), 0.6), np.zeros(1))
    values = np.random.default_rng(5).uniform(size=(100, 4))
    moments = measure_input_moments(synapse, torch.as_tensor(values))
    rounding = WeightRounding(CHIP, {("layer", 0): moments})
    rounded = rounding.rounded(("layer", 0), synapse.weight)
    change = rounded - synapse.weight
    added = rounding.mean_change(("layer", 0), synapse, change, 1)
    assert np.allclose(added, (values @ change.T).mean(0))
    assert np.allclose(rounding.deviation(("layer", 0), change, 1), (values @ change.T).std(0))
    assert rounding.rounded(("layer", 0), synapse.weight.copy()) is rounded
    assert not np.array_equal(rounding.rounded(("layer", 0), 30 * synapse.weight), rounded)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 255.0])
def test_inputs_that_are_constant_can_be_rounded_for(value: float) -> None:
    """Regression: what rounding leaves of a constant's variance may be negative, and no Cholesky factor exists."""
    synapse = Conv2d(np.full((2, 1, 1, 3), 1.3), np.zeros(2), padding=(0, 0))
    values = torch.full((7, 1, 5, 6), value)
    rounding = WeightRounding(CHIP, {("layer", 0): measure_input_moments(synapse, values)})
    assert np.array_equal(rounding.rounded(("layer", 0), synapse.weight), round_to_nearest(synapse.weight, CHIP))
