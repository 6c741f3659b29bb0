"""Synapses out of a .net file."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from snnc.program.connections import window_output
from snnc.program.layer import EXPONENT_MAX, Entries, Synapse
from snnc.program.net.chain import joined_groups, original_groups
from snnc.program.net.form import GROUPS_MAXIMUM, Fields
from snnc.program.net.head import SIZE_MAXIMUM

# As long as no target waits longer; what one can do is checked where it runs.
HOLD_MAXIMUM = 1 << 16


def read_hold(own: Fields) -> int:
    """Steps that the spikes are held back at least."""
    return own.integer("hold", 1, HOLD_MAXIMUM) if own.has("hold") else 0


@dataclass(frozen=True)
class WeightRange:
    """Which integers weights may be: multiples of ``step`` within [low, high]."""

    low: int
    high: int
    step: int


# Of spikes: the last bit of a signed weight is dropped. Of graded messages: netx scales what fits eight bits.
SPIKE_WEIGHTS = WeightRange(-256, 254, 2)
MESSAGE_WEIGHTS = WeightRange(-127, 127, 1)


def read_synapse(
    own: Fields, netx: Fields | None, source: int, read: tuple[int, ...], shape: tuple[int, ...]
) -> Synapse:
    """A synapse out of the snnc group, with its weights where they are.

    Args:
        own: Its entry in the snnc group.
        netx: The layer of netx that holds its weights; None where its own entry does.
        source: What it reads.
        read: The shape of that.
        shape: The shape of the layer that it feeds.
    """
    kind = netx.choice("type", "conv", "dense") if netx else own.choice("kind", "conv", "dense", "sparse")
    exponent = own.integer("exponent", 1, EXPONENT_MAX) if own.has("exponent") else 0
    if kind == "sparse":
        synapse = _sparse(own, source, (math.prod(shape), math.prod(read)))
    elif kind == "dense":
        synapse = read_dense(own, netx, source, read, shape, SPIKE_WEIGHTS)
    else:
        synapse = read_convolution(own, netx, source, read, shape, SPIKE_WEIGHTS)
    synapse = replace(synapse, exponent=exponent, hold=read_hold(own))
    own.finish()
    return synapse


def _sparse(own: Fields, source: int, shape: tuple[int, int]) -> Synapse:
    count = math.prod(own.shape_of("weight"))
    starts = own.integers("row_starts", (shape[0] + 1,), 0, count).astype(np.int32)
    if starts[0] != 0 or starts[-1] != count or (np.diff(starts) < 0).any():
        raise own.error("row_starts does not divide the weights into rows", expected=f"ascending, 0..{count}")
    columns = own.integers("columns", (count,), 0, shape[1] - 1).astype(np.int32)
    rises = np.diff(columns) > 0
    # From the last entry of a row to the first of the next one columns may fall.
    inside = starts[1:-1]
    rises[inside[(inside > 0) & (inside < count)] - 1] = True
    if not rises.all():
        raise own.error("columns are not in ascending order within each row")
    weight = _weights(own, (count,), SPIKE_WEIGHTS)
    return Synapse(source, "sparse", weight, entries=Entries(starts, columns))


def read_dense(
    own: Fields,
    netx: Fields | None,
    source: int,
    read: tuple[int, ...],
    shape: tuple[int, ...],
    allowed: WeightRange,
) -> Synapse:
    """A synapse between all; arguments as for :func:`read_synapse`, and which weights are allowed."""
    if len(shape) != 1:
        raise own.error("a dense synapse feeds an image", found=str(shape))
    weight = _weights(netx or own, (shape[0], math.prod(read)), allowed)
    if netx:
        netx.integer("inFeatures", weight.shape[1], weight.shape[1])
        netx.integer("outFeatures", weight.shape[0], weight.shape[0])
    return Synapse(source, "dense", weight)


def read_convolution(
    own: Fields,
    netx: Fields | None,
    source: int,
    read: tuple[int, ...],
    shape: tuple[int, ...],
    allowed: WeightRange,
) -> Synapse:
    """A convolution; arguments as for :func:`read_synapse`, and which weights are allowed."""
    weights = netx or own
    if len(read) != 3 or len(shape) != 3:
        raise own.error("a convolution needs images", found=f"{read} to {shape}")
    declared = weights.integer("groups", 1, GROUPS_MAXIMUM if netx else SIZE_MAXIMUM)
    groups = own.integer("groups", 1, SIZE_MAXIMUM)
    if groups % declared or read[0] % groups or shape[0] % groups:
        raise own.error("groups do not divide the channels", found=str(groups))
    kernel = weights.shape_of("weight")[2:]
    if len(kernel) != 2:
        raise weights.error("weight has the wrong shape", expected="four axes", found=str(weights.shape_of("weight")))
    stride, padding, dilation = (
        cast(tuple[int, int], tuple(weights.integers(name, (2,), low, 127).tolist()))
        for name, low in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    if netx:
        netx.integer("inChannels", read[0], read[0])
        netx.integer("outChannels", shape[0], shape[0])
        named = tuple(netx.integers("kernelSize", (2,), 1, SIZE_MAXIMUM).tolist())
        if named != kernel:
            raise netx.error("kernelSize contradicts the weights", expected=str(kernel), found=str(named))
    try:
        window = tuple(window_output(*each) for each in zip(read[1:], kernel, stride, padding, dilation, strict=True))
    except ValueError as error:
        raise own.error(f"the kernel does not fit: {error}") from error
    if window != shape[1:]:
        raise own.error("the convolution gives another shape", expected=str(shape[1:]), found=str(window))
    # All that it can be compared with is known: now it is read.
    weight = _weights(weights, (shape[0], read[0] // declared, *kernel), allowed)
    own_weight = original_groups(weight, declared, groups)
    if declared != groups and not np.array_equal(joined_groups(own_weight, groups)[0], weight):
        raise weights.error("weight connects channels of different groups", expected=f"{groups} groups")
    return Synapse(source, "conv", own_weight, stride, padding, dilation, groups)


def _weights(fields: Fields, shape: tuple[int, ...], allowed: WeightRange) -> NDArray[np.int16]:
    weight = fields.integers("weight", shape, allowed.low, allowed.high)
    if (weight % allowed.step).any():
        raise fields.error("a weight is odd", expected=f"even numbers, {allowed.low}..{allowed.high}")
    return weight.astype(np.int16)
