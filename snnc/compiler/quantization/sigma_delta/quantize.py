"""A chain of float layers to sigma-delta neurons in integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray, per_channel
from snnc.common.errors import TargetError
from snnc.compiler.quantization.sigma_delta.chain import ChainLayer
from snnc.compiler.quantization.sigma_delta.units import (
    constant_weights,
    growth,
    hidden_units,
    kept_by_netx,
    message_caps,
    reach,
    readout_unit,
)
from snnc.program import InputCoding, Membrane, SigmaDeltaLayer, Synapse
from snnc.program.bounds import sigma_delta_bounds
from snnc.program.messages import BIAS_UNIT, UNIT, WEIGHT_MAXIMUM

# Where levels are few, the relay, which loses nothing, makes messages longer, up to this.
RELAY_MESSAGE = 128
# A name that no module has.
RELAY = "input:relay"
_UNKNOWN = Membrane((0, 0))


def quantize(
    layers: Sequence[ChainLayer], coding: InputCoding, delta_threshold: int, coarser: Sequence[float]
) -> tuple[SigmaDeltaLayer, ...]:
    """Choose units, rounds weights and splits biases.

    A neuron's bias is a multiple of 2^12; what is left of it comes from the constant channel of the layer before, a
    weight for each neuron. The readout has the latter alone. What the input's normalisation adds goes through the first
    kernel as the constant channel does, so that it ends at the image's border as the ANN's padding does. Half of a
    message's unit is added to the biases of neurons that send, because messages are rounded down.

    Args:
        layers: The chain.
        coding: What the input is.
        delta_threshold: Changes to hold back.
        coarser: For each layer of the chain a factor of its units that the calibration data demand, >= 1.

    Returns:
        The relay and the layers, with proven ranges.

    Raises:
        TargetError: A layer cannot be held in the chip's integers.
        UnsupportedError: A convolution has no place for its bias.
    """
    factor = max(1, RELAY_MESSAGE // coding.highest)
    caps = message_caps(factor * coding.highest, _growths(layers, coding))
    found = [_relay(coding, factor)]
    # Of what the next layer reads: shape and units of its messages, without the constant channel.
    shape, unit = coding.shape, np.full(coding.shape[0], 1 / factor)
    for index, layer in enumerate(layers):
        weight = layer.weight * _each_input(unit, layer, shape)
        kernel, bias = _constant_drive(layer, shape, coding.shift / coding.scale if index == 0 else None)
        if layer.is_readout:
            single = readout_unit(weight, bias, layer.drive_minimum, layer.drive_maximum, coarser[index])
            units = np.full(len(weight), single)
        else:
            units = hidden_units(weight, layer.drive_minimum, layer.drive_maximum, caps[index], coarser[index])
        bias = bias / units + (0 if layer.is_readout else UNIT / 2)
        coarse = np.rint(0 * bias if layer.is_readout else bias / BIAS_UNIT)
        constant, fine = constant_weights(layer, shape, kernel / _each_output(units, kernel), bias - coarse * BIAS_UNIT)
        found[-1] = _with_constant(found[-1], constant)
        rounded = np.rint(weight / _each_output(units, weight)).clip(-WEIGHT_MAXIMUM, WEIGHT_MAXIMUM)
        joined = _joined(layer, shape, rounded, fine)
        found.append(_layer(layer, index, joined, coarse, units, delta_threshold))
        shape, unit = layer.node.shape, units * UNIT
    bounds = sigma_delta_bounds(coding, tuple(found))
    return tuple(
        replace(layer, membrane=Membrane((int(each.low.min()), int(each.high.max()))))
        for layer, each in zip(found, bounds, strict=True)
    )


def _growths(layers: Sequence[ChainLayer], coding: InputCoding) -> list[float]:
    """Return how each hidden layer lengthens messages where its weights use eight bits."""
    shape, activation = coding.shape, np.full(coding.shape[0], float(coding.highest))
    growths = []
    for layer in layers[:-1]:
        weight = layer.weight * _each_input(activation, layer, shape)
        shape, activation = layer.node.shape, reach(layer.drive_minimum, layer.drive_maximum)
        growths.append(growth(weight, activation))
    return growths


def _relay(coding: InputCoding, factor: int) -> SigmaDeltaLayer:
    """Pass the input on, in shorter messages, and add the constant channel that the input has not."""
    channels = coding.shape[0]
    weight = (factor * np.eye(channels + 1, channels)).astype(np.int16)
    is_image = len(coding.shape) == 3
    return SigmaDeltaLayer(
        name=RELAY,
        modules=(),
        shape=(channels + 1, *coding.shape[1:]),
        synapse=Synapse(-1, "conv", weight[:, :, None, None]) if is_image else Synapse(-1, "dense", weight),
        bias=np.zeros(channels + 1, np.int32),
        delta_threshold=0,
        scale=np.append(np.full(channels, 1 / factor), 1.0),
        membrane=_UNKNOWN,
        has_constant=True,
    )


def _with_constant(layer: SigmaDeltaLayer, bias: int) -> SigmaDeltaLayer:
    """Return a layer whose constant channel has its bias, and the unit that makes its messages stand for 1."""
    biases, scale = layer.bias.copy(), layer.scale.copy()
    biases[-1], scale[-1] = bias, 1 / (bias * BIAS_UNIT // UNIT)
    return replace(layer, bias=biases, scale=scale)


def _each_input(values: FloatArray, layer: ChainLayer, shape: tuple[int, ...]) -> FloatArray:
    """Return a number for each channel of the source, shaped to be combined with a layer's weights."""
    if layer.convolution is not None:
        return per_channel(values, 3)
    return np.repeat(values, int(np.prod(shape[1:], dtype=int)))


def _each_output(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Return a number for each channel of the layer, shaped to be combined with its weights."""
    return per_channel(values, weight.ndim)


def _constant_drive(
    layer: ChainLayer, shape: tuple[int, ...], shift: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return what a layer adds whatever it reads, in the ANN's units: as a kernel on a plane of ones, and as a bias.

    Args:
        layer: The layer.
        shape: Shape of what it reads.
        shift: What each channel of the input is short of; None after the first layer.
    """
    if layer.convolution is None:
        bias = layer.bias if shift is None else layer.bias + layer.weight @ _each_input(shift, layer, shape)
        return np.zeros(len(bias)), bias
    kernel = np.zeros((len(layer.weight), *layer.weight.shape[2:]))
    if shift is not None:
        kernel = (layer.weight * _each_input(shift, layer, shape)).sum(axis=1)
    return kernel, layer.bias


def _joined(
    layer: ChainLayer, shape: tuple[int, ...], weight: FloatArray, fine: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Return weights, then those from the constant channel and, but for the readout, a row for the next."""
    whole = weight.astype(np.int16)
    if layer.convolution is not None:
        whole = np.concatenate([whole, fine[:, None]], axis=1)
    else:
        # One value of the constant channel is enough.
        unread = np.zeros((len(whole), int(np.prod(shape[1:], dtype=int)) - 1), np.int16)
        whole = np.concatenate([whole, fine[:, None], unread], axis=1)
    if layer.is_readout:
        return whole
    return np.concatenate([whole, np.zeros((1, *whole.shape[1:]), np.int16)])


def _layer(
    layer: ChainLayer,
    source: int,
    weight: NDArray[np.int16],
    coarse: FloatArray,
    units: FloatArray,
    delta_threshold: int,
) -> SigmaDeltaLayer:
    op = layer.convolution
    if op is not None:
        synapse = Synapse(source, "conv", weight, op.stride, op.padding, op.dilation)
    else:
        synapse = Synapse(source, "dense", kept_by_netx(weight))
    if synapse.kind == "dense" and not (synapse.weight > 0).any() and synapse.weight.min() >= -1:
        raise TargetError(
            "all its weights round to 0 or -1, which netx cannot load",
            where=layer.node.where,
            advice="compile with --neuron if",
        )
    channels, *image = layer.node.shape
    extra = not layer.is_readout
    return SigmaDeltaLayer(
        name=layer.node.name,
        modules=layer.node.modules,
        shape=(channels + extra, *image),
        synapse=synapse,
        bias=np.append(coarse, [0] * extra).astype(np.int32),
        delta_threshold=delta_threshold if extra else None,
        scale=np.append(units * UNIT, [1.0]) if extra else units,
        membrane=_UNKNOWN,
        has_constant=extra,
    )
