"""Whether two networks have the same parameters and buffers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


def same_states(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor]) -> bool:
    """Whether two state_dicts are equal to the bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def same_networks(first: nn.Module, second: nn.Module) -> bool:
    """Whether the state_dicts of two networks are."""
    return same_states(first.state_dict(), second.state_dict())
