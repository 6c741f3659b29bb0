"""Ways to choose a threshold from a distribution of activations: one file each, which registers its method.

To add one, write a file here whose name is the one that users give and whose docstring's first sentence is its help::

    @threshold_method("my-way", order=70)
    def my_way(distribution: Distribution, timesteps: int, objective: int = 1) -> Solution: ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snnc.common.registry import Registry

if TYPE_CHECKING:
    from snnc.compiler.conversion.solver.distribution import Distribution, Method, Solution


@dataclass(frozen=True)
class ThresholdMethod:
    """A method and its traits.

    Attributes:
        name: As users give it.
        order: Its place where methods are listed.
        solve: Finds threshold and potential for (distribution, T, m).
        minimises: Whether it makes the sum of |activation - rate| ** m least, so that m matters.
        objective: The m of the error that it looks at whatever is asked for; None: none, or the one asked for.
        tried_with: For which m ``auto`` tries it on the network, in this order; none: it does not.
    """

    name: str
    order: int
    solve: Method
    minimises: bool = False
    objective: int | None = None
    tried_with: tuple[int, ...] = ()

    def __call__(self, distribution: Distribution, timesteps: int, objective: int = 1) -> Solution:
        """Return the threshold and potential for a distribution."""
        return self.solve(distribution, timesteps, objective)

    def objective_met(self, asked: int) -> int | None:
        """Return the m of the error that the method makes small where m is asked for; None: it looks at no error."""
        return asked if self.minimises else self.objective


# Thresholds that a network was trained with: there is nothing to solve.
LEARNED = "learned"

METHODS: Registry[ThresholdMethod] = Registry(__name__, Path(__file__).parent)


def threshold_method(
    name: str, *, order: int, minimises: bool = False, objective: int | None = None, tried_with: tuple[int, ...] = ()
) -> Callable[[Method], Method]:
    """Return a decorator that registers a function as a method; see :class:`ThresholdMethod`."""

    def register(solve: Method) -> Method:
        METHODS.add(name, ThresholdMethod(name, order, solve, minimises, objective, tried_with))
        return solve

    return register


def searches() -> tuple[str, ...]:
    """Return the methods that minimise the error; for the others the objective only says in which unit it is told."""
    return tuple(name for name, method in METHODS.items() if method.minimises)
