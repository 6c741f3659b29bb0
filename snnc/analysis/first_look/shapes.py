"""Which of our networks a state_dict belongs to."""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import math
from collections import Counter
from collections.abc import Iterator, Mapping

import torch
from torch import nn

from snnc import models
from snnc.common.errors import OptionError
from snnc.compiler.frontend.files.state import without_parallel_prefix
from snnc.compiler.ir import Shape
from snnc.inputs.architectures import NAMES, Architecture
from snnc.models.parts import ACTIVATIONS, POOLINGS

__all__ = ["input_shapes", "recognised", "weights_of"]

# Sides of square images: the usual ones of grey and of coloured images first, then others.
_GREY, _COLOURED = (28, 8, 32), (32, 224, 64)
SIDES = (28, 32, 8, 224, 64, 96, 16, 48, 128, 256, 299, 12, 20, 24, 36, 40, 56, 72, 80, 84, 112, 144, 160, 192, 384)
_SAMPLES = 2


def input_shapes(network: nn.Module) -> tuple[Shape, ...]:
    """Return the shapes of one sample, of those that are tried, on which a network runs; the likeliest first.

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
    """Return what a network was trained to: its parameters, or the constants of one that a file has as a graph."""
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


def recognised(state: Mapping[str, torch.Tensor]) -> tuple[Architecture, ...]:
    """Return the networks of ours whose tensors have the same names and shapes.

    There may be several: pooling has no weights, and thresholds look alike whatever the activation does with them.

    Args:
        state: The state_dict.

    Returns:
        All variants of the first network that fits, those that differ least from its defaults first.
    """
    matrices = [each for each in state.values() if each.ndim == 2]
    if not matrices:
        return ()
    for name in NAMES:
        found = tuple(each for each in _variants(name, int(matrices[-1].shape[0])) if _fits(each, state))
        if found:
            return found
    return ()


def _variants(name: str, classes: int) -> Iterator[Architecture]:
    choices = inspect.signature(getattr(models, name)).parameters
    # What is the network's own is not said.
    number = None if choices["num_classes"].default == classes else classes
    for activation in (None, *(each for each in ACTIVATIONS if each != choices["activation"].default)):
        yield Architecture(name, number, activation)
        if "pooling" in choices:
            for pooling in POOLINGS:
                if pooling != choices["pooling"].default:
                    yield Architecture(name, number, activation, pooling)


def _fits(candidate: Architecture, state: Mapping[str, torch.Tensor]) -> bool:
    try:
        # Sizes without values: some of the networks have a hundred million weights.
        with torch.device("meta"):
            own = candidate.build().state_dict()
    except OptionError:
        return False
    return _sizes(without_parallel_prefix(state, own)) == _sizes(own)


def _sizes(state: Mapping[str, torch.Tensor]) -> Counter[tuple[str, tuple[int, ...]]]:
    # Counters of batches are missing in old files.
    return Counter(
        (name, tuple(each.shape)) for name, each in state.items() if not name.endswith("num_batches_tracked")
    )
