"""Looks at a model file: what it holds, on which samples it runs, and whether it can be compiled."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from snnc.compiler.frontend import trace
from snnc.compiler.frontend.load import read_state
from snnc.compiler.ir import Graph, IntegrateAndFire, ReLU, Shape
from snnc.errors import ModelError, SnncError
from snnc.first_look.data import array_file, usual_data
from snnc.first_look.shapes import input_shapes, weights_of
from snnc.first_look.weights import recognised
from snnc.inputs import as_module

__all__ = ["FirstLook", "look_at_model"]


@dataclass(frozen=True)
class FirstLook:
    """What was found in a model file.

    Attributes:
        arch: The network that a state_dict belongs to, as ``--arch`` takes it; None where the file holds the network.
        others: Further networks that it may belong to, since weights do not say all.
        parameters: Number of trained values.
        layers: How many of each kind the traced network has, such as ``{"conv2d": 3}``; empty if it was not traced.
        shapes: Of one sample, those that it runs on, the likeliest first; empty where none was found.
        classes: Number of outputs; None if unknown.
        learned: Whether all activations carry thresholds.
        timesteps: T that these were trained for, or the steps of the staircases; None where there are none.
        data: Data of that shape: a file beside the model, or a well-known data set; None where none is known.
        problem: Why it cannot be compiled as it is; None if nothing is known against it.
    """

    arch: str | None
    others: tuple[str, ...]
    parameters: int
    layers: dict[str, int]
    shapes: tuple[Shape, ...]
    classes: int | None
    learned: bool
    timesteps: int | None
    data: str | None
    problem: str | None

    @property
    def shape(self) -> Shape | None:
        """The likeliest shape of one sample."""
        return self.shapes[0] if self.shapes else None


def look_at_model(path: Path, *, arch: str | None = None, trust: bool = False) -> FirstLook:
    """Looks at a model file.

    Args:
        path: The file, of any format that ``snnc compile`` reads.
        arch: As for ``snnc compile``; a state_dict of one of our networks needs none.
        trust: As for ``snnc compile``.

    Raises:
        SnncError: The file cannot be read, or holds a state_dict of an unknown network.
    """
    network, names = _network(path, arch, trust=trust)
    shapes = input_shapes(network)
    graph, problem = _traced(network, shapes)
    activations = [node.op for node in graph.of_kind(ReLU, IntegrateAndFire)] if graph else []
    learned = [each for each in activations if isinstance(each, ReLU) and each.learned(1) is not None]
    shape = shapes[0] if shapes else None
    classes = graph.output.shape[0] if graph else None
    beside = array_file(path.parent, shape) if shape else None
    return FirstLook(
        arch=names[0] if names else None,
        others=names[1:],
        parameters=sum(each.numel() for each in weights_of(network)),
        layers=dict(Counter(node.op.kind for node in graph)) if graph else {},
        shapes=shapes,
        classes=classes,
        learned=bool(activations) and len(learned) == len(activations),
        timesteps=_timesteps(learned),
        data=beside.name if beside else usual_data(shape, classes or 0),
        problem=problem,
    )


def _network(path: Path, arch: str | None, *, trust: bool) -> tuple[nn.Module, tuple[str, ...]]:
    try:
        return as_module(path, arch=arch, trust=trust), () if arch is None else (arch,)
    except ModelError as error:
        if arch is not None:
            raise
        try:
            found = tuple(map(str, recognised(read_state(path, trust=trust))))
        except SnncError:
            found = ()  # no weights either: what was wrong at first says more
        if not found:
            raise error from None
        return as_module(path, arch=found[0]), found


def _traced(network: nn.Module, shapes: tuple[Shape, ...]) -> tuple[Graph | None, str | None]:
    if not shapes:
        return None, None
    try:
        return trace(network, shapes[0]), None
    except SnncError as error:
        return None, str(error)


def _timesteps(learned: list[ReLU]) -> int | None:
    steps = {each.timesteps if isinstance(each, IntegrateAndFire) else each.steps for each in learned}
    return next(iter(steps)) if len(steps) == 1 else None
