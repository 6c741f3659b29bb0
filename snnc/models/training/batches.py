"""The batches of images that a network is trained and tested on, and whether memory holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from snnc.common.arrays import per_channel
from snnc.common.errors import DataError, OptionError
from snnc.common.memory import check_memory
from snnc.models.data import Dataset
from snnc.models.training.augmentation import Augmentation, shifted

__all__ = ["Batches", "DatasetBatches", "TensorBatches", "check_batch"]


class Batches(Protocol):
    """Images that are drawn in batches."""

    def __len__(self) -> int:
        """Return the number of images."""

    def draw(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return some of the images.

        Args:
            index: Their numbers, int64, shape (n,).

        Returns:
            Float tensor of shape (n, ...), normalised, and class numbers of shape (n,), both on the CPU.
        """


class TensorBatches:
    """Batches of normalised images that lie in memory as a tensor.

    Args:
        images: Float tensor of shape (N, ...).
        labels: Class numbers, shape (N,).
        maximum_shift: Shift each image at random by up to so many pixels; its border is repeated.
    """

    def __init__(self, images: Tensor, labels: Tensor, maximum_shift: int = 0) -> None:
        self._images = images
        self._labels = labels
        self._maximum_shift = maximum_shift

    def __len__(self) -> int:
        return len(self._images)

    def draw(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return some of the images, shifted."""
        images = self._images[index]
        if self._maximum_shift:
            images = shifted(images, self._maximum_shift, border="replicate")
        return images, self._labels[index]


class DatasetBatches:
    """Batches of a data set, normalised and augmented as they are drawn.

    Args:
        dataset: The data set; its images may be read from files as they are drawn.
        mean: What is subtracted, one number or one for each channel.
        std: What they are divided by after that, all above 0.
        augmentation: How they are changed at random; None or none of them for evaluation.

    Raises:
        DataError: There are no labels, or the images cannot be augmented like this.
        OptionError: The numbers do not fit the channels.
    """

    def __init__(
        self, dataset: Dataset, mean: Sequence[float], std: Sequence[float], augmentation: Augmentation | None = None
    ) -> None:
        if dataset.labels is None:
            raise DataError("there are no labels to train on", where=dataset.name)
        self._dataset = dataset
        self._labels = torch.from_numpy(dataset.labels)
        self._augmentation = augmentation or Augmentation(())
        self._augmentation.check(dataset.images, dataset.name)
        channels, axes = dataset.images.shape[1], len(dataset.images.shape) - 1
        self._mean = _per_channel("--mean", mean, channels, axes)
        self._std = _per_channel("--std", std, channels, axes)
        if not bool((self._std > 0).all()):
            raise OptionError("is not above 0", where="--std", found=str(tuple(std)))

    def __len__(self) -> int:
        return len(self._dataset)

    def draw(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return some of the images, augmented and normalised."""
        stored = torch.from_numpy(np.ascontiguousarray(self._dataset.images[index.numpy()]))
        images = self._augmentation.before_normalisation(stored)
        normalised = (images.float() * self._dataset.unit - self._mean) / self._std
        return self._augmentation.after_normalisation(normalised), self._labels[index]


def _per_channel(option: str, values: Sequence[float], channels: int, axes: int) -> Tensor:
    if len(values) not in (1, channels):
        raise OptionError(
            "does not fit the data",
            where=option,
            expected=f"1 or {channels} numbers, for so many channels",
            found=f"{len(values)} numbers",
        )
    return per_channel(torch.tensor([float(value) for value in values]), axes)


def check_batch(network: nn.Module, sample: Tensor, batch_size: float, device: torch.device) -> None:
    """Refuse a batch that memory cannot hold, before the first step.

    What backpropagation keeps is at least what each module gives, once. A batch is not cut by itself, since another
    one gives another network.

    Args:
        network: On the CPU; left as it was.
        sample: One image as the network takes it, (1, ...).
        batch_size: Images of a step that this process trains on, times the forward passes that are kept of each.
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
