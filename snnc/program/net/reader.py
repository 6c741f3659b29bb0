"""netx HDF5 to Program."""

from __future__ import annotations

import io
from pathlib import Path

import h5py

from snnc.common.errors import FormatError, first_line
from snnc.program.net.form import GROUP, LAYERS, SIGMA_DELTA_VERSION, Fields
from snnc.program.net.hdf5_safety import Admitted, check_plain_file
from snnc.program.net.head import read_ann, read_coding, read_provenance
from snnc.program.net.layers import read_layers
from snnc.program.net.sigma_delta import read_sigma_delta
from snnc.program.net.writer import to_bytes
from snnc.program.network import CompiledNetwork
from snnc.program.program import Program
from snnc.program.targets import SIGMA_DELTA, target_names

TIMESTEPS_MAXIMUM = 1024


def load(path: str | Path) -> CompiledNetwork:
    """Reads a .net file and checks all of it.

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


def checked(program: Program, name: str) -> Program:
    """Checks a program that does not come from the compiler as if it stood in a .net file.

    Args:
        program: The program; what is wrong in it may be of any kind.
        name: What errors name.

    Returns:
        An equal program.

    Raises:
        FormatError: It contradicts itself, or a number is out of range.
    """
    try:
        with h5py.File(io.BytesIO(to_bytes(program)), "r") as file:
            found = _read(file, name)
    except (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise FormatError("contradicts itself", where=name, found=first_line(error)) from error
    assert isinstance(found, Program)
    return found


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
    if version > SIGMA_DELTA_VERSION:
        raise FormatError(
            "is of a newer format",
            where=name,
            expected=f"version {SIGMA_DELTA_VERSION} or older",
            found=f"version {version}",
            advice="update snnc",
        )
    if version == SIGMA_DELTA_VERSION:
        own.choice("neuron", SIGMA_DELTA)
        sigma_delta = read_sigma_delta(own, root.group(LAYERS))
        root.finish()
        return sigma_delta
    coding = read_coding(own.group("coding"))
    timesteps = own.integer("timesteps", 1, TIMESTEPS_MAXIMUM)
    lead = own.integer("lead", 1, timesteps) if own.has("lead") else 0
    layers, chain = read_layers(own.group("layers"), root.group(LAYERS), coding, lead)
    program = Program(
        target=own.choice("target", *target_names()),
        timesteps=timesteps,
        coding=coding,
        layers=layers,
        ann=read_ann(own),
        provenance=read_provenance(own),
        lead=lead,
    )
    if program.chain != chain:
        raise own.error(
            "netx does not hold the layers that it can load, and no others",
            expected=f"layers {program.chain}",
            found=f"layers {chain}",
        )
    own.finish()
    root.finish()
    return program
