"""Training and evaluation of small classifiers on data that fits into memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnc.errors import DataError, OptionError


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
    """Trains a classifier in place, with Adam and a cosine schedule, on the cross entropy.

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
            of four dimensions though it shall be shifted, or the loss became infinite or NaN.
        OptionError: A number is out of its range.
    """
    _check_data(images, labels)
    _check_at_least("epochs", epochs, 1)
    _check_at_least("batch_size", batch_size, 1)
    _check_at_least("maximum_shift", maximum_shift, 0)
    if threads is not None:
        _check_at_least("threads", threads, 1)
    if not 0 < learning_rate < math.inf:
        raise OptionError("out of range", where="learning_rate", expected="above 0", found=str(learning_rate))
    if maximum_shift and images.ndim != 4:
        raise DataError("images cannot be shifted", where="images", expected="shape (N, C, H, W)", found=_shape(images))
    count = len(images)
    steps = epochs * math.ceil(count / batch_size)
    optimizer = torch.optim.Adam(module.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    device = _device(module)
    # Dropout draws from the global generators, so these are seeded too, inside a fork that restores them.
    with _threads(threads), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        module.train()
        try:
            for epoch in range(1, epochs + 1):
                total = 0.0
                for index in torch.split(torch.randperm(count), batch_size):
                    batch = images[index]
                    if maximum_shift:
                        batch = _shifted(batch, maximum_shift)
                    loss = functional.cross_entropy(module(batch.to(device)), labels[index].to(device))
                    optimizer.zero_grad()
                    torch.autograd.backward(loss)
                    optimizer.step()
                    schedule.step()
                    total += loss.item() * len(index)
                if not math.isfinite(total):
                    raise DataError(
                        "training diverged",
                        where=f"epoch {epoch}",
                        expected="a finite loss",
                        found=str(total),
                        advice="lower the learning rate, or look for NaN in the images",
                    )
                if progress is not None:
                    progress(epoch, epochs, total / count)
        finally:
            module.eval()


def logits(module: nn.Module, images: Tensor, batch_size: int = 256) -> Tensor:
    """Evaluates a classifier without gradients.

    Args:
        module: Maps images of shape ``(n, ...)`` to logits of shape ``(n, classes)``; evaluated in evaluation mode
            and left in the mode it was in, submodule by submodule.
        images: Float tensor of shape ``(N, ...)``, N at least 1.
        batch_size: Images per step, at least 1; does not change the result beyond rounding.

    Returns:
        Tensor of shape ``(N, classes)`` on the CPU.

    Raises:
        DataError: ``images`` is empty or not a float tensor.
        OptionError: ``batch_size`` is below 1.
    """
    _check_images(images)
    _check_at_least("batch_size", batch_size, 1)
    device = _device(module)
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            return torch.cat([module(batch.to(device)).cpu() for batch in torch.split(images, batch_size)])
    finally:
        for part, training in modes:
            part.training = training


def accuracy(module: nn.Module, images: Tensor, labels: Tensor, batch_size: int = 256) -> float:
    """Measures the share of images whose largest logit is that of the right class.

    Args:
        module: As for `logits`.
        images: Float tensor of shape ``(N, ...)``, N at least 1.
        labels: Integer tensor of shape ``(N,)``.
        batch_size: Images per step, at least 1.

    Returns:
        The share, 0 to 1.

    Raises:
        DataError: ``images`` and ``labels`` are empty or differ in length, or ``images`` is not a float tensor.
        OptionError: ``batch_size`` is below 1.
    """
    _check_data(images, labels)
    right = logits(module, images, batch_size).argmax(dim=1) == labels.cpu()
    return int(right.sum()) / len(labels)


def _shifted(images: Tensor, maximum_shift: int) -> Tensor:
    """Shifts each image of shape ``(N, C, H, W)`` by its own number of rows and columns."""
    count, _, height, width = images.shape
    padded = functional.pad(images, (maximum_shift,) * 4, mode="replicate")
    offsets = torch.randint(0, 2 * maximum_shift + 1, (2, count, 1), device=images.device)
    rows = (torch.arange(height, device=images.device) + offsets[0])[:, :, None]
    columns = (torch.arange(width, device=images.device) + offsets[1])[:, None, :]
    image = torch.arange(count, device=images.device)[:, None, None]
    # Index tensors on both sides of a slice put their common shape first: (N, H, W, C).
    return padded[image, :, rows, columns].permute(0, 3, 1, 2).contiguous()


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(before if count is None else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _device(module: nn.Module) -> torch.device:
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _shape(tensor: Tensor) -> str:
    return f"shape ({', '.join(map(str, tensor.shape))})"


def _check_images(images: Tensor) -> None:
    if images.ndim == 0 or len(images) == 0:
        raise DataError("there are no images", where="images", expected="at least one", found=_shape(images))
    if not images.is_floating_point():
        raise DataError("wrong type of images", where="images", expected="a float tensor", found=str(images.dtype))


def _check_data(images: Tensor, labels: Tensor) -> None:
    _check_images(images)
    if labels.shape != (len(images),):
        raise DataError(
            "labels do not fit the images", where="labels", expected=f"shape ({len(images)},)", found=_shape(labels)
        )


def _check_at_least(name: str, value: int, lowest: int) -> None:
    if value < lowest:
        raise OptionError("out of range", where=name, expected=f"at least {lowest}", found=str(value))
