"""Whether a batch fits into memory while a network is trained on it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snnc.available_memory import check_memory

__all__ = ["check_batch"]


def check_batch(network: nn.Module, sample: Tensor, batch_size: float, device: torch.device) -> None:
    """Refuses a batch that memory cannot hold, before the first step.

    What backpropagation keeps is at least what each module gives, once. A batch is not cut by itself, since another
    one gives another network.

    Args:
        network: On the CPU; left as it was.
        sample: One image as the network takes it, (1, ...).
        batch_size: Images of a step that this process trains on; times the share of such a forward pass that is kept.
        device: Where it is trained.

    Raises:
        OptionError: It does not fit.
    """
    kept = 0

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal kept
        if isinstance(output, Tensor):
            kept += output.numel() * output.element_size()

    leaves = [each for each in network.modules() if not list(each.children())]
    hooks = [each.register_forward_hook(count) for each in leaves]
    training = network.training
    try:
        with torch.no_grad():
            network.eval()(sample)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    check_memory(kept * batch_size, "batch size (--batch-size)", "take a smaller batch", device)
