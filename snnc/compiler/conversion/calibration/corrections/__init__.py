"""Corrections of a layer from calibration data: one file each, which registers its function with its traits.

To add one, write a file here whose name is the one that users give and whose docstring's first sentence is its help::

    @correction("leak", order=60)
    def correct_leak(layer: LayerData, op: SpikingLayer | Readout) -> SpikingLayer | Readout: ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snnc.common.registry import Registry

if TYPE_CHECKING:
    from snnc.common.arrays import FloatArray
    from snnc.compiler.conversion.calibration.layer_data import LayerData
    from snnc.compiler.ir import Readout, SpikingLayer

    Correct = Callable[[LayerData, SpikingLayer | Readout], SpikingLayer | Readout]
    Parts = Callable[[FloatArray, int], tuple[FloatArray, FloatArray]]
    Windows = Callable[[LayerData, SpikingLayer | Readout], tuple[int, int]]

ALL = "all"


@dataclass(frozen=True)
class Correction:
    """A correction and its traits.

    Attributes:
        name: As users give it.
        order: Its place among the corrections that a layer gets: each sees what those before have done.
        correct: Corrects a layer.
        before_thresholds: Whether it comes before thresholds are chosen anew on what the layer receives.
        parts: Where it hands a part of the initial potentials out over the steps: gives, of potentials (channels,) and
            T, what is left before the first step and what comes in each. Candidates of thresholds are judged with it.
        windows: Where it fits as many numbers as a neuron has inputs: gives the windows that the data show of them, and
            their number; too few are told to the user. None seen and none needed where the layer is left alone.
        recommended: Whether it is among those that are advised where much is lost.
    """

    name: str
    order: int
    correct: Correct
    before_thresholds: bool = False
    parts: Parts | None = None
    windows: Windows | None = None
    recommended: bool = False

    def __call__(self, layer: LayerData, op: SpikingLayer | Readout) -> SpikingLayer | Readout:
        """Return the layer, corrected."""
        return self.correct(layer, op)


CORRECTIONS: Registry[Correction] = Registry(__name__, Path(__file__).parent)


def correction(
    name: str,
    *,
    order: int,
    before_thresholds: bool = False,
    parts: Parts | None = None,
    windows: Windows | None = None,
    recommended: bool = False,
) -> Callable[[Correct], Correct]:
    """Return a decorator that registers a function as a correction; see :class:`Correction`."""

    def register(correct: Correct) -> Correct:
        CORRECTIONS.add(name, Correction(name, order, correct, before_thresholds, parts, windows, recommended))
        return correct

    return register


def named_corrections(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names of corrections as users give them, one by one.

    Args:
        names: Names, or one text with commas between them; ``all`` stands for every correction there is.

    Returns:
        The names. Those that are unknown are among them.
    """
    given = names.split(",") if isinstance(names, str) else names
    chosen = tuple(filter(None, (each.strip() for each in given)))
    return tuple(CORRECTIONS) if ALL in chosen else chosen
