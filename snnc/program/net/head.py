"""What every .net file of snnc begins with: version, target, provenance, the ANN's operations and the coding."""

from __future__ import annotations

from typing import Literal, cast

import h5py
import numpy as np

from snnc.program.coding import InputCoding
from snnc.program.net.form import Fields, write_dataset, write_json, write_string
from snnc.program.network import CompiledNetwork
from snnc.program.provenance import AnnLayer, Provenance, WrongFormError, provenance_form, provenance_of_form

SIZE_MAXIMUM = 1 << 31


def read_shape(fields: Fields) -> tuple[int, ...]:
    """The shape of a layer or of the input: (channels, height, width) or (features,)."""
    shape = tuple(int(size) for size in fields.integers("shape", (None,), 1, SIZE_MAXIMUM))
    if len(shape) not in (1, 3):
        raise fields.error("shape has the wrong number of axes", expected="1 or 3", found=str(len(shape)))
    return shape


def read_coding(fields: Fields) -> InputCoding:
    """The group ``coding``."""
    shape = read_shape(fields)
    arrays = {name: fields.floats(name, (shape[0],)) for name in ("unit", "offset", "scale", "shift")}
    if not (arrays["unit"] > 0).all():
        raise fields.error("unit is not positive")
    coding = InputCoding(
        kind=cast(Literal["graded", "rate"], fields.choice("kind", "graded", "rate")),
        shape=shape,
        divisor=fields.integer("divisor", 1, 256),
        highest=fields.integer("highest", 1, 255),
        **arrays,
    )
    fields.finish()
    return coding


def read_ann(own: Fields) -> tuple[AnnLayer, ...]:
    """The entry ``ann`` of the group ``snnc``."""
    entries = own.json("ann")
    if not isinstance(entries, list):
        raise own.error("ann is not a list")
    for entry in entries:
        if not (
            isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], int)
        ):
            raise own.error("ann holds something else than [module, macs]")
    return tuple(AnnLayer(module, macs) for module, macs in entries)


def read_provenance(own: Fields) -> Provenance:
    """The entry ``provenance`` of the group ``snnc``."""
    try:
        return provenance_of_form(own.json("provenance"))
    except WrongFormError as error:
        raise own.error(f"provenance {error}", expected=error.expected) from None


def write_head(group: h5py.Group, program: CompiledNetwork, version: int, **numbers: int) -> None:
    """Writes what :mod:`snnc.program.net.head` reads.

    Args:
        group: The group ``snnc``.
        program: What the file holds.
        version: The file's format.
        numbers: What programs of this kind have beside that, by name.
    """
    group.attrs["format_version"] = np.int64(version)
    write_string(group, "target", program.target)
    for name, number in numbers.items():
        group.attrs[name] = np.int64(number)
    write_json(group, "provenance", provenance_form(program.provenance))
    write_json(group, "ann", [[layer.module, layer.macs] for layer in program.ann])
    coding = group.create_group("coding")
    write_string(coding, "kind", program.coding.kind)
    coding.attrs["divisor"] = np.int64(program.coding.divisor)
    coding.attrs["highest"] = np.int64(program.coding.highest)
    write_dataset(coding, "shape", np.array(program.coding.shape, np.int64))
    for name in ("unit", "offset", "scale", "shift"):
        write_dataset(coding, name, getattr(program.coding, name))
