"""From float layers to integers: what is rounded, how, and that it stays in range."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import Case, dense_cases, image_cases, pooled_cases, randomize
from torch import nn

from snnc.common.errors import DataError, OptionError, SnncError, TargetError
from snnc.compiler.conversion.assign import AssignThresholds
from snnc.compiler.conversion.profile import ProfileActivations
from snnc.compiler.conversion.solver import METHODS, spike_counts
from snnc.compiler.frontend import choose_coding, trace
from snnc.compiler.ir import Conv2d, Graph, Linear, QuantizedLayer, Readout, Sparse, SpikingLayer
from snnc.compiler.ir.passes import PassManager
from snnc.compiler.lowering.spiking_layers import lowering
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import compile_module
from snnc.compiler.quantization.normalized import silent, without_idle
from snnc.compiler.quantization.quantize import Quantize
from snnc.program import InputCoding, Program
from snnc.program.targets import get_target
from snnc.runtime.simulator import Simulator

LIMIT = 1 << 17
steps = st.sampled_from([1, 2, 3, 4, 8, 16, 32, 64, 256, 1024])
methods = st.sampled_from(sorted(METHODS))
cases = image_cases() | pooled_cases() | dense_cases()


def float_graph(
    case: Case, timesteps: int, method: str = "data-driven", *, per_channel: bool = True
) -> tuple[Graph, InputCoding]:
    """The graph with thresholds, before it is quantised."""
    ones = np.ones(case.shape[0])
    coding = InputCoding("graded", case.shape, ones, 0 * ones, case.affine.scale, case.affine.shift)
    passes = [
        *lowering(coding),
        ProfileActivations(case.levels),
        AssignThresholds(timesteps, method, per_channel=per_channel),
    ]
    return PassManager(passes).run(trace(case.module, case.shape)).graph, coding


def expected_weight(op: Conv2d | Linear, source: np.ndarray, unit: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """W' = diag(1 / Vth) W diag(Vth of the source), one output at a time."""
    if isinstance(op, Sparse):
        rows, columns = op.matrix.nonzero()
        each = [np.repeat(values, np.prod(size[1:], dtype=int)) for values, size in ((source, shape), (unit, op.shape))]
        return op.matrix.data * each[0][columns] / each[1][rows]
    result = np.zeros_like(op.weight)
    for output in range(len(op.weight)):
        if isinstance(op, Linear):
            each = np.broadcast_to(source.reshape(-1, *(1,) * (len(shape) - 1)), shape).ravel()
            result[output] = op.weight[output] * each / unit[output]
        else:
            inputs = op.weight.shape[1]
            first = output // (len(op.weight) // op.groups) * inputs
            result[output] = op.weight[output] * source[first : first + inputs].reshape(-1, 1, 1) / unit[output]
    return result


@given(cases, steps, methods, st.booleans())
def test_every_number_is_the_float_one_times_theta_rounded(
    case: Case, timesteps: int, method: str, channels: bool
) -> None:
    graph, coding = float_graph(case, timesteps, method, per_channel=channels)
    try:
        found = PassManager([Quantize(get_target("loihi"), timesteps, coding, margin=2.0)]).run(graph).graph
    except TargetError:
        return  # what may be refused is tested below
    sources = {graph.input.name: np.ones(case.shape[0])}
    for node in graph.of_kind(SpikingLayer, Readout):
        op, layer = node.op, found[node.name].op.layer
        fires = isinstance(op, SpikingLayer)
        # Thresholds may become larger, so that weights are finer.
        unit = layer.scale if fires else np.ones(node.shape[0])
        assert not fires or (unit >= op.threshold * (1 - 1e-12)).all()
        theta = layer.threshold.value if fires else 1 / layer.scale[0]
        assert theta > 0 and np.isfinite(theta)
        if fires:
            assert layer.threshold.value == layer.threshold.mantissa * 2**layer.threshold.exponent
            assert 1 <= layer.threshold.mantissa <= 255 and 0 <= layer.threshold.exponent <= 7
            assert 0 <= layer.initial_potential < theta
            fractions = op.initial_potential / op.threshold
            assert abs(layer.initial_potential - fractions.mean() * theta) <= 1
        assert layer.name == node.name and layer.modules == node.modules and layer.shape == node.shape
        total = np.zeros(node.shape)
        for synapse, integer, name in zip(op.synapses, layer.synapses, node.inputs, strict=True):
            weight = integer.weight
            assert weight.dtype == np.int16 and not (weight % 2).any() and weight.any()
            assert weight.min() >= -256 and weight.max() <= 254
            exact = expected_weight(synapse, sources[name], unit, graph[name].shape)
            exact, _ = without_idle(synapse, exact, silent(graph[name]), graph[name].shape)
            exact = exact * theta / 2**integer.exponent
            assert np.abs(weight - exact).max() <= 1 + 1e-6 * np.abs(exact).max()
            # An exponent is taken only where it has to be.
            assert not integer.exponent or not -257 <= 2 * exact.min() <= 2 * exact.max() <= 255
            if isinstance(synapse, Conv2d):
                assert (integer.stride, integer.padding, integer.dilation) == (
                    synapse.stride,
                    synapse.padding,
                    synapse.dilation,
                )
                assert integer.groups == synapse.groups
                total += synapse.bias_map()
            else:
                total += synapse.bias
        spread = (-1,) + (1,) * (len(node.shape) - 1)
        exact = total / unit.reshape(spread)
        if fires:
            exact = exact + (fractions - fractions.mean()).reshape(spread) / timesteps
        exact = exact * theta
        assert np.abs(np.broadcast_to(layer.bias, node.shape) - exact).max() <= 0.5 + 1e-6 * np.abs(exact).max()
        assert layer.bias.dtype == np.int32
        sources[node.name] = unit


@given(cases, steps, methods, st.booleans(), st.sampled_from(["loihi1", "loihi2"]))
@settings(max_examples=40)
def test_whatever_compiles_fits_the_chip_and_does_not_wrap_on_its_calibration_data(
    case: Case, timesteps: int, method: str, channels: bool, target: str
) -> None:
    options = CompileOptions(target=target, timesteps=timesteps, threshold=method, per_channel=channels)
    try:
        program = compile_module(case.module, case.levels.astype(np.float32), options, unit=1.0).program
    except SnncError as error:
        assert "bug" not in str(error)
        return
    assert program.target == target and program.timesteps == timesteps
    simulator = Simulator(program)
    result = simulator.run(program.coding.levels(case.levels.astype(np.float32)))
    assert not any(result.wraps)
    for layer, found in zip(program.layers, simulator.ranges, strict=True):
        assert layer.membrane.measured == (found.low, found.high)
        assert layer.membrane.samples == len(case.levels)
        # The proven range holds whatever is measured; the measured one is on the chip.
        assert layer.membrane.proven[0] <= found.low and found.high <= layer.membrane.proven[1]
        assert found.low > -LIMIT and found.high < LIMIT


@pytest.mark.parametrize("timesteps", [1, 2, 5, 8, 64, 1000, 1024])
def test_an_ordinary_network_compiles_for_every_number_of_steps(timesteps: int) -> None:
    for target in ("loihi1", "loihi2"):
        program = compiled(lenet(), timesteps=timesteps, target=target)
        result = Simulator(program).run(lenet().levels)
        assert not any(result.wraps) and all(count.any() for count in result.spike_counts)


@given(st.integers(0, 200))
@settings(max_examples=15)
def test_proven_layers_cannot_wrap_whatever_the_input(seed: int) -> None:
    case = lenet(seed)
    graph, coding = float_graph(case, 4)
    manager = PassManager([Quantize(get_target("loihi"), 4, coding, margin=math.inf)])
    graph = manager.run(graph).graph
    assert manager.records[0].result.stats["layers_proven"] == manager.records[0].result.stats["layers"] == 3
    for node in graph.of_kind(QuantizedLayer):
        low, high = node.op.layer.membrane.proven
        assert low > -LIMIT and high < LIMIT, node.where


def lenet(seed: int = 0) -> Case:
    """A small image network with calibration data."""
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 6, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24, 5),
    )
    rng = np.random.default_rng(seed)
    affine_scale, shift = np.array([1 / 255]), np.array([0.0])
    from snnc.compiler.ir import Affine

    levels = rng.integers(0, 256, (64, 1, 8, 8)).astype(np.uint8)
    return Case(randomize(module, seed), (1, 8, 8), Affine(affine_scale, shift), levels)


def compiled(case: Case, **options: object) -> Program:
    return compile_module(
        case.module, case.levels, CompileOptions(**options, mean=(0.0,), std=(255.0,)), unit=1.0
    ).program


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("channels", [True, False])
def test_the_first_layer_counts_as_the_float_neuron_does(method: str, channels: bool) -> None:
    timesteps = 8
    case = lenet()
    program = compiled(case, timesteps=timesteps, threshold=method, per_channel=channels)
    graph, _ = float_graph(case, timesteps, method, per_channel=channels)
    (node, *_), layer = graph.of_kind(SpikingLayer), program.layers[0]
    batch = torch.as_tensor(case.levels, dtype=torch.float64)
    drive = node.op.drive(batch).numpy()
    result = Simulator(program).run(case.levels, record=True)
    counts = result.spikes[0].sum(1)
    # Weights are off by a unit or so, up or down as their errors cancel; each level by half a divisor in the sum.
    inputs = layer.synapses[0].weight[0].size
    theta = layer.threshold.value
    weight_error = inputs * 255 / program.coding.levels_per_unit / theta
    input_error = (
        np.abs(layer.synapses[0].weight.astype(float)).reshape(len(layer.bias), -1).sum(1).max()
        * 0.5
        / timesteps
        / theta
    )
    allowed = 2 + math.ceil(timesteps * (weight_error + input_error + 0.5 / theta))
    for channel in range(node.shape[0]):
        expected = spike_counts(
            np.maximum(drive[:, channel], 0), node.op.threshold[channel], node.op.initial_potential[channel], timesteps
        )
        difference = np.abs(counts[:, channel] - expected)
        assert difference.max() <= allowed
        # The bound is for the worst of all inputs: on the whole they must be near.
        assert difference.mean() <= 0.5


@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_with_time_the_logits_become_those_of_the_network(target: str) -> None:
    errors = []
    case = lenet()
    expected = case.expected().numpy()
    spread = expected.std()
    for timesteps in (8, 64):
        program = compiled(case, timesteps=timesteps, threshold="max", target=target)
        logits = program.logits(Simulator(program).run(case.levels).readout)
        errors.append(float(np.sqrt(((logits - expected) ** 2).mean()) / spread))
    # With much more time the membranes' 24 bits leave the weights fewer levels, and the error grows again.
    assert errors[0] > errors[1] < 0.05


def scaled_between(case: Case, factor: float) -> Case:
    """Larger by ``factor`` between the first layer and the second: the same function."""
    module = copy.deepcopy(case.module)
    module[0].weight.data *= factor
    module[0].bias.data *= factor
    module[3].weight.data /= factor
    return replace(case, module=module)


@pytest.mark.parametrize("power", [-40, -20, -3, 3, 20, 40])
@pytest.mark.parametrize("method", sorted(METHODS))
def test_scaling_one_layer_and_the_next_inversely_changes_no_integer(power: int, method: str) -> None:
    case = lenet()
    plain = compiled(case, threshold=method)
    scaled = compiled(scaled_between(case, 2.0**power), threshold=method)
    for left, right in zip(plain.layers, scaled.layers, strict=True):
        assert left.threshold == right.threshold and left.initial_potential == right.initial_potential
        assert np.array_equal(left.bias, right.bias) and left.gate == right.gate
        for a, b in zip(left.synapses, right.synapses, strict=True):
            assert np.array_equal(a.weight, b.weight)
    assert np.allclose(scaled.layers[0].scale, plain.layers[0].scale * 2.0**power)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_weights_far_from_one_give_the_same_predictions(factor: float) -> None:
    case = lenet()
    levels = case.levels
    plain, scaled = (Simulator(compiled(each)).run(levels) for each in (case, scaled_between(case, factor)))
    assert (plain.predictions == scaled.predictions).mean() >= 0.95


def test_dead_channels_and_zero_biases_compile() -> None:
    case = lenet()
    case.module[0].bias.data.zero_()
    case.module[0].weight.data[1] = -1.0  # never rises above zero
    case.module[3].bias.data.zero_()
    case.module[6].bias.data.zero_()
    compilation = compile_module(case.module, case.levels, CompileOptions(), unit=1.0)
    assert any("1 of 4 channels never rise above zero" in note for note in compilation.program.provenance.notes)
    result = Simulator(compilation.program).run(case.levels)
    assert result.spike_counts[0][1].sum() == 0 and result.spike_counts[0].sum() > 0


def test_a_layer_that_is_dead_altogether_compiles_and_is_noted() -> None:
    case = lenet()
    case.module[3].weight.data = -case.module[3].weight.data.abs()
    case.module[3].bias.data.fill_(-1.0)
    program = compiled(case)
    assert any("6 of 6 channels" in note for note in program.provenance.notes)
    assert Simulator(program).run(case.levels).spike_counts[1].sum() == 0


def test_a_channel_of_zero_weights_compiles() -> None:
    case = lenet()
    case.module[0].weight.data[2] = 0
    case.module[0].bias.data[2] = 0.5
    program = compiled(case)
    assert Simulator(program).run(case.levels).spike_counts[0][2].sum() > 0


@pytest.mark.parametrize("index", [0, 3, 6])
def test_a_layer_without_weights_is_refused_by_name(index: int) -> None:
    case = lenet()
    case.module[index].weight.data.zero_()
    with pytest.raises(TargetError, match=rf"\b{index}\b.*zero"):
        compiled(case)


@pytest.mark.parametrize("largest", [1e-3, 1e-6])
def test_a_channel_that_hardly_ever_rises_does_not_ruin_the_others(largest: float) -> None:
    case = lenet()
    plain = compiled(case).layers[0].threshold.value
    with torch.no_grad():
        drive = case.module[0](case.inputs.float())[:, 1]
        case.module[0].bias.data[1] += largest - drive.max()
    program = compiled(case)
    assert program.layers[0].threshold.value >= plain / 16


@pytest.mark.parametrize("bias", [1e3, 1e6, 1e9])
def test_a_bias_far_beyond_the_weights_is_refused_or_exact(bias: float) -> None:
    case = lenet()
    case.module[0].bias.data[1] = bias
    try:
        program = compiled(case)
    except TargetError as error:
        assert "0" in str(error)
        return
    assert not any(Simulator(program).run(case.levels).wraps)


def bad_data(value: float) -> np.ndarray:
    data = np.random.default_rng(0).random((8, 1, 8, 8)).astype(np.float32)
    data[3, 0, 2, 2] = value
    return data


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(bad_data(np.nan), id="nan"),
        pytest.param(bad_data(np.inf), id="inf"),
        pytest.param(bad_data(-np.inf), id="-inf"),
        pytest.param(np.zeros((0, 1, 8, 8)), id="empty"),
        pytest.param(np.zeros((8, 1, 8, 8)), id="constant"),
        pytest.param(np.random.default_rng(0).random((8, 8)), id="features"),
        pytest.param(np.random.default_rng(0).random((8, 1, 10, 10)), id="size"),
        pytest.param(np.random.default_rng(0).random((8, 3, 8, 8)), id="channels"),
        pytest.param(np.random.default_rng(0).random((8, 8, 8)), id="no-channel"),
        pytest.param(np.random.default_rng(0).random(8), id="flat"),
        pytest.param(np.array(["a", "b"]).reshape(2, 1), id="text"),
    ],
)
def test_calibration_data_that_cannot_be_used_are_one_clear_error(raw: np.ndarray) -> None:
    with pytest.raises(SnncError) as caught:
        compile_module(lenet().module, raw, CompileOptions())
    assert "\n" not in str(caught.value) and "bug" not in str(caught.value)


def test_images_without_a_channel_axis_are_refused_before_a_file_is_written() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.ReLU(), nn.Linear(5, 2))
    with pytest.raises(DataError, match="channels, height, width"):
        compile_module(module, np.random.default_rng(0).random((8, 8, 8)), CompileOptions())


@pytest.mark.parametrize("timesteps", [0, -1, 1025])
def test_steps_out_of_range_are_refused(timesteps: int) -> None:
    with pytest.raises(OptionError, match=r"1\.\.1024"):
        compiled(lenet(), timesteps=timesteps)


def test_unknown_methods_and_targets_are_refused() -> None:
    with pytest.raises(OptionError, match="data-driven"):
        compiled(lenet(), threshold="best")
    with pytest.raises(TargetError, match="loihi2"):
        compiled(lenet(), target="tpu")


def test_equal_input_gives_equal_programs() -> None:
    from snnc.program.net.writer import to_bytes

    assert to_bytes(compiled(lenet())) == to_bytes(compiled(lenet()))
    other = lenet()
    other.module[6].bias.data[0] += 1e-3
    assert compiled(other).provenance.model != compiled(lenet()).provenance.model


def test_choosing_the_coding_twice_is_the_same() -> None:
    raw = np.random.default_rng(0).random((5, 1, 4, 4))
    assert choose_coding(raw, "rate").unit == choose_coding(raw, "rate").unit
