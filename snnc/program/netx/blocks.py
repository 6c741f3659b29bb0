"""Convolutions and dense layers of a netx file."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from snnc.common.arrays import per_channel
from snnc.program.connections import window_output
from snnc.program.net.fields import GROUPS_MAXIMUM
from snnc.program.net.stored import SIZE_MAXIMUM, read_shape
from snnc.program.netx.network import Block, Connections
from snnc.program.netx.neurons import BIAS, NetxFields, read_neurons
from snnc.program.targets import LOIHI2

# What eight bits of a synapse hold, by the signs of the weights that lie in it.
LOWEST, HIGHEST = LOIHI2.weight_minimum, LOIHI2.weight_magnitude_maximum
HIGHEST_MIXED = LOIHI2.weight_maximum
WEIGHT_BITS = LOIHI2.weight_bits


def loihi_dense_weights(*matrices: NDArray[np.integer[Any]]) -> list[tuple[NDArray[np.int32], int]]:
    """Return the weights that act, traps included.

    ``lava.lib.dl.netx.utils.optimize_weight_bits`` scales weights up by a power of two until they fill eight bits, and
    says how many of these are used; ``lava.utils.weightutils`` (``determine_sign_mode``, ``clip_weights``,
    ``truncate_weights``) then clips to what a synapse holds and drops the bits that are said to be unused. The two look
    at signs differently: where no weight is positive and one is 0, netx says mixed and Lava says inhibitory, which has
    no -256 and a bit less to drop.

    Args:
        matrices: (out, in) each, -256..255: those of a layer, of which netx scales all alike (recurrent ones too).

    Returns:
        For each the weights, of the same shape, and the number of bits by which Lava shifts their sums to the right.
    """
    given = [matrix.astype(np.int64) for matrix in matrices]
    low, high = min(int(each.min()) for each in given), max(int(each.max()) for each in given)
    if low == high == 0:
        # netx itself fails on these.
        return [(np.zeros(each.shape, np.int32), 0) for each in given]
    if high > HIGHEST_MIXED and low < 0:
        given, high = [np.clip(each, LOWEST, HIGHEST_MIXED) for each in given], HIGHEST_MIXED
    mixed = high >= 0 and low < 0
    if mixed:
        # A highest weight of 0 leaves the lowest to decide.
        scale = min(HIGHEST_MIXED / 2 / high if high else np.inf, LOWEST / 2 / low)
    else:
        scale = LOWEST / low if high < 0 else HIGHEST / high
    shift = int(np.floor(np.log2(scale))) + mixed
    unused = min(_unused_bits(each) for each in given) - mixed
    return [_without_shift(_truncated(each << shift, WEIGHT_BITS - shift - unused), shift) for each in given]


def _without_shift(acting: NDArray[np.int64], shift: int) -> tuple[NDArray[np.int32], int]:
    """Return shifted weights where that is the same as shifting their sums, else the weights and the shift."""
    if not (acting & ((1 << shift) - 1)).any():
        return (acting >> shift).astype(np.int32), 0
    return acting.astype(np.int32), shift


def _unused_bits(weight: NDArray[np.int64]) -> int:
    """Return how many of the lowest bits, at most eight, are 0 in all weights."""
    return next((bits for bits in range(WEIGHT_BITS, 0, -1) if not (weight & ((1 << bits) - 1)).any()), 0)


def _truncated(weight: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Return what Lava's dense synapse keeps of weights that are said to have so many bits."""
    inhibitory, mixed = weight.max() <= 0, weight.min() < 0 < weight.max()
    sizes = -weight if inhibitory else weight
    sizes = np.clip(sizes, LOWEST if mixed else 0, HIGHEST)
    dropped = WEIGHT_BITS - bits + mixed
    # numpy shifts by fewer than 0 bits as by all of them.
    sizes = (sizes >> dropped) << dropped if dropped >= 0 else np.zeros_like(sizes)
    return -sizes if inhibitory else sizes


# Lava convolves with weights as they are; more than 16 bits are no weights.
CONVOLUTION = (-(1 << 15), (1 << 15) - 1)
# Lava's Conv keeps these in eight signed bits.
WINDOW_MAXIMUM = 127
# netx cuts longer delays to this (hdf5.Network.create_dense).
DELAY_MAXIMUM = LOIHI2.maximum_delay


def read_conv(entry: NetxFields, source: tuple[int, ...], notes: list[str]) -> Block:
    """Return a convolution; kernels are turned around twice on their way into Lava, so that it is PyTorch's.

    Args:
        entry: The entry.
        source: Shape of what it reads.
        notes: Takes up what the file says and Lava ignores.
    """
    shape = read_shape(entry)
    if len(shape) != 3 or len(source) != 3:
        raise entry.error("a conv needs channels, height and width", found=f"{source} to {shape}")
    if not entry.has("neuron"):
        raise entry.error("neuron is missing")
    groups = entry.whole("groups", 1, GROUPS_MAXIMUM)
    if source[0] % groups or shape[0] % groups:
        raise entry.error("groups do not divide the channels", found=f"{groups} groups, {source[0]} to {shape[0]}")
    stored = entry.shape_of("weight")
    # lava-dl's kernels have an axis for time, of length 1.
    if len(stored) - (stored[4:] == (1,)) != 4 or stored[:2] != (shape[0], source[0] // groups) or 0 in stored:
        wanted = f"({shape[0]}, {source[0] // groups}, height, width)"
        raise entry.error("weight has the wrong shape", expected=wanted, found=str(stored))
    kernel = stored[2:4]
    stride, padding, dilation = (
        _pair(entry, name, low) for name, low in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    for name, value in (("inChannels", source[0]), ("outChannels", shape[0])):
        if entry.has(name):
            entry.whole(name, value, value)
    if entry.has("kernelSize") and _pair(entry, "kernelSize", 1) != kernel:
        raise entry.error("kernelSize contradicts the weights", expected=str(kernel))
    try:
        window = tuple(window_output(*each) for each in zip(source[1:], kernel, stride, padding, dilation, strict=True))
    except ValueError as error:
        raise entry.error(f"the kernel does not fit: {error}") from error
    if window != shape[1:]:
        raise entry.error("the convolution gives another shape", expected=str(shape[1:]), found=str(window))
    weight = entry.whole_numbers("weight", stored, *CONVOLUTION).reshape(stored[:4])
    if entry.has("delay"):
        entry.ignore("delay")
        notes.append(f"{entry.name}: netx ignores the delays of convolutions, and so does this simulator")
    connections = Connections(
        "conv", weight.astype(np.int32), stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    return Block(
        entry.name, shape, read_neurons(entry, shape, notes, bias=_convolution_bias(entry, shape)), connections
    )


def read_dense(
    entry: NetxFields, source: tuple[int, ...] | None, notes: list[str], *, is_recurrent: bool = False
) -> Block:
    """Return a dense layer, with the weights that netx and Lava make of its own.

    Args:
        entry: The entry.
        source: Shape of what it reads; None: whatever its weights read.
        notes: Takes up what the file says and Lava ignores or changes.
        is_recurrent: Whether its neurons are connected with themselves too.
    """
    neurons = math.prod(entry.whole_numbers("shape", (None,), 1, SIZE_MAXIMUM).tolist())
    given = [_matrix(entry, "weight", neurons, None if source is None else math.prod(source))]
    inputs = given[0].shape[1]
    if is_recurrent:
        given.append(_matrix(entry, "weight_rec", neurons, neurons))
        if entry.has("delay"):
            raise entry.error("recurrent layers with delays are not supported: netx then forgets the weights' scale")
    for name, value in (("inFeatures", inputs), ("outFeatures", neurons)):
        if entry.has(name):
            entry.whole(name, value, value)
    acting = loihi_dense_weights(*given)
    changed = sum(int((one << shift != other).sum()) for one, (other, shift) in zip(given, acting, strict=True))
    if changed:
        size = sum(each.size for each in given)
        notes.append(
            f"{entry.name}: netx and Lava change {changed:,} of {size:,} weights, as they do with weights of one sign "
            "and -256, or with odd ones"
        )
    if not any(each.any() for each in given):
        notes.append(f"{entry.name}: all weights are 0, on which netx fails")
    connections, *recurrent = (Connections("dense", weight, shift) for weight, shift in acting)
    connections = replace(connections, delay=_delay(entry, given[0].shape, notes))
    bias = None
    if entry.has("bias"):
        stored = entry.shape_of("bias")
        if stored not in ((), (1,), (neurons,)):
            raise entry.error("bias has the wrong shape", expected=f"({neurons},) or (1,)", found=str(stored))
        bias = entry.whole_numbers("bias", stored, *BIAS)
    return Block(entry.name, (neurons,), read_neurons(entry, (neurons,), notes, bias=bias), connections, *recurrent)


def _matrix(entry: NetxFields, name: str, rows: int, columns: int | None) -> NDArray[np.int64]:
    """Return weights, (rows, columns), of one or two axes; of any number of columns where that is None."""
    stored = entry.shape_of(name)
    shape = (rows, stored[0] // rows) if len(stored) == 1 and stored[0] % rows == 0 else stored
    if len(shape) != 2 or 0 in shape or shape != (rows, columns or shape[1]):
        wanted = f"({rows}, {'any' if columns is None else columns})"
        raise entry.error(f"{name} has the wrong shape", expected=wanted, found=str(stored))
    return entry.whole_numbers(name, stored, LOWEST, HIGHEST).reshape(shape)


def _pair(entry: NetxFields, name: str, low: int) -> tuple[int, int]:
    """Return (vertical, horizontal) from one number or two."""
    stored = entry.shape_of(name)
    if stored not in ((), (2,)):
        raise entry.error(f"{name} has the wrong shape", expected="one number or two", found=str(stored))
    values = entry.whole_numbers(name, stored, low, WINDOW_MAXIMUM)
    return cast(tuple[int, int], tuple(np.broadcast_to(values, (2,)).tolist()))


def _convolution_bias(entry: NetxFields, shape: tuple[int, ...]) -> NDArray[np.int64] | None:
    if not entry.has("bias"):
        return None
    stored = entry.shape_of("bias")
    if stored not in (shape[:1], shape[::-1]):
        raise entry.error("bias has the wrong shape", expected=f"{shape[:1]} or {shape[::-1]}", found=str(stored))
    bias = entry.whole_numbers("bias", stored, *BIAS)
    # One for each neuron, in Lava's order, or one for each channel.
    return bias.transpose(2, 1, 0) if stored == shape[::-1] else per_channel(bias, len(shape))


def _delay(entry: NetxFields, shape: tuple[int, ...], notes: list[str]) -> NDArray[np.int64] | None:
    """Return steps for each synapse, (out, in), from one number, one a neuron or, if those differ, one an input."""
    if not entry.has("delay"):
        return None
    stored = entry.shape_of("delay")
    if stored not in ((), shape[:1], shape, (shape[0], 1), shape[1:]) or 0 in stored:
        raise entry.error("delay has the wrong shape", expected=f"{shape[:1]}, {shape[1:]} or {shape}")
    given = entry.whole_numbers("delay", stored, 0, SIZE_MAXIMUM)
    if given.size and given.max() > DELAY_MAXIMUM:
        notes.append(f"{entry.name}: netx cuts delays to {DELAY_MAXIMUM} steps, the longest is {given.max():,}")
    delay = np.minimum(given, DELAY_MAXIMUM)
    return np.broadcast_to(delay[:, None] if stored == shape[:1] else delay, shape)
