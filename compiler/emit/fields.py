"""Reading typed fields out of HDF5, with errors that name the place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import h5py
import numpy as np
from numpy.typing import NDArray

from snnc.compiler.emit.admitted import has_member
from snnc.errors import FormatError

if TYPE_CHECKING:
    from typing_extensions import Self


class Fields:
    """One HDF5 group, read field by field; what was not read is an error at the end.

    The file has to be looked over before (:mod:`snnc.compiler.emit.admitted`): here links are followed, and arrays are
    read whatever their size.

    Args:
        group: The group.
        file: Name of the file, for errors.

    Attributes:
        ADVICE: What the user can do about a file that is wrong.
    """

    ADVICE = "compile the network again"

    def __init__(self, group: h5py.Group, file: str) -> None:
        self._group = group
        self._file = file
        self._read: set[str] = set()

    def error(self, problem: str, *, expected: str | None = None, found: str | None = None) -> FormatError:
        """The error for this group."""
        return FormatError(
            problem,
            where=f"{self._file}:{self._group.name}",
            expected=expected,
            found=found,
            advice=self.ADVICE,
        )

    def has(self, name: str) -> bool:
        """Whether an attribute or a member of that name exists."""
        return name in self._group.attrs or has_member(self._group, name)

    def group(self, name: str) -> Self:
        """A subgroup."""
        return type(self)(self._member(name, h5py.Group), self._file)

    def groups(self) -> list[Self]:
        """The subgroups ``0``, ``1``, ... that make up a list; anything else in the group is an error."""
        self._read.update(self._group)
        self.finish()
        names = [str(index) for index in range(len(self._group))]
        return [self.group(name) for name in names]

    def text(self, name: str) -> str:
        """A string, as an attribute or as netx's one-element dataset."""
        if name in self._group.attrs:
            value = self._attribute(name)
        else:
            dataset = self._member(name, h5py.Dataset)
            if dataset.shape != (1,) or dataset.dtype.kind != "S":
                raise self.error(f"{name} is not a string", found=f"{dataset.dtype} of shape {dataset.shape}")
            value = dataset[0]
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if not isinstance(value, str):
            raise self.error(f"{name} is not a string", found=type(value).__name__)
        self._check_shown(name, value)
        return value

    def choice(self, name: str, *choices: str) -> str:
        """A string out of several."""
        value = self.text(name)
        if value not in choices:
            raise self.error(f"unknown {name}", expected=" or ".join(choices), found=repr(value))
        return value

    def json(self, name: str) -> object:
        """A JSON text."""
        try:
            value = json.loads(self.text(name))
        except (ValueError, RecursionError) as error:
            raise self.error(f"{name} is not JSON") from error
        self._check_shown(name, value)
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        """An integer within [low, high]."""
        return self.integers(name, (), low, high).item()

    def integers(self, name: str, shape: tuple[int | None, ...], low: int, high: int) -> NDArray[np.int64]:
        """Integers within [low, high].

        Args:
            name: Attribute or dataset.
            shape: What the shape must be; None inside it: any length.
            low: Smallest allowed value.
            high: Largest allowed value.
        """
        return self._within(name, self._array(name, shape, "iu"), low, high)

    def _within(self, name: str, array: NDArray[np.generic], low: int, high: int) -> NDArray[np.int64]:
        """The array, if all of it lies within [low, high]."""
        if array.size and (array.min() < low or array.max() > high):
            raise self.error(
                f"{name} is out of range", expected=f"{low}..{high}", found=f"{array.min()}..{array.max()}"
            )
        return array.astype(np.int64)

    def shape_of(self, name: str) -> tuple[int, ...]:
        """The shape of a dataset, of which nothing is read."""
        shape: tuple[int, ...] = self._member(name, h5py.Dataset).shape
        return shape

    def floats(self, name: str, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
        """Finite floating-point numbers."""
        array = self._array(name, shape, "f").astype(np.float64)
        if not np.isfinite(array).all():
            raise self.error(f"{name} holds NaN or infinity")
        return array

    def finish(self) -> None:
        """Everything in the group must have been read: what is not understood must not be ignored."""
        unknown = sorted(({*self._group.attrs} | {*self._group}) - self._read)
        if unknown:
            raise self.error(f"unknown field {unknown[0]!r}")

    def _check_shown(self, name: str, value: object) -> None:
        """Texts are shown on terminals, which they must not steer."""
        if isinstance(value, str):
            if not value.isprintable():
                raise self.error(f"{name} holds control characters")
        elif isinstance(value, dict):
            for each in (*value, *value.values()):
                self._check_shown(name, each)
        elif isinstance(value, list):
            for each in value:
                self._check_shown(name, each)

    def _member(self, name: str, kind: type[h5py.Group] | type[h5py.Dataset]) -> h5py.Group | h5py.Dataset:
        self._read.add(name)
        if not has_member(self._group, name):
            raise self.error(f"{name} is missing")
        member = self._group[name]
        if not isinstance(member, kind):
            raise self.error(f"{name} is not a {kind.__name__.lower()}")
        return member

    def _attribute(self, name: str) -> object:
        self._read.add(name)
        return self._group.attrs[name]

    def _array(self, name: str, shape: tuple[int | None, ...], kinds: str) -> NDArray[np.generic]:
        source = self._attribute(name) if name in self._group.attrs else self._member(name, h5py.Dataset)
        if not isinstance(source, h5py.Dataset):
            source = np.asarray(source)
        if source.shape is None or source.dtype.kind not in kinds:
            raise self.error(f"{name} has the wrong type", found=str(source.dtype))
        fits = len(shape) == len(source.shape) and all(
            want in (None, have) for want, have in zip(shape, source.shape, strict=True)
        )
        if not fits:
            wanted = tuple("any" if axis is None else axis for axis in shape)
            raise self.error(f"{name} has the wrong shape", expected=str(wanted), found=str(source.shape))
        return np.asarray(source[()])
