"""Which shapes of samples a network takes, found by trying them with tensors that have sizes and no values."""

from __future__ import annotations

import contextlib
import copy
import io
import math

import torch
from torch import nn

from snnc.compiler.ir import Shape

__all__ = ["input_shapes", "weights_of"]

# Sides of square images: the usual ones of grey and of coloured images first, then others.
_GREY, _COLOURED = (28, 8, 32), (32, 224, 64)
SIDES = (28, 32, 8, 224, 64, 96, 16, 48, 128, 256, 299, 12, 20, 24, 36, 40, 56, 72, 80, 84, 112, 144, 160, 192, 384)
_SAMPLES = 2


def input_shapes(network: nn.Module) -> tuple[Shape, ...]:
    """The shapes of one sample, of those that are tried, on which a network runs; the likeliest first.

    Tried are square images of usual sizes, with as many channels as the first layer takes, and vectors of features.

    Args:
        network: The network; its code is run, on tensors without values.

    Returns:
        (channels, height, width) or (features,); nothing where none of them fits.
    """
    weight = next((each for each in weights_of(network) if each.ndim in (2, 4)), None)
    if weight is None:
        return ()
    candidates: list[Shape]
    if weight.ndim == 4:
        candidates = [(channels, side, side) for channels in _channels(network, weight) for side in _sides(channels)]
    else:
        features = int(weight.shape[1])
        # Behind a Flatten, features are the pixels of an image.
        images = [(count, *_square(features // count)) for count in (1, 3) if features % count == 0]
        candidates = [*(each for each in images if len(each) == 3), (features,)]
    try:
        without_values = copy.deepcopy(network).to("meta").eval()
    except Exception:  # noqa: BLE001 - what a user's own class raises
        return ()
    return tuple(each for each in candidates if _runs(without_values, each))


def weights_of(network: nn.Module) -> tuple[torch.Tensor, ...]:
    """What a network was trained to: its parameters, or the constants of one that a file describes as a graph."""
    parameters = tuple(network.parameters())
    return parameters or tuple(each for each in network.buffers() if each.is_floating_point())


def _sides(channels: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys((*(_COLOURED if channels == 3 else _GREY), *SIDES)))


def _channels(network: nn.Module, weight: torch.Tensor) -> tuple[int, ...]:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            return (module.in_channels,)
    # A convolution in a graph: its groups are not with its weight.
    return tuple(dict.fromkeys((int(weight.shape[1]), 1, 3)))


def _square(pixels: int) -> tuple[int, ...]:
    side = math.isqrt(pixels)
    return (side, side) if side * side == pixels and side > 1 else ()


def _runs(network: nn.Module, shape: Shape) -> bool:
    # torch.fx prints a traceback to stderr before it raises.
    with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
        output = network(torch.zeros(_SAMPLES, *shape, device="meta"))
        return isinstance(output, torch.Tensor) and output.ndim == 2 and len(output) == _SAMPLES
    return False
