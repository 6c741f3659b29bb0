"""Reading what lava-dl writes: numbers as floats, texts of variable length."""

from __future__ import annotations

import math

import h5py
import numpy as np
from numpy.typing import NDArray

from snnc.compiler.emit.fields import Fields
from snnc.compiler.emit.heap_text import read_heap_text


class NetxFields(Fields):
    """A group of a netx file; see :class:`snnc.compiler.emit.fields.Fields`."""

    ADVICE = "docs/netx.md says what can be read"

    def text(self, name: str) -> str:
        """A string: one entry of fixed length, or of variable length as h5py writes it."""
        dataset = self._member(name, h5py.Dataset)
        if dataset.shape not in ((), (1,)) or dataset.dtype.kind not in "SO":
            raise self.error(f"{name} is not a string", found=f"{dataset.dtype} of shape {dataset.shape}")
        if dataset.dtype.kind == "S":
            if dataset.dtype.itemsize > 256:
                raise self.error(f"{name} is too long", expected="at most 256 bytes", found=str(dataset.dtype.itemsize))
            value = dataset[()] if dataset.shape == () else dataset[0]
        else:
            try:
                value = read_heap_text(dataset)
            except ValueError as error:
                raise self.error(f"{name} {error}") from None
        return bytes(value).decode("ascii", "replace")

    def whole(self, name: str, low: int, high: int) -> int:
        """One whole number within [low, high], alone or as an array of one."""
        stored = self.shape_of(name)
        if math.prod(stored) != 1:
            raise self.error(f"{name} has the wrong size", expected="1", found=f"shape {stored}")
        return int(self.whole_numbers(name, stored, low, high).item())

    def whole_numbers(self, name: str, shape: tuple[int | None, ...], low: int, high: int) -> NDArray[np.int64]:
        """Whole numbers within [low, high], stored as integers or truth values or, as lava-dl does, as floats.

        Args:
            name: The dataset.
            shape: As for :meth:`integers`.
            low: Smallest allowed value.
            high: Largest allowed value.
        """
        array = self._array(name, shape, "iufb")
        if array.dtype.kind == "f" and not (np.isfinite(array).all() and (array == np.trunc(array)).all()):
            raise self.error(f"{name} holds something else than whole numbers")
        return self._within(name, array, low, high)

    def ignore(self, *names: str) -> None:
        """Members that may be there and mean nothing to Lava."""
        for name in names:
            if self.has(name):
                self._member(name, h5py.Dataset)

    @property
    def name(self) -> str:
        """Where the group is in the file, such as ``layer/2``."""
        return str(self._group.name).strip("/")
