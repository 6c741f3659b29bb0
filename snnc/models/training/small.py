"""Training of a small classifier with Adam, on images that lie in memory."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from snnc.common.errors import DataError, OptionError
from snnc.models.training.batches import TensorBatches
from snnc.models.training.engine import Classifier, Trainer, device_of, threads_set_to
from snnc.models.training.evaluation import check_at_least, check_data

__all__ = ["train"]


def train(
    module: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    seed: int = 0,
    maximum_shift: int = 0,
    threads: int | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> None:
    """Train a classifier in place, with Adam and a cosine schedule, on the cross entropy.

    The learning rate falls from ``learning_rate`` to zero along half a cosine (Loshchilov and Hutter: "SGDR", ICLR
    2017, without restarts), batch by batch. For the same module, data, options, number of threads and version of
    torch the result on a CPU is the same; torch's global random state is left as it was. The module is left in
    evaluation mode, on the device it was on.

    Args:
        module: Maps images of shape ``(n, ...)`` to logits of shape ``(n, classes)``.
        images: Float tensor of shape ``(N, ...)``, already normalised; ``(N, C, H, W)`` where ``maximum_shift`` > 0.
        labels: Integer tensor of shape ``(N,)``, class indices from 0.
        epochs: Number of times every image is shown, at least 1.
        batch_size: Images per step, at least 1; the last batch of an epoch may be smaller.
        learning_rate: Adam's first step size, above 0.
        seed: Seed of the order of the images, of the shifts and of dropout.
        maximum_shift: Largest shift of an image in pixels, at least 0, drawn anew each time for both directions; the
            border pixels are repeated into the space left free.
        threads: CPU threads that torch may use meanwhile, at least 1; None leaves torch's setting. With 1 the result
            does not depend on the machine's number of cores. A small network gains little from more, and loses much
            where other processes keep the cores busy, since its threads then wait for one another.
        progress: Called after every epoch with the epochs done, ``epochs``, and the mean loss of the epoch.

    Raises:
        DataError: ``images`` and ``labels`` are empty or differ in length, ``images`` is not a float tensor or not
            of four dimensions though it shall be shifted, or the loss or a weight became infinite or NaN.
        OptionError: A number is out of its range.
    """
    check_data(images, labels)
    check_at_least("epochs", epochs, 1)
    check_at_least("batch_size", batch_size, 1)
    check_at_least("maximum_shift", maximum_shift, 0)
    if threads is not None:
        check_at_least("threads", threads, 1)
    if not 0 < learning_rate < math.inf:
        raise OptionError("out of range", where="learning_rate", expected="above 0", found=str(learning_rate))
    if maximum_shift and images.ndim != 4:
        raise DataError(
            "images cannot be shifted",
            where="images",
            expected="shape (N, C, H, W)",
            found=f"shape {tuple(images.shape)}",
        )
    count = len(images)
    steps = epochs * math.ceil(count / batch_size)
    optimizer = torch.optim.Adam(module.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    batches = TensorBatches(images, labels, maximum_shift)
    trainer = Trainer(Classifier(module), optimizer, schedule, batch_size)
    device = device_of(module)
    # Dropout draws from the global generators, so these are seeded too, inside a fork that restores them.
    forked = [device] if device.type == "cuda" else []
    with threads_set_to(threads), torch.random.fork_rng(devices=forked):
        torch.manual_seed(seed)
        try:
            for epoch in range(1, epochs + 1):
                fit = trainer.epoch(batches, epoch)
                if progress is not None:
                    progress(epoch, epochs, fit.loss)
        finally:
            module.eval()
