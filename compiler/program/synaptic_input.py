"""What spikes that pass a synapse add to the layer behind it, as torch computes it."""

from __future__ import annotations

import warnings

import numpy as np
import torch
import torch.nn.functional as F

from snnc.compiler.program.layer import Entries, IntegerArray, Synapse


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
        weight: IntegerArray | None = None,
    ) -> None:
        self._synapse = synapse
        self._shape = shape
        self._weight = torch.as_tensor(synapse.scaled_weight if weight is None else weight, dtype=dtype, device=device)
        self._format = _memory_format(synapse, source_shape)
        if synapse.kind == "conv":
            self._weight = self._weight.contiguous(memory_format=self._format)
        if synapse.entries is not None:
            size = (int(np.prod(shape)), int(np.prod(source_shape)))
            self._weight = _sparse_tensor(synapse.entries, self._weight.cpu(), size).to(device)

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """The input of the layer.

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
        return (self._weight @ flat.T).T.reshape(-1, *self._shape)


def _sparse_tensor(entries: Entries, weight: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    with warnings.catch_warnings():
        # torch 2.3 tells everyone that such tensors are in beta state.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)
        return torch.sparse_csr_tensor(
            torch.as_tensor(entries.row_starts.astype(np.int64)),
            torch.as_tensor(entries.columns.astype(np.int64)),
            weight,
            size,
            check_invariants=False,
        )


def _memory_format(synapse: Synapse, source_shape: tuple[int, ...]) -> torch.memory_format:
    """The order of a convolution's values in memory.

    Channels last is up to three times as fast where channels are few. oneDNN crashes in it on images one pixel wide
    that are padded by more than the kernel reaches (torch 2.3.1), so that such ones keep the usual order.
    """
    if synapse.kind != "conv" or min(source_shape[1:]) == 1:
        return torch.contiguous_format
    reach = [step * (size - 1) for step, size in zip(synapse.dilation, synapse.weight.shape[2:], strict=True)]
    beyond = any(pad > each for pad, each in zip(synapse.padding, reach, strict=True))
    return torch.contiguous_format if beyond else torch.channels_last
