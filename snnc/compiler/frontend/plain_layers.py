"""A network's own copy, with plain layers: weights as numbers, and nothing wrapped around modules.

What ``torch.compile`` and ``nn.DataParallel`` wrap around a module computes the same. Weight normalisation, spectral
normalisation, pruning and other parametrisations compute a layer's weights of other tensors on every call: at inference
always the same ones, which are taken.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from snnc.common.errors import ModelError, UnsupportedError, first_line

__all__ = ["check_not_quantized", "copied", "unwrapped", "with_plain_layers"]

# Where torch keeps what quantises a network, or prepares it for that.
_QUANTIZED = ("torch.ao.", "torch.nn.quantized.", "torch.nn.qat.", "torch.nn.intrinsic.", "torch.quantization.")
# They compute nothing before a network is quantised.
_STUBS = ("QuantStub", "DeQuantStub", "QuantWrapper")
_NAMED_AT_MOST = 3


def unwrapped(network: nn.Module) -> nn.Module:
    """Return what ``torch.compile`` or ``nn.DataParallel`` wrapped; any other module as it is."""
    while True:
        # By name: importing the class takes as long as importing torch once more.
        if type(network).__name__ == "OptimizedModule" and isinstance(network._modules.get("_orig_mod"), nn.Module):
            network = cast(nn.Module, network._modules["_orig_mod"])
        elif isinstance(network, nn.DataParallel):
            network = network.module
        else:
            return network


def copied(module: nn.Module) -> nn.Module:
    """Return a copy of a network, unwrapped, in evaluation mode, in float32.

    Raises:
        ModelError: It has lazy layers that were never run, or cannot be copied.
    """
    module = unwrapped(module)
    # What hooks computed of parameters and left on modules: it may be copied without its history.
    computed: dict[int, object] = {}
    for path, part in module.named_modules():
        if any(is_lazy(parameter) for parameter in part.parameters(recurse=False)):
            raise ModelError(
                f"{type(part).__name__} has no parameters yet", where=path, advice="run the network once, then train it"
            )
        for value in vars(part).values():
            if isinstance(value, torch.Tensor) and not value.is_leaf:
                computed[id(value)] = value.detach().clone()
    try:
        network = copy.deepcopy(module, computed)
    except Exception as error:  # whatever the copied objects raise
        raise ModelError(
            f"the network cannot be copied: {first_line(error)}",
            where=type(module).__name__,
            advice="give it no attributes that copy.deepcopy refuses, such as open files; keep tensors as buffers, "
            "or detach() them",
        ) from error
    for part in list(network.modules()):
        for name, child in part.named_children():
            if unwrapped(child) is not child:
                setattr(part, name, unwrapped(child))
    return network.eval().float()


def check_not_quantized(network: nn.Module) -> None:
    """Check that a network is one of floating-point numbers.

    Raises:
        UnsupportedError: It was quantised by torch, or prepared for that, as in quantisation-aware training.
    """
    found = [
        f"{path or 'the network'}: {type(module).__name__}"
        for path, module in network.named_modules()
        if type(module).__module__.startswith(_QUANTIZED) and type(module).__name__ not in _STUBS
    ]
    if found:
        more = f" and {len(found) - _NAMED_AT_MOST} more" if len(found) > _NAMED_AT_MOST else ""
        raise UnsupportedError(
            "the network was quantised by torch, or prepared for that (quantisation-aware training)",
            expected="layers of floating-point numbers",
            found=", ".join(found[:_NAMED_AT_MOST]) + more,
            advice="compile the network as it was before torch.ao.quantization changed it: snnc rounds it itself; "
            "weights of quantisation-aware training fit it: load_state_dict(state, strict=False)",
        )


def with_plain_layers(network: nn.Module) -> nn.Module:
    """Return a network whose layers have their weights as parameters: the same one, where they have them already.

    Args:
        network: In evaluation mode; it is left as it is.

    Raises:
        ModelError: torch cannot compute the weights of a layer.
    """
    if not any(_reparametrized(part) for part in network.modules()):
        return network
    network = copied(network)
    for path, part in list(network.named_modules()):
        try:
            _make_plain(part)
        except Exception as error:  # whatever a user's own parametrisation raises
            raise ModelError(
                f"the weights of {type(part).__name__} cannot be computed: {first_line(error)}",
                where=path,
                advice="make them plain before saving: torch.nn.utils.remove_weight_norm, "
                "torch.nn.utils.prune.remove or torch.nn.utils.parametrize.remove_parametrizations",
            ) from error
    return network


def _hooks(module: nn.Module) -> list[object]:
    return [
        hook
        for hook in module._forward_pre_hooks.values()
        if isinstance(hook, WeightNorm | SpectralNorm | prune.BasePruningMethod)
    ]


def _reparametrized(module: nn.Module) -> bool:
    return bool(_hooks(module)) or parametrize.is_parametrized(module)


def _make_plain(module: nn.Module) -> None:
    for hook in _hooks(module):
        if isinstance(hook, WeightNorm):
            remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            remove_spectral_norm(module, hook.name)
        elif isinstance(hook, prune.BasePruningMethod):
            prune.remove(module, hook._tensor_name)  # type: ignore[no-untyped-call]
    if parametrize.is_parametrized(module):
        # torch's own function would change the class, which the original has too.
        with torch.no_grad():
            weights = {name: getattr(module, name).detach().clone() for name in _parametrized(module)}
        module.__class__ = parametrize.type_before_parametrizations(module)
        del module.parametrizations
        for name, weight in weights.items():
            module.register_parameter(name, nn.Parameter(weight))


def _parametrized(module: nn.Module) -> list[str]:
    return list(cast(nn.ModuleDict, module.parametrizations))
