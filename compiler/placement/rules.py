"""What a core can hold, one small rule each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from snnc.compiler.placement.cut import IntegerArray
from snnc.compiler.placement.demand import Demand
from snnc.compiler.targets import Target


@dataclass(frozen=True)
class Rule:
    """A limit of a core.

    Attributes:
        name: What is limited.
        used: What each block uses.
        available: What a core has; None where the maker has not published it.
        advice: What to change where one neuron alone takes more.
    """

    name: str
    used: Callable[[Demand], IntegerArray]
    available: Callable[[Target], int | None]
    advice: str

    def load(self, demand: Demand, target: Target) -> float:
        """The largest share of what is available that a block uses; 0 where nothing is published."""
        limit = self.available(target)
        return 0.0 if limit is None else float(self.used(demand).max()) / limit


RULES = (
    Rule(
        "neurons",
        lambda demand: demand.neurons,
        lambda target: target.neurons_per_core,
        "choose another target",
    ),
    Rule(
        "input axons",
        lambda demand: demand.input_axons,
        lambda target: target.input_axons_per_core,
        "let each neuron read fewer others: pool before this layer, or make the one before it narrower",
    ),
    Rule(
        "output axons",
        lambda demand: demand.output_axons,
        lambda target: target.output_axons_per_core,
        "let fewer layers read this one, or make those behind it smaller",
    ),
    Rule(
        "synaptic memory in bytes",
        lambda demand: demand.memory,
        lambda target: target.memory_per_core,
        "make this layer's kernels or the layer before it smaller",
    ),
)
