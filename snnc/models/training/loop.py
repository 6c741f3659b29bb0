"""The training loop: one epoch of it, for whatever data, optimizer and schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnc.common.errors import DataError
from snnc.models.training.batches import Batches

__all__ = ["Epoch", "Fit", "device_of", "in_format", "set_format", "threads_set_to", "train_epoch"]


@dataclass(frozen=True)
class Epoch:
    """What was measured in an epoch.

    Attributes:
        epoch: Its number, from 1.
        loss: Mean loss of the training images, as they were shown.
        train_accuracy: Share of these that were right, 0..1.
        test_accuracy: Share of the test images that are right behind the epoch, 0..1.
        learning_rate: That of the epoch's first step.
        seconds: How long the epoch and its test took.
        held_out_accuracy: Share of the held-out images that are right behind the epoch, 0..1; None: none were.
    """

    epoch: int
    loss: float
    train_accuracy: float
    test_accuracy: float
    learning_rate: float
    seconds: float
    held_out_accuracy: float | None = None


@dataclass(frozen=True)
class Fit:
    """How well a network fitted the images of an epoch, while it was being trained on them.

    Attributes:
        loss: Mean loss.
        accuracy: Share of images whose largest logit was that of the right class, 0..1.
    """

    loss: float
    accuracy: float


def train_epoch(
    module: nn.Module,
    batches: Batches,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    *,
    epoch: int,
    batch_size: int,
    label_smoothing: float = 0.0,
    memory_format: torch.memory_format = torch.contiguous_format,
    advance: Callable[[int], None] | None = None,
) -> Fit:
    """Shows every image once, in random order, and takes a step of the optimizer for each batch.

    Order and augmentation come from torch's global generators.

    Args:
        module: In training mode, on the device to train on; maps images of shape (n, ...) to logits (n, classes).
        batches: The images.
        optimizer: Of the module's parameters.
        schedule: Its learning rate; makes a step for each batch.
        epoch: Number of the epoch, for the error.
        batch_size: Images per step, at least 1; the last batch may be smaller.
        label_smoothing: Share of each label that is spread over all classes, 0..1.
        memory_format: The order in memory that the module's weights have.
        advance: Called after each batch with the number of images shown so far.

    Returns:
        Loss and accuracy over the epoch.

    Raises:
        DataError: The loss became infinite or NaN.
    """
    device = device_of(module)
    total, right, seen = 0.0, 0, 0
    for index in torch.split(torch.randperm(len(batches)), batch_size):
        images, labels = batches.draw(index)
        images, labels = in_format(images.to(device), memory_format), labels.to(device)
        answers = module(images)
        loss = functional.cross_entropy(answers, labels, label_smoothing=label_smoothing)
        value = loss.item()
        if not math.isfinite(value):
            raise DataError(
                "training diverged",
                where=f"epoch {epoch}",
                expected="a finite loss",
                found=str(value),
                advice="lower the learning rate, or look for NaN in the images",
            )
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        total += value * len(index)
        right += int((answers.detach().argmax(dim=1) == labels).sum())
        seen += len(index)
        if advance is not None:
            advance(seen)
    return Fit(total / seen, right / seen)


def in_format(images: Tensor, memory_format: torch.memory_format) -> Tensor:
    """Bring images of rows and columns into an order in memory; leave others as they are."""
    return images.contiguous(memory_format=memory_format) if images.ndim == 4 else images


def set_format(module: nn.Module, memory_format: torch.memory_format) -> None:
    """Bring the weights of a module's convolutions into an order in memory, in place."""
    for parameter in module.parameters():
        parameter.data = in_format(parameter.data, memory_format)


@contextmanager
def threads_set_to(count: int | None) -> Iterator[None]:
    """Let torch use so many threads of the CPU meanwhile; None leaves its setting."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if count is None else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def device_of(module: nn.Module) -> torch.device:
    """The device that a module's parameters are on; the CPU where it has none."""
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device
