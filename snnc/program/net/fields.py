"""Typed fields in HDF5: read with every doubt, and written as the same bytes for the same values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import h5py
import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import FormatError, SnncError
from snnc.program.checks import ADVICE, Checks
from snnc.program.net.hdf5_safety import has_member

if TYPE_CHECKING:
    from typing_extensions import Self

GROUP = "snnc"
LAYERS = "layer"
# Lava keeps a convolution's groups in eight signed bits.
GROUPS_MAXIMUM = 127


class Fields:
    """One HDF5 group, read field by field; what was not read is an error at the end.

    The file has to be looked over before (:mod:`snnc.program.net.hdf5_safety`): here links are followed, and arrays are
    read whatever their size.

    Args:
        group: The group.
        file: Name of the file, for errors.

    Attributes:
        ADVICE: What the user can do about a file that is wrong.
        checks: Of values that stand in this group.
    """

    ADVICE = ADVICE

    def __init__(self, group: h5py.Group, file: str) -> None:
        self._group = group
        self._file = file
        self._read: set[str] = set()
        self.checks = Checks(f"{file}:{group.name}", advice=self.ADVICE, error=FormatError)

    def error(self, problem: str, *, expected: str | None = None, found: str | None = None) -> SnncError:
        """Return the error for this group."""
        return self.checks.error(problem, expected=expected, found=found)

    def has(self, name: str) -> bool:
        """Return whether an attribute or a member of that name exists."""
        return name in self._group.attrs or has_member(self._group, name)

    def group(self, name: str) -> Self:
        """Return a subgroup."""
        return type(self)(self._member(name, h5py.Group), self._file)

    def groups(self) -> list[Self]:
        """Return the subgroups ``0``, ``1``, ... that make up a list; anything else in the group is an error."""
        self._read.update(self._group)
        self.finish()
        names = [str(index) for index in range(len(self._group))]
        return [self.group(name) for name in names]

    def text(self, name: str) -> str:
        """Return a string, as an attribute or as netx's one-element dataset."""
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
        self.checks.shown(name, value)
        return value

    def choice(self, name: str, *choices: str) -> str:
        """Return a string out of several."""
        value = self.text(name)
        self.checks.choice(name, value, *choices)
        return value

    def json(self, name: str) -> object:
        """Return a JSON text."""
        try:
            value = json.loads(self.text(name))
        except (ValueError, RecursionError) as error:
            raise self.error(f"{name} is not JSON") from error
        self.checks.shown(name, value)
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        """Return an integer within [low, high]."""
        return self.integers(name, (), low, high).item()

    def integers(self, name: str, shape: tuple[int | None, ...], low: int, high: int) -> NDArray[np.int64]:
        """Return integers within [low, high].

        Args:
            name: Attribute or dataset.
            shape: What the shape must be; None inside it: any length.
            low: Smallest allowed value.
            high: Largest allowed value.
        """
        array = self.array(name, shape, "iu")
        self.checks.within(name, array, low, high)
        return array.astype(np.int64)

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Return the shape of a dataset, of which nothing is read."""
        shape: tuple[int, ...] = self._member(name, h5py.Dataset).shape
        return shape

    def floats(self, name: str, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
        """Return finite floating-point numbers."""
        array = self.array(name, shape, "f").astype(np.float64)
        self.checks.floats(name, array, shape)
        return array

    def finish(self) -> None:
        """Check that everything in the group has been read: what is not understood must not be ignored."""
        unknown = sorted(({*self._group.attrs} | {*self._group}) - self._read)
        if unknown:
            raise self.error(f"unknown field {unknown[0]!r}")

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

    def array(self, name: str, shape: tuple[int | None, ...], kinds: str) -> NDArray[np.generic]:
        """Return numbers, of which none is read before type and shape are what they should be.

        Args:
            name: Attribute or dataset.
            shape: What the shape must be; None inside it: any length.
            kinds: Letters of numpy's kinds.
        """
        source = self._attribute(name) if name in self._group.attrs else self._member(name, h5py.Dataset)
        if not isinstance(source, h5py.Dataset):
            source = np.asarray(source)
        self.checks.form(name, source, shape, kinds)
        return np.asarray(source[()])


# Of gzip: the highest takes twenty times as long for one part in a hundred.
LEVEL = 4


def write_dataset(group: h5py.Group, name: str, value: object) -> None:
    """Write numbers, compressed where they are many."""
    data = np.asarray(value)
    # Small arrays grow when compressed.
    options = {"compression": "gzip", "compression_opts": LEVEL, "shuffle": True} if data.size > 256 else {}
    group.create_dataset(name, data=data, track_times=False, **options)


def write_text(group: h5py.Group, name: str, value: str) -> None:
    """Write a string as netx reads it: one fixed-length ASCII entry."""
    group.create_dataset(name, (1,), "S10", data=[value.encode("ascii")], track_times=False)


def write_string(group: h5py.Group, name: str, value: str) -> None:
    """Write a string of fixed length: those of variable length lie in a heap, where a damaged file makes HDF5 hang."""
    group.attrs[name] = np.bytes_(value.encode("utf-8"))


def write_json(group: h5py.Group, name: str, value: object) -> None:
    """Write a structure of any size: an attribute ends at 64 KiB."""
    data = json.dumps(value, sort_keys=True).encode("ascii")
    group.create_dataset(name, (1,), f"S{len(data)}", data=[data], track_times=False)
