"""``module:attribute``: how a user names something in Python code of their own.

Like :mod:`snnc.errors` this module imports nothing else of snnc, so that compiler and models can both use it.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from snnc.errors import SnncError


def is_reference(text: str) -> bool:
    """Whether a text is two Python names, perhaps dotted, with a colon between them."""
    module, colon, attribute = text.partition(":")
    return bool(colon) and all(part.isidentifier() for part in [*module.split("."), *attribute.split(".")])


@contextmanager
def working_directory_first() -> Iterator[None]:
    """Lets modules be imported from the working directory first, as ``python -m`` does, and undoes it afterwards."""
    before = list(sys.path)
    sys.path.insert(0, "")
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


def follow(reference: str, *, where: str, error: type[SnncError]) -> object:
    """Imports the module and follows the attribute's name in it. This runs the module's code.

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
