"""The entries of netx: an input, and layers that read one another."""

from __future__ import annotations

import math

import h5py
import numpy as np
from numpy.typing import NDArray

from snnc.program.coding import InputCoding
from snnc.program.layer import Layer, Synapse
from snnc.program.net.fields import GROUPS_MAXIMUM, write_dataset, write_text
from snnc.program.targets import Target

# Lava's LIF holds u and never lets it decay, and v is u; that of a memoryless layer forgets all of u.
CURRENT_DECAY = 0
FORGETTING_DECAY = 4096
VOLTAGE_DECAY = 4096
REFRACTORY_DELAY = 1


def current_decay(layer: Layer) -> int:
    """Return what a layer's neurons lose of u in a step, in 4096ths, as netx writes it: Lava's du is one less."""
    return FORGETTING_DECAY if layer.memoryless else CURRENT_DECAY


def fired_above(layer: Layer, target: Target) -> int:
    """Return the threshold of Lava, which fires above it and not, as the neuron of the paper does, from it on.

    Args:
        layer: The layer. A readout never fires: the membrane wraps before it gets to the chip's largest threshold.
        target: The chip.
    """
    return layer.firing_level - 1 if layer.threshold else target.threshold_maximum


def joined_groups(weight: NDArray[np.int16], groups: int) -> tuple[NDArray[np.int16], int]:
    """Return the same convolution with at most 127 groups.

    Lava's Conv keeps the number of groups in eight signed bits (lava/proc/conv/models.py), so 128 groups become -128.
    Several groups are joined into one, with zero weights between them.

    Args:
        weight: (out_channels, in_channels / groups, height, width).
        groups: Any number.

    Returns:
        Weight and number of groups for netx.
    """
    if groups <= GROUPS_MAXIMUM:
        return weight, groups
    fewer = max(count for count in range(1, GROUPS_MAXIMUM + 1) if groups % count == 0)
    joined = groups // fewer
    outputs, inputs, *window = weight.shape
    rows = outputs // groups
    wide = np.zeros((fewer, joined, rows, joined, inputs, *window), weight.dtype)
    blocks = weight.reshape(fewer, joined, rows, inputs, *window)
    for position in range(joined):
        wide[:, position, :, position] = blocks[:, position]
    return wide.reshape(outputs, joined * inputs, *window), fewer


def original_groups(weight: NDArray[np.int16], netx: int, groups: int) -> NDArray[np.int16]:
    """Return the inverse of :func:`joined_groups`: the weights of ``groups`` groups out of those of ``netx`` groups."""
    if netx == groups:
        return weight
    joined = groups // netx
    outputs, inputs, *window = weight.shape
    wide = weight.reshape(netx, joined, outputs // groups, joined, inputs // joined, *window)
    blocks: NDArray[np.int16] = np.stack([wide[:, position, :, position] for position in range(joined)], axis=1)
    return blocks.reshape(outputs, inputs // joined, *window)


class NetxChainWriter:
    """Writes a chain, entry by entry.

    Args:
        netx: The group ``layer``.
        coding: What the input is.

    Attributes:
        input: The entry of the input.
    """

    def __init__(self, netx: h5py.Group, coding: InputCoding) -> None:
        self._netx = netx
        self.input = self._entry("input", coding.shape)

    def add(self, synapse: Synapse, source: tuple[int, ...], shape: tuple[int, ...]) -> h5py.Group:
        """Write a layer, but for its neurons, with a flatten before it where an image becomes features.

        Args:
            synapse: Its first synapse.
            source: Shape of what that reads.
            shape: Shape of the layer.

        Returns:
            The layer's entry.
        """
        if synapse.kind == "dense" and len(source) > 1:
            self._entry("flatten", (math.prod(source),))
        group = self._entry(synapse.kind, shape)
        if synapse.kind == "conv":
            weight, groups = joined_groups(synapse.weight, synapse.groups)
            write_dataset(group, "weight", weight)
            write_dataset(group, "inChannels", np.int64(source[0]))
            write_dataset(group, "outChannels", np.int64(shape[0]))
            write_dataset(group, "kernelSize", np.array(weight.shape[2:], np.int64))
            write_dataset(group, "stride", np.array(synapse.stride, np.int64))
            write_dataset(group, "padding", np.array(synapse.padding, np.int64))
            write_dataset(group, "dilation", np.array(synapse.dilation, np.int64))
            write_dataset(group, "groups", np.int64(groups))
        else:
            write_dataset(group, "weight", synapse.weight)
            write_dataset(group, "inFeatures", np.int64(synapse.weight.shape[1]))
            write_dataset(group, "outFeatures", np.int64(synapse.weight.shape[0]))
        return group

    def _entry(self, kind: str, shape: tuple[int, ...]) -> h5py.Group:
        group = self._netx.create_group(str(len(self._netx)))
        write_text(group, "type", kind)
        write_dataset(group, "shape", np.array(shape, np.int64))
        return group
