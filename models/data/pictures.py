"""Reads image files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc.errors import DataError
from snnc.models.data.class_folders import ImageFiles

__all__ = ["centre_square", "has_colour", "read_picture"]

# Pillow goes by what a file holds, not by its name. Only the readers of the forms that names may end in are let near
# it: faults in those of rare ones, such as PSD (CVE-2026-25990) and FITS, are then out of reach.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_GREY_MODES = frozenset(["1", "L", "LA"])
# 16 bits and more per value: converting them to 8 bits would clip most of them.
_DEEP_MODES = ("I", "F")


def read_picture(
    pillow: Any, files: ImageFiles, index: int, *, colour: bool = False, change: Callable[[Any], Any] | None = None
) -> npt.NDArray[np.uint8]:
    """Read one image.

    Args:
        pillow: The module ``PIL.Image``.
        files: The image files.
        index: Which of them.
        colour: Make three channels of a grey image too.
        change: What happens to Pillow's image before it becomes an array.

    Returns:
        Shape (1 or 3, height, width), uint8; transparency is dropped.

    Raises:
        DataError: The file is missing or damaged, or has more than 8 bits per value.
    """
    try:
        with files.open(index) as file, pillow.open(file, formats=_FORMATS) as image:
            mode: str = image.mode
            if not mode.startswith(_DEEP_MODES):
                grey = mode in _GREY_MODES and not colour
                converted = image.convert("L" if grey else "RGB")
                array = np.asarray(converted if change is None else change(converted), dtype=np.uint8)
                return array[np.newaxis] if grey else array.transpose(2, 0, 1)
    except Exception as error:  # Pillow raises many kinds of exceptions for damaged files.
        raise DataError("not a readable image", where=files.where(index), found=str(error)) from error
    raise DataError("the image has more than 8 bits per value", where=files.where(index), found=f"mode {mode}")


def has_colour(pillow: Any, files: ImageFiles, index: int) -> bool:
    """Say whether an image has colours, by the head of its file alone.

    Args:
        pillow: The module ``PIL.Image``.
        files: The image files.
        index: Which of them.

    Raises:
        DataError: The file is missing, or is none of an image.
    """
    try:
        with files.open(index) as file, pillow.open(file, formats=_FORMATS) as image:
            return image.mode not in _GREY_MODES
    except Exception as error:  # Pillow raises many kinds of exceptions for damaged files.
        raise DataError("not a readable image", where=files.where(index), found=str(error)) from error


def centre_square(pillow: Any, shorter_side: int, side: int) -> Callable[[Any], Any]:
    """Make what brings images of all sizes to one: the usual way to look at ImageNet.

    Source: Krizhevsky, Sutskever, Hinton: "ImageNet classification with deep convolutional neural networks", NIPS
    2012, section 2, with 224 pixels as in section 4.1; rounded as torchvision's ``Resize`` and ``CenterCrop`` do, with
    which published networks were evaluated.

    Args:
        pillow: The module ``PIL.Image``.
        shorter_side: Pixels that the shorter side is resized to, bilinearly.
        side: Pixels of the square that is cut out of the middle, at most ``shorter_side``.

    Returns:
        A function from a Pillow image to another of ``side`` x ``side`` pixels.
    """

    def change(image: Any) -> Any:
        width, height = image.size
        shorter = min(width, height)
        width, height = shorter_side * width // shorter, shorter_side * height // shorter
        resized = image.resize((width, height), pillow.Resampling.BILINEAR)
        left, top = round((width - side) / 2), round((height - side) / 2)
        return resized.crop((left, top, left + side, top + side))

    return change
