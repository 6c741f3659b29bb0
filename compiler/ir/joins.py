"""Operations that join several values into one."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from snnc.compiler.ir.ops import Operation, Shape


@dataclass(frozen=True, eq=False)
class Add(Operation):
    """Sum of two or more values of one shape: where a residual network's paths meet."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """The shape that all inputs have."""
        if len(set(inputs)) != 1:
            raise ValueError(f"expected inputs of one shape, found {' and '.join(map(str, inputs))}")
        return inputs[0]

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The sum."""
        total, *others = inputs
        for other in others:
            total = total + other
        return total


@dataclass(frozen=True, eq=False)
class Concat(Operation):
    """Several values one behind the other along the channel axis (the first)."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """(sum of the channels, *common rest)."""
        if len({shape[1:] for shape in inputs}) != 1:
            raise ValueError(f"expected inputs that differ in channels only, found {' and '.join(map(str, inputs))}")
        return (sum(shape[0] for shape in inputs), *inputs[0][1:])

    def apply(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The joined values."""
        return torch.cat(inputs, dim=1)
