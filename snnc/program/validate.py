"""Whether a network contradicts itself, or a number in it is out of range.

Every reader asks after reading and every writer before writing, so that what would be refused cannot be written. What
is asked of a network here is what all that runs, places or describes it takes for granted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import singledispatch

import numpy as np

from snnc.common.errors import FormatError, SnncError
from snnc.program.checks import Checks
from snnc.program.coding import LEVELS, InputCoding
from snnc.program.connections import window_output
from snnc.program.layer import Gate, Layer, Membrane, NeuronLayer, Scaled, Synapse
from snnc.program.messages import BIAS_MAXIMUM, DELTA_THRESHOLD_MAXIMUM, WEIGHT_MAXIMUM, holds_messages
from snnc.program.network import CompiledNetwork
from snnc.program.program import Program
from snnc.program.provenance import WrongFormError, provenance_form, provenance_of_form
from snnc.program.sigma_delta import SigmaDeltaLayer, SigmaDeltaProgram
from snnc.program.targets import Target, WeightRange, get_target, target_names

TIMESTEPS_MAXIMUM = 1024
SIZE_MAXIMUM = 1 << 31
# Multiply-accumulates of a module for one sample.
MACS_MAXIMUM = (1 << 63) - 1
# Any membrane potential, and the largest bias.
STATE = 1 << 40
SPIKING_BIAS_MAXIMUM = 1 << 24
# As long as no target waits longer; what one can do is checked where it runs.
HOLD_MAXIMUM = 1 << 16
# Lava keeps stride, padding and dilation in eight signed bits; pulses of one gate are as few.
WINDOW_MAXIMUM = 127
GATE_MAXIMUM = 255


def validate(program: CompiledNetwork, where: str | None = None, *, error: type[SnncError] = FormatError) -> None:
    """Make sure that a network contradicts itself nowhere, and that its chip can hold each number.

    Args:
        program: The network.
        where: Its file, after which errors name the place in it. None: there is none; they name a layer's modules.
        error: The class of the errors.

    Raises:
        SnncError: Of that class: something is wrong; says where, what was expected and what was found.
    """
    checks = Checks("program", advice=None, error=error) if where is None else Checks(f"{where}:/snnc", error=error)
    try:
        checks.choice("target", program.target, *target_names())
        _provenance(program, checks)
        for each in program.ann:
            checks.text("ann", each.module)
            checks.integer("ann", each.macs, 0, MACS_MAXIMUM)
        _coding(program.coding, checks.at("coding"))
        if not program.layers:
            raise checks.at("layers").error("there is no layer")
        places = [
            checks.at("layers", index) if where is not None else Checks(layer.where, advice=None, error=error)
            for index, layer in enumerate(program.layers)
        ]
        _neurons(program, checks, places)
    # What values of any other type raise where something is done with them.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as found:
        raise checks.error("contradicts itself", found=str(found)) from found


def _provenance(program: CompiledNetwork, checks: Checks) -> None:
    """Check that what is said of the network's making can be shown, and read back from plain values as it is."""
    form = provenance_form(program.provenance)
    checks.shown("provenance", form)
    try:
        provenance_of_form(form)
    except WrongFormError as error:
        raise checks.error(f"provenance {error}", expected=error.expected) from None


@singledispatch
def _neurons(program: CompiledNetwork, checks: Checks, places: Sequence[Checks]) -> None:
    """Check what depends on the neurons; registered for each kind of them.

    Args:
        program: The network.
        checks: Of the network.
        places: Of each of its layers.
    """
    raise NotImplementedError(f"no checks are registered for {type(program).__name__}")


@_neurons.register
def _spiking(program: Program, checks: Checks, places: Sequence[Checks]) -> None:
    checks.integer("timesteps", program.timesteps, 1, TIMESTEPS_MAXIMUM)
    checks.integer("lead", program.lead, 0, program.timesteps)
    target = get_target(program.target)
    if program.coding.kind == "graded" and not target.carries(program.coding.largest):
        raise checks.error(f"{target.name} takes no graded spikes", expected="rate coding")
    check_order(
        [[(synapse.source, synapse.hold) for synapse in layer.synapses] for layer in program.layers],
        [0 if layer.memoryless else program.lead for layer in program.layers],
        checks.at("layers"),
    )
    for index, (layer, place) in enumerate(zip(program.layers, places, strict=True)):
        _layer(layer, place)
        for position, synapse in enumerate(layer.synapses):
            where = place.at("synapses", position)
            _synapse(synapse, program.source_shape(synapse.source), layer.shape, target.spike_weights, where)
            where.integer("exponent", synapse.exponent, 0, target.weight_exponent_maximum)
        _spiking_layer(layer, target, place, is_readout=index == len(program.layers) - 1)


@_neurons.register
def _sigma_delta(program: SigmaDeltaProgram, checks: Checks, places: Sequence[Checks]) -> None:
    if not holds_messages(get_target(program.target)):
        raise checks.error(
            "unknown target", expected="one with graded spikes, which messages are", found=repr(program.target)
        )
    if program.coding.kind != "graded" or program.coding.divisor != 1:
        raise checks.error("the input of sigma-delta neurons is spread over steps", expected="graded, divisor 1")
    weights = WeightRange(-WEIGHT_MAXIMUM, WEIGHT_MAXIMUM, 1)
    for index, (layer, place) in enumerate(zip(program.layers, places, strict=True)):
        _layer(layer, place)
        place.integer("source", layer.synapse.source, index - 1, index - 1)
        _synapse(layer.synapse, program.source_shape(index - 1), layer.shape, weights, place)
        _sigma_delta_layer(layer, place, is_readout=index == len(program.layers) - 1)


def _coding(coding: InputCoding, checks: Checks) -> None:
    _shape(coding.shape, checks)
    for name in ("unit", "offset", "scale", "shift"):
        checks.floats(name, getattr(coding, name), (coding.shape[0],))
    if not (coding.unit > 0).all():
        raise checks.error("unit is not positive")
    checks.choice("kind", coding.kind, "graded", "rate")
    checks.integer("divisor", coding.divisor, 1, LEVELS)
    checks.integer("highest", coding.highest, 1, LEVELS - 1)


def _shape(shape: tuple[int, ...], checks: Checks) -> None:
    checks.integers("shape", shape, (None,), 1, SIZE_MAXIMUM)
    if len(shape) not in (1, 3):
        raise checks.error("shape has the wrong number of axes", expected="1 or 3", found=str(len(shape)))


def _layer(layer: NeuronLayer, checks: Checks) -> None:
    """Check what all layers have."""
    checks.text("name", layer.name)
    checks.names("modules", layer.modules)
    _shape(layer.shape, checks)
    checks.floats("scale", layer.scale, (layer.shape[0],))
    if not (layer.scale > 0).all():
        raise checks.error("scale is not positive")
    _membrane(layer.membrane, checks)


def _membrane(membrane: Membrane, checks: Checks) -> None:
    checks.integers("membrane_proven", membrane.proven, (2,), -STATE, STATE)
    measured = (*(membrane.measured or (0, 0)), membrane.samples)
    checks.integers("membrane_measured", measured, (3,), -STATE, STATE)


def check_order(reads: Sequence[Sequence[tuple[int, int]]], leads: Sequence[int], checks: Checks) -> None:
    """Make sure that layers read those before them, those that send last first, and that all but the last are read.

    In a circle the longest path would have no end; the first synapse is a layer's place in the pipeline.

    Args:
        reads: For each layer what its synapses read, a layer or -1 for the input, and how long they hold it at least.
        leads: For each layer the steps that it waits before it sends.
        checks: Of the place of the layers.

    Raises:
        SnncError: As ``checks`` has it.
    """
    sends = [-1]
    for index, (synapses, lead) in enumerate(zip(reads, leads, strict=True)):
        place = checks.at(index)
        if not synapses:
            raise place.error("there is no synapse")
        for position, (source, hold) in enumerate(synapses):
            place.at("synapses", position).integer("source", source, -1, index - 1)
            place.at("synapses", position).integer("hold", hold, 0, HOLD_MAXIMUM)
        arrives = [sends[source + 1] + 1 + hold for source, hold in synapses]
        if arrives[0] != max(arrives):
            raise place.at("synapses", 0).error("the first synapse does not read the deepest layer")
        sends.append(arrives[0] + lead)
    read = {source for synapses in reads for source, _ in synapses}
    for index in range(len(reads) - 1):
        if index not in read:
            raise checks.at(index).error("no layer reads its spikes")


def _spiking_layer(layer: Layer, target: Target, checks: Checks, *, is_readout: bool) -> None:
    is_at_zero = is_readout or layer.memoryless
    checks.integer("initial_potential", layer.initial_potential, 0, 0 if is_at_zero else STATE)
    if is_readout and (layer.threshold is not None or layer.memoryless):
        raise checks.error("the readout has a threshold, or is memoryless")
    if not is_readout:
        if layer.threshold is None:
            raise checks.error("threshold is missing")
        _scaled("threshold", layer.threshold, target, checks)
        if not layer.memoryless:
            if layer.gate is None:
                raise checks.error("gate is missing")
            _gate(layer.gate, target, checks)
        if not 0 <= layer.initial_potential < layer.threshold.value:
            expected = f"0..{layer.threshold.value - 1}"
            raise checks.error("initial potential is out of range", expected=expected)
        fired_above = layer.firing_level - 1
        if fired_above > target.threshold_maximum:
            limit = f"0..{target.threshold_maximum}"
            raise checks.error("the threshold does not fit", expected=limit, found=str(fired_above))
    if layer.gate is not None and is_at_zero:
        raise checks.error("the readout or a memoryless layer has a gate")
    bias_shape: tuple[int, ...] = (layer.shape[0],)
    if len(layer.shape) == 3:
        bias_shape = layer.shape if np.shape(layer.bias) == layer.shape else (layer.shape[0], 1, 1)
    checks.integers("bias", layer.bias, bias_shape, -SPIKING_BIAS_MAXIMUM, SPIKING_BIAS_MAXIMUM)
    if layer.memoryless and layer.bias.any():
        raise checks.error("a memoryless layer has a bias")


def _scaled(name: str, scaled: Scaled, target: Target, checks: Checks) -> None:
    checks.integer(name, scaled.mantissa, 0, target.weight_magnitude_maximum)
    if not 0 <= scaled.exponent <= target.weight_exponent_maximum:
        limit = f"exponents 0..{target.weight_exponent_maximum}"
        raise checks.error("threshold or gate are out of range", expected=limit, found=str(scaled.exponent))


def _gate(gate: Gate, target: Target, checks: Checks) -> None:
    _scaled("gate", gate.pulse, target, checks)
    checks.integer("gate", gate.count, 0, GATE_MAXIMUM)


def _sigma_delta_layer(layer: SigmaDeltaLayer, checks: Checks, *, is_readout: bool) -> None:
    if layer.synapse.exponent or layer.synapse.hold:
        raise checks.error("messages are neither scaled nor held back")
    if layer.synapse.groups != 1:
        found = str(layer.synapse.groups)
        raise checks.error("groups leave no place for the channel of constants", expected="1", found=found)
    if layer.is_readout != is_readout:
        raise checks.error("only the last layer is a readout, and it has to be one")
    if layer.has_constant == is_readout:
        raise checks.error("all layers but the readout have a channel of constants")
    if layer.delta_threshold is not None:
        checks.integer("vThMant", layer.delta_threshold, 0, DELTA_THRESHOLD_MAXIMUM)
    checks.integers("bias", layer.bias, (layer.shape[0],), -BIAS_MAXIMUM, BIAS_MAXIMUM)
    if is_readout and layer.bias.any():
        raise checks.error("the readout has a bias")


def _synapse(
    synapse: Synapse, read: tuple[int, ...], shape: tuple[int, ...], allowed: WeightRange, checks: Checks
) -> None:
    """Check that a synapse leads from one shape to another, and its weights.

    Args:
        synapse: The synapse.
        read: Shape of what it reads.
        shape: Shape of the layer that it feeds.
        allowed: Which weights there may be.
        checks: Of its place.
    """
    checks.choice("kind", synapse.kind, "conv", "dense", "sparse")
    if (synapse.kind == "sparse") != (synapse.entries is not None):
        raise checks.error("a sparse synapse, and no other, says where its weights stand")
    if synapse.kind == "conv":
        _convolution(synapse, read, shape, checks)
        wanted: tuple[int | None, ...] = (shape[0], read[0] // synapse.groups, None, None)
    elif synapse.kind == "dense":
        if len(shape) != 1:
            raise checks.error("a dense synapse feeds an image", found=str(shape))
        wanted = (shape[0], math.prod(read))
    else:
        wanted = (_entries(synapse, math.prod(shape), math.prod(read), checks),)
    checks.integers("weight", synapse.weight, wanted, allowed.low, allowed.high)
    if allowed.step > 1 and (synapse.weight % allowed.step).any():
        numbers = "even numbers" if allowed.step == 2 else f"multiples of {allowed.step}"
        problem = "a weight is odd" if allowed.step == 2 else f"a weight is no multiple of {allowed.step}"
        raise checks.error(problem, expected=f"{numbers}, {allowed.low}..{allowed.high}")


def _convolution(synapse: Synapse, read: tuple[int, ...], shape: tuple[int, ...], checks: Checks) -> None:
    if len(read) != 3 or len(shape) != 3:
        raise checks.error("a convolution needs images", found=f"{read} to {shape}")
    checks.integer("groups", synapse.groups, 1, SIZE_MAXIMUM)
    if read[0] % synapse.groups or shape[0] % synapse.groups:
        raise checks.error("groups do not divide the channels", found=str(synapse.groups))
    if synapse.weight.ndim != 4:
        raise checks.error("weight has the wrong shape", expected="four axes", found=str(synapse.weight.shape))
    for name, low in (("stride", 1), ("padding", 0), ("dilation", 1)):
        checks.integers(name, getattr(synapse, name), (2,), low, WINDOW_MAXIMUM)
    kernel = synapse.weight.shape[2:]
    try:
        window = tuple(
            window_output(*each)
            for each in zip(read[1:], kernel, synapse.stride, synapse.padding, synapse.dilation, strict=True)
        )
    except ValueError as error:
        raise checks.error(f"the kernel does not fit: {error}") from error
    if window != tuple(shape[1:]):
        raise checks.error("the convolution gives another shape", expected=str(shape[1:]), found=str(window))


def _entries(synapse: Synapse, rows: int, columns: int, checks: Checks) -> int:
    """Check where weights stand; returns how many there are."""
    assert synapse.entries is not None
    starts, places = synapse.entries.row_starts, synapse.entries.columns
    count = synapse.weight.size
    checks.integers("row_starts", starts, (rows + 1,), 0, count)
    if starts[0] != 0 or starts[-1] != count or (np.diff(starts) < 0).any():
        raise checks.error("row_starts does not divide the weights into rows", expected=f"ascending, 0..{count}")
    checks.integers("columns", places, (count,), 0, columns - 1)
    rises = np.diff(places) > 0
    # From the last entry of a row to the first of the next one columns may fall.
    inside = starts[1:-1]
    rises[inside[(inside > 0) & (inside < count)] - 1] = True
    if not rises.all():
        raise checks.error("columns are not in ascending order within each row")
    return count
