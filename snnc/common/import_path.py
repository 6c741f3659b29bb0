"""Objects that a text names, ``module:attribute``, where they are looked for, and packages that may be absent."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from snnc.common.errors import DataError, SnncError

__all__ = ["follow", "import_optional", "is_reference", "module_files", "working_directory_first"]


def is_reference(text: str) -> bool:
    """Return whether a text is two Python names, perhaps dotted, with a colon between them."""
    module, colon, attribute = text.partition(":")
    return bool(colon) and all(part.isidentifier() for part in [*module.split("."), *attribute.split(".")])


def module_files(reference: str) -> Iterator[Path]:
    """Yield the files of the module that a text names, and of the packages that it lies in; nothing is imported.

    Args:
        reference: ``module:attribute``, with the module searched in the working directory first.
    """
    folders: Sequence[str] | None = ["", *sys.path]
    for part in reference.partition(":")[0].split("."):
        found = PathFinder.find_spec(part, folders)
        if found is None:
            return
        if found.has_location and found.origin is not None:
            yield Path(found.origin)
        folders = found.submodule_search_locations
        if folders is None:
            return


@contextmanager
def working_directory_first() -> Iterator[None]:
    """Let modules be imported from the working directory first, as ``python -m`` does, and undo it afterwards."""
    before = list(sys.path)
    sys.path.insert(0, "")
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


def follow(reference: str, *, where: str, error: type[SnncError]) -> object:
    """Import the module and follow the attribute's name in it. This runs the module's code.

    Call it inside :func:`working_directory_first`, and whatever it gives too: modules import others when called.

    Args:
        reference: ``module:attribute``, as :func:`is_reference` takes it.
        where: What an error names as its place.
        error: The class of that error.

    Raises:
        SnncError: Of class ``error``: there is no such module or attribute, or importing the module raises.
    """
    module_name, _, attribute = reference.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as cause:  # whatever the user's own module raises
        missing = isinstance(cause, ModuleNotFoundError) and f"{module_name}.".startswith(f"{cause.name}.")
        raise error(
            f"there is no module {module_name}" if missing else f"importing {module_name} failed",
            where=where,
            found=None if missing else f"{type(cause).__name__}: {cause}",
            advice="run snnc in the folder that holds it, or install it" if missing else None,
        ) from cause
    try:
        return functools.reduce(getattr, attribute.split("."), module)
    except AttributeError as cause:
        raise error(f"the module {module_name} has no {attribute}", where=where) from cause


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
