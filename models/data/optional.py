"""Imports packages that not every kind of data needs."""

from __future__ import annotations

import importlib
from typing import Any

from snnc.errors import DataError

__all__ = ["import_optional"]


def import_optional(module: str, package: str, where: str) -> Any:
    """Import a module, or say what to install.

    Args:
        module: The module's full name.
        package: The package to install where it is missing.
        where: The spec that needs it, for the error.

    Returns:
        The module.

    Raises:
        DataError: It cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError, RuntimeError) as error:
        # torchvision raises RuntimeError where it does not belong to the installed torch.
        raise DataError(
            f"reading it needs {package}, which cannot be imported",
            where=where,
            found=str(error),
            advice=f"install it: pip install {package}",
        ) from error
