"""The package ``nir``, which not everybody has."""

from __future__ import annotations

import importlib
from typing import Any

from snnc.errors import OptionError

__all__ = ["nir_package"]


def nir_package(where: str) -> Any:
    """The package.

    Args:
        where: The file that it is needed for.

    Raises:
        OptionError: It is not installed.
    """
    try:
        return importlib.import_module("nir")
    except ImportError as error:
        raise OptionError("NIR graphs need the package nir", where=where, advice="pip install nir") from error
