"""How the fields of a network's form lie in the group ``snnc`` of a .net file: one table for writing and reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import h5py
import numpy as np

from snnc.program.form import PER_CHANNEL, WINDOW, Form
from snnc.program.net.fields import Fields, write_dataset, write_json, write_string

NUMBER_MAXIMUM = (1 << 63) - 1
SIZE_MAXIMUM = 1 << 31
# Stands for a field without a default, which is always there.
NEEDED = object()

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Stored:
    """A field.

    Attributes:
        name: Its name, in the form and in the file.
        kind: How it lies there: ``text`` and ``number`` as attributes, ``flag`` as an attribute 1 where it is true,
            ``numbers`` as an attribute of several, ``json`` as a dataset of one text, ``integers`` and ``floats`` as
            datasets.
        count: How many numbers an attribute of several has.
        default: The value that is left out.
        highest: The field above it whose number it may reach at most; None: there is none.
    """

    name: str
    kind: Literal["text", "number", "flag", "numbers", "json", "integers", "floats"]
    count: int = 0
    default: object = NEEDED
    highest: str | None = None


HEAD = (
    Stored("target", "text"),
    Stored("timesteps", "number"),
    Stored("lead", "number", default=0, highest="timesteps"),
    Stored("provenance", "json"),
    Stored("ann", "json"),
)
CODING = (
    Stored("kind", "text"),
    Stored("divisor", "number"),
    Stored("highest", "number"),
    Stored("shape", "integers"),
    *(Stored(name, "floats") for name in PER_CHANNEL),
)
LAYER = (
    Stored("name", "text"),
    Stored("modules", "json"),
    Stored("shape", "integers"),
    Stored("bias", "integers"),
    Stored("scale", "floats"),
    Stored("initial_potential", "number"),
    Stored("memoryless", "flag", default=False),
    Stored("threshold", "numbers", 2, default=None),
    Stored("gate", "numbers", 3, default=None),
    Stored("membrane_proven", "numbers", 2),
    Stored("membrane_measured", "numbers", 3, default=None),
)
SYNAPSE = (
    Stored("kind", "text"),
    Stored("weight", "integers"),
    Stored("exponent", "number", default=0),
    Stored("hold", "number", default=0),
    *(Stored(name, "integers") for name in WINDOW),
    Stored("groups", "integers"),
    Stored("row_starts", "integers"),
    Stored("columns", "integers"),
)


def chosen(table: Sequence[Stored], *names: str) -> tuple[Stored, ...]:
    """Return the rows of some fields, in the order of the table."""
    return tuple(each for each in table if each.name in names)


def needed(table: Sequence[Stored], name: str) -> tuple[Stored, ...]:
    """Return the row of a field that has to be there, though others may do without."""
    return tuple(replace(field, default=NEEDED) for field in chosen(table, name))


def write(group: h5py.Group, table: Sequence[Stored], form: Mapping[str, Any]) -> None:
    """Write the fields of a table that a form has, in the table's order, on which the bytes of the file depend.

    Args:
        group: Where to.
        table: The fields.
        form: Their values.
    """
    for field in table:
        if field.name not in form:
            continue
        value = form[field.name]
        if field.default is not NEEDED and value == field.default:
            continue
        if field.kind == "text":
            write_string(group, field.name, value)
        elif field.kind == "json":
            write_json(group, field.name, value)
        elif field.kind in ("number", "flag"):
            group.attrs[field.name] = np.int64(value)
        elif field.kind == "numbers":
            group.attrs[field.name] = np.array(value, np.int64)
        else:
            write_dataset(group, field.name, value if isinstance(value, np.ndarray) else np.array(value, np.int64))


def read(fields: Fields, table: Sequence[Stored], shapes: Mapping[str, Shape]) -> Form:
    """Read the fields of a table.

    Args:
        fields: Where they lie.
        table: Those that are read.
        shapes: Of the datasets.

    Raises:
        FormatError: A field is missing, of another type or shape, or has the value that is left out.
    """
    form: dict[str, Any] = {}
    for field in table:
        form[field.name] = _value(fields, field, shapes, form[field.highest] if field.highest else NUMBER_MAXIMUM)
    return form


def _value(fields: Fields, field: Stored, shapes: Mapping[str, Shape], highest: int) -> object:
    if field.default is not NEEDED and not fields.has(field.name):
        return field.default
    if field.kind == "text":
        return fields.text(field.name)
    if field.kind == "json":
        return fields.json(field.name)
    if field.kind == "flag":
        return bool(fields.integer(field.name, 1, 1))
    if field.kind == "number":
        # What is usual takes no place in the file.
        least = -NUMBER_MAXIMUM if field.default is NEEDED else 1
        return fields.integer(field.name, least, max(least, highest))
    if field.kind == "numbers":
        return fields.integers(field.name, (field.count,), -NUMBER_MAXIMUM, NUMBER_MAXIMUM).tolist()
    if field.kind == "floats":
        return fields.floats(field.name, shapes[field.name])
    return fields.array(field.name, shapes[field.name], "iu")


def read_shape(fields: Fields) -> tuple[int, ...]:
    """Return the shape of a layer or of the input: (channels, height, width) or (features,)."""
    shape = tuple(int(size) for size in fields.integers("shape", (None,), 1, SIZE_MAXIMUM))
    if len(shape) not in (1, 3):
        raise fields.error("shape has the wrong number of axes", expected="1 or 3", found=str(len(shape)))
    return shape


def pack_membrane(form: Mapping[str, Any]) -> Form:
    """Return a layer's form with the number of samples beside the range that they reached, as a file has it."""
    measured = form["membrane_measured"]
    return {**form, "membrane_measured": None if measured is None else [*measured, form["membrane_samples"]]}


def unpack_membrane(form: Mapping[str, Any]) -> Form:
    """Return the inverse of :func:`pack_membrane`."""
    *measured, samples = form["membrane_measured"] or [0]
    return {**form, "membrane_measured": measured or None, "membrane_samples": samples}
