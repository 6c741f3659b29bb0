"""Logits and accuracy of a classifier on images, and the checks of such images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snnc.common.errors import DataError, OptionError
from snnc.models.training.engine import device_of

__all__ = ["accuracy", "check_at_least", "check_data", "logits"]


def logits(module: nn.Module, images: Tensor, batch_size: int = 256) -> Tensor:
    """Evaluate a classifier without gradients.

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
    check_at_least("batch_size", batch_size, 1)
    device = device_of(module)
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            return torch.cat([module(batch.to(device)).cpu() for batch in torch.split(images, batch_size)])
    finally:
        for part, training in modes:
            part.training = training


def accuracy(module: nn.Module, images: Tensor, labels: Tensor, batch_size: int = 256) -> float:
    """Measure the share of images whose largest logit is that of the right class.

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
    check_data(images, labels)
    right = logits(module, images, batch_size).argmax(dim=1) == labels.cpu()
    return int(right.sum()) / len(labels)


def _shape(tensor: Tensor) -> str:
    return f"shape ({', '.join(map(str, tensor.shape))})"


def _check_images(images: Tensor) -> None:
    if images.ndim == 0 or len(images) == 0:
        raise DataError("there are no images", where="images", expected="at least one", found=_shape(images))
    if not images.is_floating_point():
        raise DataError("wrong type of images", where="images", expected="a float tensor", found=str(images.dtype))


def check_data(images: Tensor, labels: Tensor) -> None:
    """Check that there are float images, and a label for each (DataError)."""
    _check_images(images)
    if labels.shape != (len(images),):
        raise DataError(
            "labels do not fit the images", where="labels", expected=f"shape ({len(images)},)", found=_shape(labels)
        )


def check_at_least(name: str, value: int, lowest: int) -> None:
    """Check that a number is not too small (OptionError)."""
    if value < lowest:
        raise OptionError("out of range", where=name, expected=f"at least {lowest}", found=str(value))
