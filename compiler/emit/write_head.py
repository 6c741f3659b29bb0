"""What every .net file of snnc begins with: version, target, provenance, the ANN's operations and the coding."""

from __future__ import annotations

from dataclasses import asdict

import h5py
import numpy as np

from snnc.compiler.emit.write_fields import write_dataset, write_json, write_string
from snnc.compiler.program import CompiledNetwork


def write_head(group: h5py.Group, program: CompiledNetwork, version: int, **numbers: int) -> None:
    """Writes what :mod:`snnc.compiler.emit.read_head` reads.

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
    write_json(group, "provenance", asdict(program.provenance))
    write_json(group, "ann", [[layer.module, layer.macs] for layer in program.ann])
    coding = group.create_group("coding")
    write_string(coding, "kind", program.coding.kind)
    coding.attrs["divisor"] = np.int64(program.coding.divisor)
    coding.attrs["highest"] = np.int64(program.coding.highest)
    write_dataset(coding, "shape", np.array(program.coding.shape, np.int64))
    for name in ("unit", "offset", "scale", "shift"):
        write_dataset(coding, name, getattr(program.coding, name))
