"""Looks at a network from a file before anything goes through it: a short file can describe one that never ends."""

from __future__ import annotations

from collections import defaultdict

from torch import nn

from snnc.compiler.frontend.load_tensors import MalformedFileError

__all__ = ["check_amount"]

# Counted with repetition: a layer in which another one lies twice, in which another one lies twice, and so on.
LAYERS_MAXIMUM = 100_000
# How often the values of one storage may occur, each in tensors of its own; layers that share weights share tensors.
VIEWS_MAXIMUM = 4
# Bytes up to which tensors may share values as they like: a constant that stands for many channels.
SHARED_FREELY = 1 << 14


def check_amount(network: nn.Module) -> None:
    """Checks that a network is not much more than what was read for it.

    Args:
        network: As it was read.

    Raises:
        MalformedFileError: It has more layers, or its tensors more values, than any network that was saved.
        RecursionError: A layer lies in itself.
    """
    if _layers(network, {}) > LAYERS_MAXIMUM:
        raise MalformedFileError(f"its layers lie in one another more than {LAYERS_MAXIMUM:,} times")
    taken: dict[int, int] = defaultdict(int)
    stored: dict[int, int] = {}
    for tensor in (*network.parameters(), *network.buffers()):
        storage = tensor.untyped_storage()
        taken[storage.data_ptr()] += tensor.nbytes
        stored[storage.data_ptr()] = storage.nbytes()
    # Each tensor gets values of its own once the network is converted to single precision.
    if any(size > max(SHARED_FREELY, VIEWS_MAXIMUM * stored[place]) for place, size in taken.items()):
        raise MalformedFileError("its tensors share the same values again and again")


def _layers(module: nn.Module, known: dict[int, int]) -> int:
    """How many layers one goes through from here, with repetition."""
    if id(module) not in known:
        known[id(module)] = 1 + sum(_layers(each, known) for each in module.children())
    return known[id(module)]
