"""Images that stay in their files until they are asked for."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc.common.errors import DataError, first_line
from snnc.common.file_kinds import LFS_ADVICE, LFS_POINTER, is_lfs_pointer
from snnc.common.memory import check_memory
from snnc.models.data.tree import ImageFiles

__all__ = ["LazyImages", "centre_square", "has_colour", "read_picture"]

# Pillow goes by what a file holds, not by its name. Only the readers of the forms that names may end in are let near
# it: faults in those of rare ones, such as PSD (CVE-2026-25990) and FITS, are then out of reach.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# Of any image; the largest of ImageNet has 18 million. In colours they take 96 MiB.
PIXELS_MAXIMUM = 1 << 25
_GREY_MODES = frozenset(["1", "L", "LA"])
# 16 bits and more per value: converting them to 8 bits would clip most of them.
_DEEP_MODES = ("I", "F")


def read_picture(
    pillow: Any,
    files: ImageFiles,
    index: int,
    *,
    colour: bool = False,
    change: Callable[[Any], Any] | None = None,
    size: tuple[int, int] | None = None,
) -> npt.NDArray[np.uint8]:
    """Read one image, whose size its head declares before anything is decoded.

    Args:
        pillow: The module ``PIL.Image``.
        files: The image files.
        index: Which of them.
        colour: Make three channels of a grey image too.
        change: What happens to Pillow's image before it becomes an array.
        size: Height and width that it has to have, those of the first image; None: any.

    Returns:
        Shape (1 or 3, height, width), uint8; transparency is dropped.

    Raises:
        DataError: The file is missing or damaged, is of another size or of more than 2^25 pixels, or has more than 8
            bits per value.
    """
    with _opened(pillow, files, index) as image:
        _check_size(files, index, image.size, size)
        mode: str = image.mode
        if not mode.startswith(_DEEP_MODES):
            grey = mode in _GREY_MODES and not colour
            converted = image.convert("L" if grey else "RGB")
            array = np.asarray(converted if change is None else change(converted), dtype=np.uint8)
            return array[np.newaxis] if grey else array.transpose(2, 0, 1)
    raise DataError("the image has more than 8 bits per value", where=files.where(index), found=f"mode {mode}")


def _check_size(files: ImageFiles, index: int, declared: tuple[int, int], size: tuple[int, int] | None) -> None:
    """Refuse an image by the width and height that its head declares."""
    width, height = declared
    if size is not None and (height, width) != size:
        raise DataError(
            "the image has another size than the first",
            where=files.where(index),
            expected=f"{size[1]} x {size[0]} pixels, as {PurePosixPath(files.paths[0]).name}",
            found=f"{width} x {height}",
            advice="bring all images to the size that the network takes, or give imagenet:ROOT for one of 224",
        )
    if width * height > PIXELS_MAXIMUM:
        raise DataError(
            "the image is too large",
            where=files.where(index),
            expected=f"at most {PIXELS_MAXIMUM:,} pixels",
            found=f"{width} x {height}",
            advice="scale the images down to the size that the network takes",
        )


def has_colour(pillow: Any, files: ImageFiles, index: int) -> bool:
    """Say whether an image has colours, by the head of its file alone.

    Args:
        pillow: The module ``PIL.Image``.
        files: The image files.
        index: Which of them.

    Raises:
        DataError: The file is missing, or is none of an image.
    """
    with _opened(pillow, files, index) as image:
        return image.mode not in _GREY_MODES


@contextlib.contextmanager
def _opened(pillow: Any, files: ImageFiles, index: int) -> Iterator[Any]:
    """Open a picture for a block; whatever Pillow raises in it is an error of ours."""
    try:
        with files.open(index) as file, pillow.open(file, formats=_FORMATS) as image:
            yield image
    except DataError:
        raise
    except Exception as error:  # Pillow raises many kinds of exceptions for damaged files.
        raise _unreadable(files, index, error) from error


def _unreadable(files: ImageFiles, index: int, error: Exception) -> DataError:
    """Return the error for a picture that Pillow does not read."""
    with contextlib.suppress(Exception), files.open(index) as file:
        if is_lfs_pointer(file):
            return DataError(LFS_POINTER, where=files.where(index), advice=LFS_ADVICE)
    # Pillow itself says only where in memory its reader lies.
    found = "something else" if type(error).__name__ == "UnidentifiedImageError" else first_line(error)
    return DataError(
        "not a readable image", where=files.where(index), expected=f"one of {', '.join(_FORMATS)}", found=found
    )


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


_READERS_AT_MOST = 8
# Bytes that are taken without a look at how much memory there is.
_UNASKED = 1 << 26


class LazyImages(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands in for an array of images of shape (N, channels, height, width), uint8, too large for the memory.

    Indexing reads what is asked for and gives an ordinary array; so does arithmetic, which reads all.

    Args:
        count: Number of images N.
        shape: (channels, height, width) of each.
        read: Reads one image, by its number; called from several threads.
        keep: Keep what was read, for the next time it is asked for.

    Attributes:
        shape: (N, channels, height, width).
        dtype: uint8.
    """

    def __init__(
        self,
        count: int,
        shape: tuple[int, int, int],
        read: Callable[[int], npt.NDArray[np.uint8]],
        *,
        keep: bool = False,
    ) -> None:
        self.shape: tuple[int, ...] = (count, *shape)
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        self._read_file = read
        self._kept: dict[int, npt.NDArray[np.uint8]] | None = {} if keep else None

    @property
    def ndim(self) -> int:
        """Number of axes, 4."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values of all images."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int | slice | npt.NDArray[Any] | tuple[Any, ...]) -> npt.NDArray[np.uint8]:
        if isinstance(index, tuple):
            return np.asarray(np.asarray(self)[index])
        chosen = np.arange(len(self))[index]
        if chosen.ndim == 0:
            return self._read(int(chosen))
        size = math.prod((len(chosen), *self.shape[1:]))
        if size > _UNASKED:
            check_memory(size, f"{len(chosen):,} images of {self.shape[1:]}", "take fewer samples, or smaller images")
        images = np.empty((len(chosen), *self.shape[1:]), np.uint8)

        def fill(place: int) -> None:
            images[place] = self._read(int(chosen[place]))

        # Pillow lets other threads run while it decodes.
        with ThreadPoolExecutor(min(_READERS_AT_MOST, os.cpu_count() or 1)) as readers:
            # The list hands on what a reader raised.
            list(readers.map(fill, range(len(chosen))))
        return images

    def _read(self, number: int) -> npt.NDArray[np.uint8]:
        if self._kept is None:
            return self._read_file(number)
        if number not in self._kept:
            self._kept[number] = self._read_file(number)
        return self._kept[number]

    def __array_ufunc__(self, ufunc: np.ufunc, method: Any, *inputs: Any, **options: Any) -> Any:
        """Return what numpy computes of all images, as of an array."""
        arrays = (np.asarray(each) if isinstance(each, LazyImages) else each for each in inputs)
        return getattr(ufunc, method)(*arrays, **options)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Return all images, for numpy. This reads every file."""
        return np.asarray(self[:], dtype=dtype)
