"""Finds and calls what ``--arch module:factory`` names."""

from __future__ import annotations

import copy

from torch import nn

from snnc.errors import OptionError
from snnc.references import follow, is_reference, working_directory_first

_EXPECTED = "module:factory, such as mynet:Net, where mynet.py defines Net"


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
    if not is_reference(arch):
        raise OptionError("cannot be understood", where="--arch", expected=_EXPECTED, found=repr(arch))
    with working_directory_first():
        factory = follow(arch, where="--arch", error=OptionError)
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
