"""What several processes that train together tell each other."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from snnc.compiler.distributed import Processes, reduce_tensor

__all__ = ["Together"]


class Together:
    """Sums and means over the processes that train one network, each on its share of every batch.

    All processes have to call the same methods in the same order.

    Args:
        processes: Connected processes, or one alone.
    """

    def __init__(self, processes: Processes) -> None:
        self.processes = processes

    def share(self, index: Tensor) -> Tensor:
        """Which of a batch's images are this process's."""
        return index[self.processes.rank :: self.processes.count]

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes of a tensor on the CPU; only on it, since that is where they are connected."""
        if self.processes.count > 1:
            reduce_tensor(values)
        return values

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replaces each gradient by the sum over all processes."""
        if self.processes.count == 1:
            return
        gradients = [each.grad for each in parameters if each.grad is not None]
        self._replace(gradients, 1.0)

    def average_statistics(self, module: nn.Module) -> None:
        """Replaces the running statistics of batch normalisation by the mean over all processes."""
        if self.processes.count > 1:
            self._replace([each for each in module.buffers() if each.is_floating_point()], 1 / self.processes.count)

    def _replace(self, tensors: list[Tensor], factor: float) -> None:
        if not tensors:
            return
        flat = self.total(torch.cat([each.detach().flatten().cpu() for each in tensors])) * factor
        for tensor, values in zip(tensors, torch.split(flat, [each.numel() for each in tensors]), strict=True):
            tensor.data.copy_(values.reshape(tensor.shape))
