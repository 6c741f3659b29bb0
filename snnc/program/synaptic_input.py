"""What spikes that pass a synapse add to the layer that it leads to, as torch computes it."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from snnc.common.arrays import AnyIntegerArray
from snnc.common.memory_order import convolution_order
from snnc.program.layer import Synapse


class SynapticInput:
    """The linear map of one synapse.

    Args:
        synapse: The synapse.
        source_shape: Shape of what it reads.
        shape: Shape of the layer that it feeds.
        dtype: Number type to compute in; exact as long as it holds every sum.
        device: Where to compute.
        weight: Weights to take instead of its own, of the same shape.
    """

    def __init__(
        self,
        synapse: Synapse,
        source_shape: tuple[int, ...],
        shape: tuple[int, ...],
        *,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
        weight: AnyIntegerArray | None = None,
    ) -> None:
        self._synapse = synapse
        self._shape = shape
        self._weight = torch.as_tensor(synapse.scaled_weight if weight is None else weight, dtype=dtype, device=device)
        if synapse.kind == "conv":
            self._format = convolution_order(
                source_shape[1:], synapse.weight.shape[2:], synapse.padding, synapse.dilation
            )
            self._weight = self._weight.contiguous(memory_format=self._format)
        if synapse.entries is not None:
            counts = np.diff(synapse.entries.row_starts)
            places = np.stack([np.repeat(np.arange(len(counts)), counts), synapse.entries.columns])
            size = (math.prod(shape), math.prod(source_shape))
            self._weight = torch.sparse_coo_tensor(
                torch.as_tensor(places.astype(np.int64)), self._weight, size, device=device, check_invariants=False
            ).coalesce()

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return the input of the layer.

        Args:
            values: (batch, *source shape), of the map's number type.

        Returns:
            (batch, *shape).
        """
        synapse = self._synapse
        if synapse.kind == "conv":
            values = values.contiguous(memory_format=self._format)
            return F.conv2d(
                values, self._weight, None, synapse.stride, synapse.padding, synapse.dilation, synapse.groups
            )
        flat = values.flatten(1)
        if synapse.kind == "dense":
            return F.linear(flat, self._weight).reshape(-1, *self._shape)
        product: torch.Tensor = torch.sparse.mm(self._weight, flat.T)
        return product.T.reshape(-1, *self._shape)
