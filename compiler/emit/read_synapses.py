"""Synapses out of a .net file."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.emit.fields import Fields
from snnc.compiler.emit.grouping import joined_groups, original_groups
from snnc.compiler.emit.layout import GROUPS_MAXIMUM
from snnc.compiler.emit.read_head import SIZE_MAXIMUM
from snnc.compiler.program import Entries, Synapse
from snnc.compiler.program.window_output import window_output

EXPONENT_MAXIMUM = 7
# As long as no target waits longer; what one can do is checked where it runs.
HOLD_MAXIMUM = 1 << 16


def read_hold(own: Fields) -> int:
    """Steps that the spikes are held back at least."""
    return own.integer("hold", 1, HOLD_MAXIMUM) if own.has("hold") else 0


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
    weights = netx or own
    kind = netx.choice("type", "conv", "dense") if netx else own.choice("kind", "conv", "dense", "sparse")
    exponent = own.integer("exponent", 1, EXPONENT_MAXIMUM) if own.has("exponent") else 0
    if kind == "sparse":
        synapse = _sparse(own, source, (math.prod(shape), math.prod(read)))
    elif kind == "dense":
        if len(shape) != 1:
            raise own.error("a dense synapse feeds an image", found=str(shape))
        weight = _even(weights, weights.integers("weight", (shape[0], math.prod(read)), -256, 254))
        if netx:
            netx.integer("inFeatures", weight.shape[1], weight.shape[1])
            netx.integer("outFeatures", weight.shape[0], weight.shape[0])
        synapse = Synapse(source, "dense", weight)
    else:
        synapse = _convolution(own, netx, source, read, shape)
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
    weight = _even(own, own.integers("weight", (count,), -256, 254))
    return Synapse(source, "sparse", weight, entries=Entries(starts, columns))


def _convolution(
    own: Fields, netx: Fields | None, source: int, read: tuple[int, ...], shape: tuple[int, ...]
) -> Synapse:
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
    weight = weights.integers("weight", (shape[0], read[0] // declared, *kernel), -256, 254)
    own_weight = original_groups(_even(weights, weight), declared, groups)
    if declared != groups and not np.array_equal(joined_groups(own_weight, groups)[0], weight):
        raise weights.error("weight connects channels of different groups", expected=f"{groups} groups")
    return Synapse(source, "conv", own_weight, stride, padding, dilation, groups)


def _even(fields: Fields, weight: NDArray[np.int64]) -> NDArray[np.int16]:
    if (weight & 1).any():
        raise fields.error("a weight is odd", expected="even numbers, -256..254")
    return weight.astype(np.int16)
