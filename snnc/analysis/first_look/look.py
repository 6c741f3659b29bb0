"""Looks at a model file: what it holds, on which samples it runs, and whether it can be compiled."""

from __future__ import annotations

import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from snnc.analysis.first_look.shapes import input_shapes, recognised, weights_of
from snnc.common.errors import ModelError, SnncError
from snnc.compiler.frontend import trace
from snnc.compiler.frontend.files.load import read_state
from snnc.compiler.ir import Graph, IntegrateAndFire, ReLU, Shape
from snnc.inputs.data import as_module

__all__ = ["FirstLook", "array_file", "look_at_model", "usual_data"]

_USUAL: dict[tuple[Shape, int], str] = {
    ((1, 8, 8), 10): "digits",
    ((1, 28, 28), 10): "mnist:ROOT",
    ((3, 32, 32), 10): "cifar10:ROOT",
    ((3, 32, 32), 100): "cifar100:ROOT",
    ((3, 224, 224), 1000): "imagenet:ROOT",
}
_ARRAYS = ("x_train.npy", "x.npy")
# A folder may hold any number of files.
_FILES_MAXIMUM = 100


def usual_data(shape: Shape | None, classes: int) -> str | None:
    """Return the well-known data set with such images and so many classes, as ``--calib`` takes it; None for none."""
    return None if shape is None else _USUAL.get((shape, classes))


def array_file(folder: Path, shape: Shape) -> Path | None:
    """Return an .npz file in a folder that holds samples of a shape, found by the headers of its arrays; None for none.

    Args:
        folder: Where to look.
        shape: Of one sample.
    """
    for path in sorted(folder.glob("*.npz"))[:_FILES_MAXIMUM]:
        if _sample_shape(path) == shape:
            return path
    return None


def _sample_shape(path: Path) -> Shape | None:
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(each for each in _ARRAYS if each in archive.namelist())
            with archive.open(name) as file:
                formats: Any = np.lib.format  # without types in old versions
                version = formats.read_magic(file)
                read = formats.read_array_header_1_0 if version == (1, 0) else formats.read_array_header_2_0
                size, _, _ = read(file)
    # Damage shows as any exception, out of zipfile, zlib or numpy; what is no array file is none for us.
    except Exception:  # noqa: BLE001
        return None
    return tuple(size[1:])


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
    """Look at a model file.

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
