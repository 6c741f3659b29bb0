"""State_dicts: what is one, how it is loaded, and the network that ``--arch module:factory`` makes for it."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from snnc.common.errors import ModelError, OptionError
from snnc.common.import_path import follow, is_reference, working_directory_first

__all__ = ["build_network", "is_state_dict", "load_state", "without_parallel_prefix"]

_PARALLEL_PREFIX = "module."
_COMPILED_INFIX = "_orig_mod."
# What hooks and parametrisations of torch.nn.utils call the tensors that they compute a weight of.
_REPARAMETRISED = ("_orig", "_mask", "_g", "_v", "_u")
_NAMED_AT_MOST = 3


def is_state_dict(content: object) -> bool:
    """Say whether something is a state_dict: a mapping that is not empty, from names to tensors."""
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in content.items())
    )


def load_state(network: nn.Module, state: Mapping[str, torch.Tensor], where: str) -> None:
    """Load a state_dict into a network: every key has to fit.

    Keys that all start with ``module.``, as those of ``nn.DataParallel`` do, lose that prefix, unless the network's
    own keys have it. Values are converted to the network's types (half precision becomes float32).

    Args:
        network: The network, changed in place.
        state: The state_dict.
        where: The file it came from, for errors.

    Raises:
        ModelError: Keys are missing, unexpected, or have another shape or kind of number than the network's.
    """
    own = network.state_dict()
    cleaned = without_parallel_prefix(state, own)
    wrong = [problem for key in cleaned if key in own for problem in _misfit(key, cleaned[key], own[key])]
    missing: list[str] = []
    unexpected = [key for key in cleaned if key not in own]
    if not wrong:
        # Not strict, because torch's own error names all keys, which may be thousands.
        try:
            result = network.load_state_dict(cleaned, strict=False)
        except Exception as error:
            raise ModelError(
                "its state_dict does not fit --arch", where=where, found=f"{type(error).__name__}: {error}"
            ) from error
        missing, unexpected = result.missing_keys, result.unexpected_keys
    else:
        missing = [key for key in own if key not in cleaned]
    groups = [("missing", missing), ("unexpected", unexpected), ("of another shape or type", wrong)]
    found = "; ".join(f"{len(keys)} {what}: {_first_few(keys)}" for what, keys in groups if keys)
    if found:
        raise ModelError(
            "its state_dict does not fit --arch",
            where=where,
            found=found,
            advice=_advice(unexpected),
        )


def _advice(unexpected: Sequence[str]) -> str:
    if any(".parametrizations." in key or key.endswith(_REPARAMETRISED) for key in unexpected):
        return (
            "its weights were pruned or normalised by torch.nn.utils: do the same in --arch, or save the weights again "
            "after prune.remove, remove_weight_norm or parametrize.remove_parametrizations"
        )
    return "give the --arch that the state_dict was saved from"


def without_parallel_prefix(
    state: Mapping[str, torch.Tensor], own: Mapping[str, Any]
) -> OrderedDict[str, torch.Tensor]:
    """Copy a state_dict, without what ``nn.DataParallel`` and ``torch.compile`` put into its keys.

    That is a ``module.`` in front of all keys, and ``_orig_mod.`` anywhere in them. Versions of layers (``_metadata``)
    are kept.

    Args:
        state: The state_dict.
        own: That of the network it is for: where all its keys have the prefix, or one the infix, these stay.

    Returns:
        The copy; its tensors are the same ones.
    """
    infix = "" if any(_COMPILED_INFIX in key for key in own) else _COMPILED_INFIX
    own_has_prefix = len(own) > 0 and all(key.startswith(_PARALLEL_PREFIX) for key in own)
    strip = not own_has_prefix and all(key.replace(infix, "").startswith(_PARALLEL_PREFIX) for key in state)
    cut = len(_PARALLEL_PREFIX) if strip else 0
    cleaned = OrderedDict((key.replace(infix, "")[cut:], value) for key, value in state.items())
    metadata = getattr(state, "_metadata", None)
    if isinstance(metadata, Mapping) and all(isinstance(value, Mapping) for value in metadata.values()):
        # Layers look here for the version that wrote them: batch norm before 2 had no num_batches_tracked.
        versions = OrderedDict((str(key).replace(infix, "")[cut:], dict(value)) for key, value in metadata.items())
        vars(cleaned)["_metadata"] = versions
    return cleaned


def _misfit(key: str, given: torch.Tensor, own: object) -> list[str]:
    """Say how a tensor differs from the network's: a list of none or one."""
    if not isinstance(own, torch.Tensor) or isinstance(own, UninitializedParameter):
        return []
    if given.shape != own.shape:
        return [f"{key} {tuple(given.shape)} instead of {tuple(own.shape)}"]
    if own.is_floating_point() and not given.is_floating_point():
        return [f"{key} {given.dtype} instead of {own.dtype}"]
    return []


def _first_few(keys: Sequence[str]) -> str:
    """List the first keys, and leave the others out."""
    return ", ".join(keys[:_NAMED_AT_MOST]) + (", ..." if len(keys) > _NAMED_AT_MOST else "")


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
