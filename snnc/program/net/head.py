"""What every .net file of snnc begins with: version, target, provenance, the ANN's operations and the coding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from snnc.program.form import PER_CHANNEL, Form
from snnc.program.net.fields import Fields
from snnc.program.net.stored import CODING, HEAD, chosen, read, read_shape, write
from snnc.program.provenance import WrongFormError, provenance_of_form


def read_head(own: Fields, *numbers: str) -> Form:
    """Read the form of a network but for its layers.

    Args:
        own: The group ``snnc``.
        numbers: Names of what networks of this kind have beside target, provenance, ANN and coding.

    Raises:
        FormatError: A field is missing, or of another type.
    """
    form = read(own, chosen(HEAD, "target", "provenance", "ann", *numbers), {})
    _check_ann(own, form["ann"])
    _check_provenance(own, form["provenance"])
    coding = own.group("coding")
    shape = read_shape(coding)
    shapes: dict[str, tuple[int | None, ...]] = dict.fromkeys(PER_CHANNEL, (shape[0],))
    rest = tuple(field for field in CODING if field.name != "shape")
    form["coding"] = {"shape": list(shape), **read(coding, rest, shapes)}
    coding.finish()
    return form


def write_head(group: h5py.Group, form: Mapping[str, Any], version: int) -> None:
    """Write what :func:`read_head` reads.

    Args:
        group: The group ``snnc``.
        form: The network's form.
        version: The file's format.
    """
    group.attrs["format_version"] = np.int64(version)
    write(group, HEAD, form)
    write(group.create_group("coding"), CODING, form["coding"])


def _check_ann(own: Fields, entries: object) -> None:
    if not isinstance(entries, list):
        raise own.error("ann is not a list")
    for entry in entries:
        if not (
            isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], int)
        ):
            raise own.error("ann holds something else than [module, macs]")


def _check_provenance(own: Fields, value: object) -> None:
    try:
        provenance_of_form(value)
    except WrongFormError as error:
        raise own.error(f"provenance {error}", expected=error.expected) from None
