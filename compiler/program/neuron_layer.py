"""What layers of all kinds of neurons have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass


def named_place(modules: tuple[str, ...]) -> str:
    """Modules as errors name them: ``module features.3``, ``modules 7 + 10 + 11``; nothing for none."""
    if not modules:
        return ""
    return f"module{'s' if len(modules) > 1 else ''} {' + '.join(modules)}"


@dataclass(frozen=True, eq=False)
class NeuronLayer:
    """A population of neurons.

    Attributes:
        name: Unique; the name of the IR node.
        modules: Qualified names of the PyTorch modules that went into it.
        shape: (channels, height, width) or (features,).
    """

    name: str
    modules: tuple[str, ...]
    shape: tuple[int, ...]

    @property
    def where(self) -> str:
        """What errors call it: its modules, or its name where no module stands behind it."""
        return named_place(self.modules) or self.name

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def values(self) -> int:
        """Number of neurons that stand for a value of the ANN."""
        return self.neurons

    @property
    def is_readout(self) -> bool:
        """Whether its neurons only add up: their sum is the result."""
        raise NotImplementedError
