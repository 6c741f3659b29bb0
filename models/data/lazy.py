"""Images that stay in their files until they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LazyImages"]

_READERS_AT_MOST = 8


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
        """What numpy computes of all images, as of an array."""
        arrays = (np.asarray(each) if isinstance(each, LazyImages) else each for each in inputs)
        return getattr(ufunc, method)(*arrays, **options)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """All images, for numpy. This reads every file."""
        return np.asarray(self[:], dtype=dtype)
