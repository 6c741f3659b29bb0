"""Finds and calls what ``--arch module:factory`` names."""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib
import sys
from collections.abc import Iterator

from torch import nn

from snnc.errors import OptionError

__all__ = ["build_network", "working_directory_first"]

_EXPECTED = "module:factory, such as mynet:Net, where mynet.py defines Net"


@contextlib.contextmanager
def working_directory_first() -> Iterator[None]:
    """Let modules be imported from the working directory first, as ``python -m`` does, and undo it afterwards."""
    before = list(sys.path)
    sys.path.insert(0, "")
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


def build_network(arch: str) -> nn.Module:
    """Build the network that ``arch`` names. This runs the code of its module: the user asked for it by name.

    Args:
        arch: ``module:factory``: a module, searched in the working directory first, and in it a callable without
            arguments that returns a network (a class will do), or a network. Names may be dotted on both sides.

    Returns:
        A network of the caller's own: where ``arch`` names a network, a copy of it.

    Raises:
        OptionError: The text is malformed; the module or name does not exist; importing or calling it raises; what
            it returns is not a torch.nn.Module.
    """
    module_name, colon, factory_name = arch.partition(":")
    parts = [*module_name.split("."), *factory_name.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise OptionError("cannot be understood", where="--arch", expected=_EXPECTED, found=repr(arch))
    with working_directory_first():
        factory = _find(module_name, factory_name)
        if isinstance(factory, nn.Module):
            return copy.deepcopy(factory)
        if not callable(factory):
            raise OptionError(
                f"{arch} cannot be called",
                where="--arch",
                expected="a callable that returns a torch.nn.Module, or such a module",
                found=f"a {type(factory).__name__}",
            )
        try:
            network = factory()
        except Exception as error:
            raise OptionError(
                f"calling {arch} without arguments failed",
                where="--arch",
                found=f"{type(error).__name__}: {error}",
                advice="name a callable that needs no arguments and returns the network",
            ) from error
    if not isinstance(network, nn.Module):
        raise OptionError(
            f"{arch} returned no network",
            where="--arch",
            expected="a torch.nn.Module",
            found=f"a {type(network).__name__}",
        )
    return network


def _find(module_name: str, factory_name: str) -> object:
    """Import the module and follow the name in it."""
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and (module_name + ".").startswith(f"{error.name}.")
        raise OptionError(
            f"there is no module {module_name}" if missing else f"importing {module_name} failed",
            where="--arch",
            found=None if missing else f"{type(error).__name__}: {error}",
            advice="run snnc in the folder that holds it, or install it" if missing else None,
        ) from error
    try:
        return functools.reduce(getattr, factory_name.split("."), module)
    except AttributeError as error:
        raise OptionError(f"the module {module_name} has no {factory_name}", where="--arch") from error
