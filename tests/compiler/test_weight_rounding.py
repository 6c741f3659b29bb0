"""Weights are rounded with an eye to what they read."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import random as random_matrix
from torch import nn

from snnc.common.arrays import FloatArray
from snnc.compiler.ir import Conv2d, Graph, Input, Linear, Output, Readout, Sparse, SpikingLayer, Weighted
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import compile_module
from snnc.compiler.quantization.input_moments import (
    InputMoments,
    InputSamples,
    input_readings,
    measure_input_moments,
    measure_readings,
)
from snnc.compiler.quantization.normalized import with_weight
from snnc.compiler.quantization.weights import (
    RIDGE,
    WeightRounding,
    drive_variance,
    round_along,
    round_for_inputs,
    round_sparse,
    round_to_nearest,
)
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
    moments = input_readings(graph, levels)
    # The readout reads more values than there are samples, of which a covariance would be one of chance.
    assert [type(each) for each in moments.values()] == [InputMoments, InputMoments, InputSamples]
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


def alike(samples: int, inputs: int, seed: int) -> FloatArray:
    """Values of inputs of which many vary together, as pixels of an image do."""
    rng = np.random.default_rng(seed)
    return rng.uniform(size=(samples, 8)) @ rng.uniform(size=(8, inputs)) / 8 + 0.05 * rng.uniform(
        size=(samples, inputs)
    )


def many_inputs(kind: str) -> Weighted:
    """An operation that reads 2,000 inputs, or their sparse like; all weights are far below a unit of the chip."""
    rng = np.random.default_rng(3)
    if kind == "dense":
        return Linear(rng.uniform(0.1, 0.6, (10, 2000)), np.zeros(10))
    if kind == "conv":
        return Conv2d(rng.uniform(0.1, 0.6, (10, 80, 5, 5)), np.zeros(10))
    matrix = random_matrix(10, 2000, density=0.5, format="csr", random_state=rng)
    matrix.data = 0.1 + 0.5 * matrix.data
    matrix.sort_indices()
    return Sparse(matrix, np.zeros((10, 1, 1)), (10, 1, 1), (80, 5, 5))


@pytest.mark.parametrize("kind", ["dense", "conv", "sparse"])
def test_weights_of_less_than_a_unit_keep_their_sums(kind: str) -> None:
    """Regression: dense layers of more than 1,152 inputs, and sparse ones, lost nearly all weights, without a word."""
    synapse = many_inputs(kind)
    shape = (2000,) if kind == "dense" else (80, 5, 5)
    values = torch.as_tensor(alike(400, 2000, seed=1).reshape(-1, *shape))
    readings = measure_readings(synapse, values[:300])
    assert isinstance(readings, InputSamples)
    weight = synapse.matrix.data if isinstance(synapse, Sparse) else synapse.weight
    rounding = WeightRounding(CHIP, {("layer", 0): readings})
    rounded = rounding.rounded(("layer", 0), weight)
    assert set(np.unique(rounded % CHIP.weight_step)) == {0}

    def error(changed: FloatArray) -> float:
        """Of what 100 samples that had no part in it bring, less the mean, which the bias takes over."""
        drive = with_weight(synapse, changed - weight).apply(values[300:]).flatten(1)
        return float((drive - drive.mean(0)).pow(2).mean().sqrt())

    assert error(rounded.astype(float)) < 0.1 * error(round_to_nearest(weight, CHIP))
    found = float(rounding.deviation(("layer", 0), rounded - weight, 1).mean())
    assert found == pytest.approx(error(rounded.astype(float)), rel=0.5)
    added = rounding.mean_change(("layer", 0), synapse, rounded - weight, 1)
    expected = with_weight(synapse, rounded - weight).apply(readings_mean(values[:300]))
    assert np.allclose(added, expected[0].numpy())


def readings_mean(values: torch.Tensor) -> torch.Tensor:
    return values.mean(0, keepdim=True)


@given(st.integers(1, 90), st.integers(1, 6), st.integers(1, 20), st.integers(0, 1000))
def test_rounding_along_samples_gives_weights_of_the_chip(inputs: int, outputs: int, samples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight, values = 300 * rng.normal(size=(outputs, inputs)), rng.normal(size=(samples, inputs))
    rounded = round_along(weight, values, CHIP)
    assert rounded.shape == weight.shape
    assert rounded.min() >= CHIP.weight_minimum and rounded.max() <= CHIP.weight_maximum
    assert not (rounded % STEP).any()


def test_rounding_along_constants_is_rounding_to_the_nearest() -> None:
    weight = np.random.default_rng(0).normal(size=(3, 7)) * 10
    assert np.array_equal(round_along(weight, np.zeros((5, 7)), CHIP), round_to_nearest(weight, CHIP))


def test_sparse_rows_are_rounded_as_dense_ones_of_what_they_read() -> None:
    rng = np.random.default_rng(7)
    matrix = random_matrix(12, 30, density=0.4, format="csr", random_state=rng)
    matrix.sort_indices()
    op, values = Sparse(matrix, np.zeros(12), (12,), (30,)), rng.normal(size=(9, 30))
    rounded = round_sparse(20 * matrix.data, op, values, CHIP)
    for row in range(12):
        entries = slice(*matrix.indptr[row : row + 2])
        if entries.stop > entries.start:
            dense = round_along(20 * matrix.data[None, entries], values[:, matrix.indices[entries]], CHIP)
            assert np.array_equal(rounded[entries], dense[0])


def test_synapses_that_read_the_same_windows_share_their_moments() -> None:
    """Hundreds of covariances of ten megabytes each took a DenseNet's memory."""
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 256, (8, 2, 4, 4), dtype=np.uint8)
    graph = Graph()
    graph.add("input", Input((2, 4, 4)))
    synapses = {
        "first": Conv2d(rng.standard_normal((2, 2, 3, 3)), np.zeros(2), padding=(1, 1)),
        "same": Conv2d(rng.standard_normal((2, 2, 3, 3)), np.zeros(2), padding=(1, 1)),
        "grouped": Conv2d(rng.standard_normal((2, 1, 3, 3)), np.zeros(2), padding=(1, 1), groups=2),
        "smaller": Conv2d(rng.standard_normal((2, 2, 1, 1)), np.zeros(2)),
    }
    for name, synapse in synapses.items():
        graph.add(name, SpikingLayer((synapse,), threshold=np.ones(2)), ("input",))
    end = Conv2d(rng.standard_normal((2, 2, 1, 1)), np.zeros(2))
    graph.add("readout", Readout((end,) * len(synapses)), tuple(synapses))
    graph.add("output", Output(), ("readout",))
    found = input_readings(graph, levels)
    assert found["same", 0] is found["first", 0]
    for name, synapse in synapses.items():
        alone = measure_readings(synapse, torch.as_tensor(levels, dtype=torch.float32))
        assert isinstance(alone, InputMoments) and np.array_equal(found[name, 0].covariance, alone.covariance)
    assert len({id(found["readout", place]) for place in range(len(synapses))}) == len(synapses)


@settings(max_examples=40)
@given(st.integers(0, 1000), st.sampled_from([4, 12, 40]), st.booleans())
def test_weights_that_meet_the_bias_leave_a_smaller_error(seed: int, inputs: int, few: bool) -> None:
    """Of the mean square of a step's error: the variance over the inputs, and what rounding the bias leaves."""
    rng = np.random.default_rng(seed)
    values = torch.as_tensor(rng.random((8 if few else 4 * inputs, inputs)) * rng.random(inputs) ** 2)
    op = Linear(rng.normal(0, 6, (5, inputs)), np.zeros(5))
    place = ("layer", 0)
    rounding = WeightRounding(get_target("loihi2"), {place: measure_readings(op, values)})
    rounded = rounding.rounded(place, op.weight)
    mean = values.mean(0).numpy()
    exact = rng.normal(0, 3, 5)

    def lost(weight: NDArray[np.int16]) -> FloatArray:
        change = weight - op.weight
        wanted = exact - change @ mean
        return ((change @ (values.numpy() - mean).T) ** 2).mean(1) + (np.rint(wanted) - wanted) ** 2

    moved = rounding.meeting_bias(place, op, op.weight, rounded, exact - (rounded - op.weight) @ mean, 1)
    assert (
        moved.dtype == rounded.dtype
        and (np.abs(moved - rounded).sum(1) <= 2 * 2 * get_target("loihi2").weight_step).all()
    )
    if not few:
        assert (lost(moved) <= lost(rounded) + 1e-6).all()
        assert lost(moved).sum() < lost(rounded).sum()
    # Few samples are parted into those that round and those that judge.
    assert np.array_equal(moved[:, mean == 0], rounded[:, mean == 0])
