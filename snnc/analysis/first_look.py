"""A first look at a model file: which network it is, on which samples it runs, and whether it can be compiled.

``snnc init`` takes it: shapes of samples are found by running the network on tensors without values, and a state
dictionary belongs to the network of ours whose tensors have the same names and shapes.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import math
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from snnc import models
from snnc.analysis.calibration_data import LOOKED_AT, normalisation_fit
from snnc.common.errors import ModelError, OptionError, SnncError, UnsupportedError
from snnc.compiler.frontend import refusal, trace
from snnc.compiler.frontend.files.load import read_state
from snnc.compiler.frontend.files.state import without_parallel_prefix
from snnc.compiler.frontend.plain_layers import copied, with_plain_layers
from snnc.compiler.ir import Graph, Input, IntegrateAndFire, ReLU, Shape
from snnc.inputs.architectures import NAMES, Architecture
from snnc.inputs.data import as_module, calibration_data, raw_values
from snnc.models.data.dataset import Normalisation, kept_normalisation
from snnc.models.data.sources import npz
from snnc.models.parts import ACTIVATIONS, POOLINGS
from snnc.program.verdict import NormalisationFit

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
                size, _ = npz.header(file)
    # Damage shows as any exception, out of zipfile, zlib or numpy; what is no array file is none for us.
    except Exception:  # noqa: BLE001
        return None
    return size[1:]


@dataclass(frozen=True)
class FirstLook:
    """What was found in a model file.

    Attributes:
        arch: The network that a state_dict belongs to, as ``--arch`` takes it; None where the file holds the network.
        others: Further networks that it may belong to, since weights do not say all.
        parameters: Number of trained values; 0 where the file's network cannot be put together.
        layers: How many of each kind the traced network has, such as ``{"conv2d": 3}``; empty if it was not traced.
        shapes: Of one sample, those that it runs on, the likeliest first; empty where none was found.
        classes: Number of outputs; None if unknown.
        learned: Whether all activations carry thresholds.
        timesteps: T that these were trained for, or the steps of the staircases; None where there are none.
        data: Data of that shape: a file beside the model, or a well-known data set; None where none is known.
        problem: Why it cannot be compiled as it is; None if nothing is known against it.
        kept: The mean and standard deviation that the model keeps of its training; None where it keeps none.
        fit: How those data would arrive at the first batch normalisation, with what the model keeps, or as they are;
            None where there is none, or no data.
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
    kept: Normalisation | None = None
    fit: NormalisationFit | None = None

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
        SnncError: The file cannot be read, or holds a state_dict of an unknown network. What only cannot be compiled
            is a problem that is returned.
    """
    try:
        network, names = _network(path, arch, trust=trust)
    except UnsupportedError as error:
        return _refused(arch, str(error))
    shapes = input_shapes(network)
    graph, problem = _traced(network, shapes)
    activations = [node.op for node in graph.of_kind(ReLU, IntegrateAndFire)] if graph else []
    learned = [each for each in activations if isinstance(each, ReLU) and each.learned(1) is not None]
    shape = shapes[0] if shapes else None
    classes = graph.output.shape[0] if graph else None
    beside = array_file(path.parent, shape) if shape else None
    data = beside.name if beside else usual_data(shape, classes or 0)
    kept = kept_normalisation(network)
    return FirstLook(
        arch=names[0] if names else None,
        others=names[1:],
        parameters=sum(each.numel() for each in weights_of(network)),
        layers=dict(Counter(node.op.kind for node in graph)) if graph else {},
        shapes=shapes,
        classes=classes,
        learned=bool(activations) and len(learned) == len(activations),
        timesteps=_timesteps(learned),
        data=data,
        problem=problem,
        kept=kept,
        fit=_fit(graph, str(beside or data), kept) if graph and data else None,
    )


def _refused(arch: str | None, problem: str) -> FirstLook:
    """Return what is known of a file whose network cannot be put together."""
    return FirstLook(
        arch=arch,
        others=(),
        parameters=0,
        layers={},
        shapes=(),
        classes=None,
        learned=False,
        timesteps=None,
        data=None,
        problem=problem,
    )


def _fit(graph: Graph, data: str, kept: Normalisation | None) -> NormalisationFit | None:
    """Return how samples of data would arrive at the first batch normalisation; None where they cannot be read."""
    try:
        raw = raw_values(calibration_data(data, LOOKED_AT))
    except SnncError:
        return None  # a guess was wrong, or a data set is not there yet
    if raw.shape[1:] != graph.of_kind(Input)[0].shape:
        return None
    return normalisation_fit(graph, raw, *((kept.mean, kept.std) if kept else ((0.0,), (1.0,))))


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
        found = refusal(network)
        return None, None if found is None else str(found)
    try:
        return trace(network, shapes[0]), None
    except SnncError as error:
        return None, str(error)


def _timesteps(learned: list[ReLU]) -> int | None:
    steps = {each.timesteps if isinstance(each, IntegrateAndFire) else each.steps for each in learned}
    return next(iter(steps)) if len(steps) == 1 else None


# Sides of square images: the usual ones of grey and of coloured images first, then others.
_GREY, _COLOURED = (28, 8, 32), (32, 224, 64)
SIDES = (28, 32, 8, 224, 64, 96, 16, 48, 128, 256, 299, 12, 20, 24, 36, 40, 56, 72, 80, 84, 112, 144, 160, 192, 384)
_SAMPLES = 2


def input_shapes(network: nn.Module) -> tuple[Shape, ...]:
    """Return the shapes of one sample, of those that are tried, on which a network runs; the likeliest first.

    Tried are square images of usual sizes, with as many channels as the first layer takes, and vectors of features.

    Args:
        network: The network; its code is run, on tensors without values.

    Returns:
        (channels, height, width) or (features,); nothing where none of them fits.
    """
    try:
        network = with_plain_layers(copied(network))
    except SnncError:
        return ()
    weight = next((each for each in weights_of(network) if each.ndim in (2, 4)), None)
    if weight is None:
        return ()
    candidates: list[Shape]
    if weight.ndim == 4:
        candidates = [(channels, side, side) for channels in _channels(network, weight) for side in _sides(channels)]
    else:
        features = int(weight.shape[1])
        # Behind a Flatten, features are the pixels of an image.
        images = [(count, *_square(features // count)) for count in (1, 3) if features % count == 0]
        candidates = [*(each for each in images if len(each) == 3), (features,)]
    try:
        without_values = network.to("meta")
    except Exception:  # noqa: BLE001 - what a user's own class raises
        return ()
    return tuple(each for each in candidates if _runs(without_values, each))


def weights_of(network: nn.Module) -> tuple[torch.Tensor, ...]:
    """Return what a network was trained to: its parameters, or the constants of one that a file has as a graph."""
    parameters = tuple(network.parameters())
    return parameters or tuple(each for each in network.buffers() if each.is_floating_point())


def _sides(channels: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys((*(_COLOURED if channels == 3 else _GREY), *SIDES)))


def _channels(network: nn.Module, weight: torch.Tensor) -> tuple[int, ...]:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            return (module.in_channels,)
    # A convolution in a graph: its groups are not with its weight.
    return tuple(dict.fromkeys((int(weight.shape[1]), 1, 3)))


def _square(pixels: int) -> tuple[int, ...]:
    side = math.isqrt(pixels)
    return (side, side) if side * side == pixels and side > 1 else ()


def _runs(network: nn.Module, shape: Shape) -> bool:
    # torch.fx prints a traceback to stderr before it raises.
    with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
        output = network(torch.zeros(_SAMPLES, *shape, device="meta"))
        return isinstance(output, torch.Tensor) and output.ndim == 2 and len(output) == _SAMPLES
    return False


def recognised(state: Mapping[str, torch.Tensor]) -> tuple[Architecture, ...]:
    """Return the networks of ours whose tensors have the same names and shapes.

    There may be several: pooling has no weights, and thresholds look alike whatever the activation does with them.

    Args:
        state: The state_dict.

    Returns:
        All variants of the first network that fits, those that differ least from its defaults first.
    """
    matrices = [each for each in state.values() if each.ndim == 2]
    if not matrices:
        return ()
    for name in NAMES:
        found = tuple(each for each in _variants(name, int(matrices[-1].shape[0])) if _fits(each, state))
        if found:
            return found
    return ()


def _variants(name: str, classes: int) -> Iterator[Architecture]:
    choices = inspect.signature(getattr(models, name)).parameters
    # What is the network's own is not said.
    number = None if choices["num_classes"].default == classes else classes
    for activation in (None, *(each for each in ACTIVATIONS if each != choices["activation"].default)):
        yield Architecture(name, number, activation)
        if "pooling" in choices:
            for pooling in POOLINGS:
                if pooling != choices["pooling"].default:
                    yield Architecture(name, number, activation, pooling)


def _fits(candidate: Architecture, state: Mapping[str, torch.Tensor]) -> bool:
    try:
        # Sizes without values: some of the networks have a hundred million weights.
        with torch.device("meta"):
            own = candidate.build().state_dict()
    except OptionError:
        return False
    return _sizes(without_parallel_prefix(state, own)) == _sizes(own)


def _sizes(state: Mapping[str, torch.Tensor]) -> Counter[tuple[str, tuple[int, ...]]]:
    # Counters of batches are missing in old files.
    return Counter(
        (name, tuple(each.shape)) for name, each in state.items() if not name.endswith("num_batches_tracked")
    )
