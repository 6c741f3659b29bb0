"""Networks that ask for absurd amounts of memory are refused before anything is computed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from snnc.common.errors import ModelError
from snnc.compiler.frontend import trace


@pytest.mark.parametrize(
    "layer",
    [
        nn.ZeroPad2d(10**6),
        nn.ZeroPad2d(10**12),
        nn.AdaptiveAvgPool2d(10**7),
        nn.Conv2d(3, 3, 1, padding=10**6),
        nn.ConvTranspose2d(3, 3, 1, stride=10**6),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_absurd_sizes_are_refused_by_name(layer: nn.Module) -> None:
    with pytest.raises(ModelError, match=r"^module 1: (a call gives more values|.*overflow)"):
        trace(nn.Sequential(nn.Conv2d(3, 3, 1), layer), (3, 8, 8))


def test_a_users_activation_is_not_run_without_values() -> None:
    class Counting(nn.Module):
        snnc_activation = "clipped_relu"
        devices: list[str] = []  # noqa: RUF012

        def __init__(self) -> None:
            super().__init__()
            self.threshold = nn.Parameter(torch.ones(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.devices.append(x.device.type)
            return x.clamp(min=0).minimum(self.threshold)

    trace(nn.Sequential(nn.Flatten(), nn.Linear(4, 2), Counting()), (1, 2, 2))
    assert set(Counting.devices) == {"cpu"}
