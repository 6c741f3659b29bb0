"""netx HDF5 to Program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py

from snnc.common.errors import FormatError, first_line
from snnc.common.file_kinds import LFS_ADVICE, LFS_POINTER, is_lfs_pointer
from snnc.program.form import from_form, spiking_from_form
from snnc.program.net.fields import GROUP, LAYERS, Fields
from snnc.program.net.hdf5_safety import Admitted, check_plain_file
from snnc.program.net.head import read_head
from snnc.program.net.layers import SpikingLayers
from snnc.program.net.sigma_delta import SIGMA_DELTA_VERSION, read_sigma_delta
from snnc.program.net.writer import FORMAT_VERSION
from snnc.program.network import CompiledNetwork
from snnc.program.targets import get_target
from snnc.program.validate import validate


def load(path: str | Path) -> CompiledNetwork:
    """Read a .net file and check all of it.

    Args:
        path: The file.

    Returns:
        The program that was saved: a ``Program``, or a ``SigmaDeltaProgram`` where its neurons are those.

    Raises:
        FormatError: The file cannot be read, is of a newer format, or contradicts itself.
    """
    name = str(path)
    check_plain_file(path)
    if not h5py.is_hdf5(name):
        if is_lfs_pointer(path):
            raise FormatError(LFS_POINTER, where=name, advice=LFS_ADVICE)
        raise FormatError(
            "is not an HDF5 file, or is truncated",
            where=name,
            advice="give the .net file that snnc compile wrote, or compile the network again",
        )
    try:
        with h5py.File(name, "r") as file:
            return _read(file, name)
    # What h5py raises on damaged files.
    except (OSError, RuntimeError, KeyError, MemoryError, TypeError, ValueError) as error:
        raise FormatError(
            "is damaged", where=name, found=first_line(error), advice="compile the network again"
        ) from error


def _read(file: h5py.File, name: str) -> CompiledNetwork:
    root = Fields(file, name)
    if not root.has(GROUP):
        advice = "compile it with snnc"
        if root.has(LAYERS):
            advice = "snnc run and snnc inspect take it as it is (docs/netx.md), for all else compile it with snnc"
        raise FormatError("was not written by snnc", where=name, expected=f"a group {GROUP!r}", advice=advice)
    Admitted(name, advice=Fields.ADVICE).check(file)
    own = root.group(GROUP)
    version = own.integer("format_version", 1, 1 << 30)
    if version not in _VERSIONS:
        newest = max(_VERSIONS)
        raise FormatError(
            "is of a newer format",
            where=name,
            expected=f"version {newest} or older",
            found=f"version {version}",
            advice="update snnc",
        )
    program = _VERSIONS[version](own, root.group(LAYERS), name)
    root.finish()
    return program


def _sigma_delta(own: Fields, netx: Fields, name: str) -> CompiledNetwork:
    program = from_form(read_sigma_delta(own, netx))
    validate(program, name)
    return program


def _spiking(own: Fields, netx: Fields, name: str) -> CompiledNetwork:
    form = read_head(own, "timesteps", "lead")
    layers = SpikingLayers(own.group("layers"), netx, tuple(form["coding"]["shape"]), form["lead"])
    own.finish()
    program = spiking_from_form({**form, "layers": layers.forms})
    validate(program, name)
    layers.finish((program.layers[each] for each in layers.on_chain), get_target(program.target))
    if program.chain != layers.on_chain:
        raise own.error(
            "netx does not hold the layers that it can load, and no others",
            expected=f"layers {program.chain}",
            found=f"layers {layers.on_chain}",
        )
    return program


# What reads the files of a version.
_VERSIONS: dict[int, Callable[[Fields, Fields, str], CompiledNetwork]] = {
    FORMAT_VERSION: _spiking,
    SIGMA_DELTA_VERSION: _sigma_delta,
}
