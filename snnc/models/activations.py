"""Activations that a network is trained with so that it converts well: they know the largest value they give.

A network made of them carries its thresholds, which ``snnc compile --threshold learned`` takes from it.

The compiler does not import this module. It knows an activation by two things, and any class that offers them is
taken (then with ``--trust`` where it comes out of a file):

- ``snnc_activation``, an attribute of the class: ``"clipped_relu"`` or ``"qcfs"``;
- ``threshold``, a tensor of one value above 0, and for ``"qcfs"`` also ``steps``, a whole number from 1 on.

What such a module computes is compared with the formulas below when it is traced.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from snnc.common.errors import OptionError

__all__ = ["QCFS", "ClippedReLU"]

# What Bu et al. start from; training moves it.
INITIAL_THRESHOLD = 8.0
STEPS = 8


class _Floor(torch.autograd.Function):
    """Rounds down; the gradient passes straight through (Bengio, Leonard, Courville 2013)."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        """Return the largest whole numbers that are not greater."""
        return values.floor()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        """Return the gradient as it comes."""
        return gradients[0]


class ClippedReLU(nn.Module):
    """Truncated rectified linear unit: ``min(max(x, 0), threshold)``.

    A spiking neuron cannot give more than its threshold in every step. A network that is trained with the same bound
    has no outliers that a conversion would cut off.

    Source: Deng and Gu: "Optimal conversion of conventional artificial neural networks to spiking neural networks",
    ICLR 2021, section 4 (there with a fixed threshold).

    Args:
        threshold: The bound to start with, > 0, in units of the activations.
        learnable: Train the bound; its gradient is that of all activations that it cuts off.

    Attributes:
        threshold: The bound, a tensor of shape (): a parameter where it is learnable, else a buffer.

    Raises:
        OptionError: The threshold is not a finite number above 0.
    """

    snnc_activation: ClassVar[str] = "clipped_relu"
    threshold: Tensor

    def __init__(self, threshold: float = INITIAL_THRESHOLD, *, learnable: bool = True) -> None:
        super().__init__()
        _check_threshold(threshold)
        value = torch.tensor(float(threshold))
        if learnable:
            self.threshold = nn.Parameter(value)
        else:
            self.register_buffer("threshold", value)

    def forward(self, values: Tensor) -> Tensor:
        """Truncate values of any shape."""
        return torch.minimum(values.relu(), self.threshold)

    def extra_repr(self) -> str:
        """Return the bound, for ``print(network)``."""
        return f"threshold={self.threshold.item():.4g}"


class QCFS(nn.Module):
    """Quantisation, clip, floor, shift: ``threshold * clip(floor(x steps / threshold + 1/2) / steps, 0, 1)``.

    A staircase from 0 to the threshold, which is what an integrate-and-fire neuron with that threshold, an initial
    potential of half of it and T = steps gives for a constant input: a network trained with it loses nothing there.
    The gradient takes the rounding for the identity, so the threshold is trained too.

    Source: Bu, Fang, Ding, Dai, Yu, Huang: "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking
    neural networks", ICLR 2022, equations 15 and 16.

    Args:
        steps: Number of steps L, at least 1.
        threshold: The largest value to start with, > 0, in units of the activations.

    Attributes:
        threshold: The largest value, a parameter of shape ().
        steps: Number of steps.

    Raises:
        OptionError: ``steps`` is not a whole number from 1 on, or the threshold not a finite number above 0.
    """

    snnc_activation: ClassVar[str] = "qcfs"

    def __init__(self, steps: int = STEPS, threshold: float = INITIAL_THRESHOLD) -> None:
        super().__init__()
        if not isinstance(steps, int) or steps < 1:
            raise OptionError("out of range", where="steps", expected="a whole number from 1 on", found=repr(steps))
        _check_threshold(threshold)
        self.steps = steps
        self.threshold = nn.Parameter(torch.tensor(float(threshold)))

    def forward(self, values: Tensor) -> Tensor:
        """Round values of any shape to the nearest step."""
        share = (values / self.threshold).clamp(0, 1)
        rounded: Tensor = _Floor.apply(share * self.steps + 0.5)  # type: ignore[no-untyped-call]
        return self.threshold * (rounded / self.steps)

    def extra_repr(self) -> str:
        """Return the steps and the largest value, for ``print(network)``."""
        return f"steps={self.steps}, threshold={self.threshold.item():.4g}"


def _check_threshold(threshold: float) -> None:
    if not 0 < threshold < math.inf:
        raise OptionError("out of range", where="threshold", expected="a number above 0", found=str(threshold))
