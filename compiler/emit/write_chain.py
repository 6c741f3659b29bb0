"""The entries of netx: an input, and layers that read one another."""

from __future__ import annotations

import math

import h5py
import numpy as np

from snnc.compiler.emit.grouping import joined_groups
from snnc.compiler.emit.write_fields import write_dataset, write_text
from snnc.compiler.program import InputCoding, Synapse


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
        """Writes a layer, but for its neurons, with a flatten before it where an image becomes features.

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
