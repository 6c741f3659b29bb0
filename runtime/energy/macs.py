"""Multiply-accumulates of an ANN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from snnc.errors import OptionError, UnsupportedError


def count_macs(module: nn.Module, input_shape: tuple[int, ...]) -> dict[str, int]:
    """Counts the multiply-accumulates of each convolution and linear layer, for one input.

    One image of zeros runs through the module. Each output value of a layer costs one multiply-accumulate per weight
    that reaches it; weights that meet zero padding count, as the convention is. Biases, batch normalisation (which
    folds into the weights), pooling and activations count nothing. Operations called as functions
    (``torch.nn.functional.conv2d`` with weights that no module owns, ``torch.matmul``) cannot be seen.

    Args:
        module: A network of ``nn.Conv2d`` and ``nn.Linear`` layers; any other layer may be in it that has no
            weights of two dimensions or more. It is left in the mode it was in, submodule by submodule.
        input_shape: Shape of one input without the batch dimension, such as ``(3, 32, 32)``.

    Returns:
        Multiply-accumulates by qualified module name, in the order of ``module.named_modules()``; a layer that is
        run several times counts each time, one that is not run counts 0. The sum is the network's total.

    Raises:
        UnsupportedError: A layer has weights whose operations this function cannot count.
        OptionError: The module cannot take an input of that shape.
    """
    counts: dict[str, int] = {}
    handles = []
    modes = [(part, part.training) for part in module.modules()]
    try:
        for name, part in module.named_modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                counts[name] = 0
                handles.append(part.register_forward_hook(_counter(counts, name)))
            elif any(parameter.ndim >= 2 for parameter in part.parameters(recurse=False)):
                raise UnsupportedError(
                    "cannot count the operations of this layer",
                    where=name or "the network itself",
                    expected="weights in Conv2d and Linear layers only",
                    found=type(part).__name__,
                )
        module.eval()
        _run(module, input_shape)
    finally:
        for handle in handles:
            handle.remove()
        for part, training in modes:
            part.training = training
    return counts


def _counter(counts: dict[str, int], name: str) -> Callable[[nn.Module, tuple[Any, ...], Tensor], None]:
    def hook(part: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> None:
        # A row of the weight holds all weights that reach one output value, groups already taken into account.
        weight = part.get_parameter("weight")
        counts[name] += output.numel() * weight[0].numel()

    return hook


def _run(module: nn.Module, input_shape: tuple[int, ...]) -> None:
    parameter = next(module.parameters(), None)
    image = torch.zeros(
        (1, *input_shape),
        dtype=torch.float32 if parameter is None else parameter.dtype,
        device="cpu" if parameter is None else parameter.device,
    )
    try:
        with torch.no_grad():
            module(image)
    # A shape that does not fit shows as RuntimeError in the layers, as ValueError or IndexError in batch
    # normalisation and reshapes.
    except (RuntimeError, ValueError, IndexError) as error:
        raise OptionError(
            "the network does not take an input of this shape",
            where="input_shape",
            found=str(tuple(input_shape)),
            advice=f"torch says: {error}",
        ) from error
