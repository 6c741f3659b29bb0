"""Random changes of training images, which keep a network from learning them by heart.

All of them draw from torch's global generator, so that a run can be repeated and resumed.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from snnc.common.errors import DataError, OptionError

__all__ = ["AUGMENTATIONS", "Augmentation", "shifted"]

AUGMENTATIONS = ("crop", "flip", "autoaugment", "cutout")

CROP_PADDING = 4
CUTOUT_SIDE = 16


class Augmentation:
    """Some of the four usual changes, always in the order of ``AUGMENTATIONS``.

    - ``crop``: a window of the image's size out of the image with 4 pixels of zeros around it (He et al., CVPR 2016,
      section 4.2);
    - ``flip``: left and right exchanged, with probability 1/2 (there too);
    - ``autoaugment``: the policy for CIFAR-10 of Cubuk, Zoph, Mane, Vasudevan, Le: "AutoAugment: learning augmentation
      policies from data", CVPR 2019, as torchvision implements it; 8-bit images only;
    - ``cutout``: a square of 16 x 16 pixels anywhere, cut off at the border, becomes 0 after normalisation (DeVries and
      Taylor: "Improved regularization of convolutional neural networks with cutout", 2017, with their side for
      CIFAR-10).

    Args:
        names: Which of them; none at all is possible.

    Raises:
        OptionError: A name is none of these, or ``autoaugment`` is wanted where torchvision cannot be imported.
    """

    def __init__(self, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in AUGMENTATIONS]
        if unknown:
            raise OptionError(
                "there is no such augmentation",
                where="augmentation (--augment)",
                expected=", ".join(AUGMENTATIONS),
                found=repr(unknown[0]),
            )
        self.names = tuple(name for name in AUGMENTATIONS if name in names)
        self._policy = _cifar_policy() if "autoaugment" in self.names else None

    def check(self, images: Any, where: str) -> None:
        """Check that a data set's images can be changed like this.

        Args:
            images: An array of images, with ``shape`` and ``dtype``.
            where: What to call them in an error.

        Raises:
            DataError: They are no images of rows and columns, or not of 8 bits where the policy needs that.
        """
        if self.names and len(images.shape) != 4:
            raise DataError(
                f"the images cannot be augmented by {self.names[0]}",
                where=where,
                expected="shape (N, C, H, W)",
                found=f"shape {tuple(images.shape)}",
                advice="give --augment none",
            )
        if self._policy is not None and (str(images.dtype) != "uint8" or images.shape[1] not in (1, 3)):
            raise DataError(
                "the images cannot be augmented by autoaugment",
                where=where,
                expected="uint8 images of 1 or 3 channels",
                found=f"{images.dtype} of {images.shape[1]} channels",
                advice="leave autoaugment out of --augment",
            )

    def before_normalisation(self, images: Tensor) -> Tensor:
        """Crop, flip and autoaugment.

        Args:
            images: Shape (N, C, H, W), as they were stored.

        Returns:
            The changed images, of the same shape and type.
        """
        if "crop" in self.names:
            images = shifted(images, CROP_PADDING, border="constant")
        if "flip" in self.names:
            chosen = torch.rand(len(images)) < 0.5
            images = torch.where(chosen[:, None, None, None], images.flip(3), images)
        if self._policy is not None:
            images = torch.stack([self._policy(image) for image in images])
        return images

    def after_normalisation(self, images: Tensor) -> Tensor:
        """Cut out a window.

        Args:
            images: Shape (N, C, H, W), floats of mean 0.

        Returns:
            The changed images.
        """
        if "cutout" not in self.names:
            return images
        count, _, height, width = images.shape
        rows = _outside_window(count, height)[:, None, :, None]
        columns = _outside_window(count, width)[:, None, None, :]
        return images * (rows | columns)


def shifted(images: Tensor, maximum_shift: int, *, border: Literal["replicate", "constant"]) -> Tensor:
    """Shift each image by its own number of rows and columns.

    Args:
        images: Shape (N, C, H, W).
        maximum_shift: Largest shift in pixels, at least 1; all shifts up to it are equally likely.
        border: What is moved in: the border pixels repeated, or zeros.

    Returns:
        The shifted images, of the same shape.
    """
    count, _, height, width = images.shape
    padded = functional.pad(images, (maximum_shift,) * 4, mode=border)
    offsets = torch.randint(0, 2 * maximum_shift + 1, (2, count, 1), device=images.device)
    rows = (torch.arange(height, device=images.device) + offsets[0])[:, :, None]
    columns = (torch.arange(width, device=images.device) + offsets[1])[:, None, :]
    image = torch.arange(count, device=images.device)[:, None, None]
    # Index tensors on both sides of a slice put their common shape first: (N, H, W, C).
    return padded[image, :, rows, columns].permute(0, 3, 1, 2).contiguous()


def _outside_window(count: int, length: int) -> Tensor:
    """Return for each of ``count`` images which places of an axis lie outside a window around a random place."""
    start = torch.randint(0, length, (count, 1)) - CUTOUT_SIDE // 2
    place = torch.arange(length)
    return (place < start) | (place >= start + CUTOUT_SIDE)


def _cifar_policy() -> Any:
    try:
        transforms = importlib.import_module("torchvision.transforms")
    except (ImportError, OSError, RuntimeError) as error:
        # torchvision raises RuntimeError where it does not belong to the installed torch.
        raise OptionError(
            "autoaugment needs torchvision, which cannot be imported",
            where="augmentation (--augment)",
            found=str(error),
            advice="install it, or leave autoaugment out",
        ) from error
    return transforms.AutoAugment(transforms.AutoAugmentPolicy.CIFAR10)
