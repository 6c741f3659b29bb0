"""netx HDF5 to a NetxNetwork."""

from __future__ import annotations

from pathlib import Path

import h5py

from snnc.compiler.emit.admitted import Admitted, check_plain_file, has_member
from snnc.compiler.emit.layout import GROUP, LAYERS
from snnc.compiler.netx.fields import NetxFields
from snnc.compiler.netx.network import NetxNetwork
from snnc.compiler.netx.read_chain import read_chain
from snnc.errors import FormatError, OptionError, first_line

TIMESTEPS_MAXIMUM = 1 << 20
# lava-dl's networks have a few millions; each takes some 40 bytes on its way through netx's conversions.
NUMBERS_MAXIMUM = 1 << 26


def is_netx(path: str | Path) -> bool:
    """Whether a file is netx of someone else's: it has netx's group and not ours. False for what cannot be read."""
    if not Path(path).is_file() or not h5py.is_hdf5(str(path)):
        return False
    try:
        with h5py.File(str(path), "r") as file:
            return has_member(file, LAYERS) and not has_member(file, GROUP)
    except (OSError, RuntimeError, KeyError):
        return False


def load_netx(path: str | Path, *, num_layers: int | None = None, skip_layers: int = 0) -> NetxNetwork:
    """Reads a netx file of lava-dl and checks all of it.

    Args:
        path: The file.
        num_layers: Read so many entries of it and leave out what is behind them, as netx does; None: all.
        skip_layers: Leave out so many of these at the beginning, whose output is then the input.

    Returns:
        What the file describes: input, convolutions and dense layers with LIF neurons.

    Raises:
        FormatError: The file cannot be read, contradicts itself, or holds something that is not supported.
        OptionError: There are not so many layers.
    """
    name = str(path)
    for option, value, least in (("num layers", num_layers, 1), ("skip layers", skip_layers, 0)):
        if value is not None and value < least:
            raise OptionError("is too small", where=option, expected=f"at least {least}", found=str(value))
    check_plain_file(path)
    if not h5py.is_hdf5(name):
        raise FormatError(
            "is not an HDF5 file, or is truncated", where=name, advice="give a .net file, of snnc compile or of lava-dl"
        )
    try:
        with h5py.File(name, "r") as file:
            Admitted(name, advice=NetxFields.ADVICE, texts=True, numbers=NUMBERS_MAXIMUM).check(file)
            return _read(NetxFields(file, name), num_layers, skip_layers)
    # What h5py raises on damaged files.
    except (OSError, RuntimeError, KeyError, MemoryError, TypeError, ValueError) as error:
        raise FormatError("is damaged", where=name, found=first_line(error), advice=NetxFields.ADVICE) from error


def _read(root: NetxFields, num_layers: int | None, skip_layers: int) -> NetxNetwork:
    if root.has(GROUP):
        raise root.error("was written by snnc, and is more than netx")
    timesteps = None
    if root.has("simulation"):
        simulation = root.group("simulation")
        simulation.ignore("Ts")
        if simulation.has("tSample"):
            timesteps = simulation.whole("tSample", 1, TIMESTEPS_MAXIMUM)
        simulation.finish()
    layers = root.group(LAYERS)
    entries = layers.groups()
    root.finish()
    return read_chain(layers, entries, num_layers=num_layers, skip_layers=skip_layers, timesteps=timesteps)
