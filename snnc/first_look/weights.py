"""Which of our networks a state_dict belongs to."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator, Mapping

import torch

from snnc import models
from snnc.architectures import NAMES, Architecture
from snnc.compiler.frontend.load_state import without_parallel_prefix
from snnc.errors import OptionError
from snnc.models.choices import ACTIVATIONS, POOLINGS

__all__ = ["recognised"]


def recognised(state: Mapping[str, torch.Tensor]) -> tuple[Architecture, ...]:
    """The networks of ours whose tensors have the same names and shapes.

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
