"""Looks a NIR file over before the package ``nir`` reads it, which takes whatever stands there."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import h5py

from snnc.common.errors import OptionError
from snnc.program.net.hdf5_safety import Admitted

__all__ = ["check_nir_file", "looks_like_nir", "nir_package"]


def nir_package(where: str) -> Any:
    """Return the package.

    Args:
        where: The file that it is needed for.

    Raises:
        OptionError: It is not installed.
    """
    try:
        return importlib.import_module("nir")
    except ImportError as error:
        raise OptionError("NIR graphs need the package nir", where=where, advice="pip install nir") from error


def looks_like_nir(path: str | Path) -> bool:
    """Return whether a file is HDF5 with the two entries that NIR's files have at the top."""
    try:
        if not Path(path).is_file():
            return False
        with h5py.File(path, "r") as file:
            return set(file) >= {"node", "version"}
    # What h5py raises on damaged files, which whoever reads them says more about.
    except (OSError, RuntimeError, KeyError, MemoryError, TypeError, ValueError):
        return False


def check_nir_file(file: h5py.File, name: str) -> None:
    """Go through all of an open file.

    Args:
        file: The file.
        name: Its name, for errors.

    Raises:
        FormatError: It holds something that NIR's files do not have, or more than it can.
    """
    Admitted(name, expected="a NIR file as the package nir writes", texts=True).check(file)
