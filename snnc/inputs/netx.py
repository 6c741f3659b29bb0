"""What a netx file receives for each sample: spikes, numbers or biases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.common.arrays import per_channel
from snnc.common.errors import DataError, OptionError
from snnc.common.option_kinds import as_numbers
from snnc.models.data import Dataset, load_data
from snnc.models.data.sources import npz
from snnc.program.netx import NetxNetwork
from snnc.runtime.options import NetxRunOptions


@dataclass(frozen=True, eq=False)
class NetxInput:
    """Data as a network of netx takes them.

    Attributes:
        name: What to call them.
        values: (samples, T or 1, *input shape), integers.
        labels: The right classes, (samples,), int64; None where they are not known.
        classes: The names of the classes, where they are known.
        timesteps: Steps of a sample, where the data are events; None where one step is held.
        notes: What was made of the data that a user might not expect.
    """

    name: str
    values: NDArray[np.integer[Any]]
    labels: NDArray[np.int64] | None
    classes: tuple[str, ...] | None
    timesteps: int | None
    notes: tuple[str, ...]


def netx_input(
    network: NetxNetwork,
    data: Dataset | str | Path | NDArray[Any],
    options: NetxRunOptions,
) -> NetxInput:
    """Return data as a network takes them.

    Samples have the shape of the network's input (channels first), or one axis; with T before it they are events, one
    frame for each step. An input block's neurons are driven by their biases: integers other than uint8 are these
    biases, images are brought to them by the file's own transform.

    Args:
        network: The network.
        data: A data set, a spec such as ``mnist:data``, an .npz file with ``x`` and perhaps ``y``, or an array.
        options: Those of the run. Of events the first ``timesteps`` steps are taken; ``mean`` and ``std`` are for
            images, before the transform.

    Raises:
        DataError: The data cannot be read, or do not fit the network.
        OptionError: An option does not fit the data.
    """
    samples, timesteps, mean, std = options.samples, options.timesteps, options.mean, options.std
    if samples is not None and samples < 1:
        raise OptionError("is too small", where="samples", expected="at least 1", found=str(samples))
    name, images, labels, unit, classes = _arrays(data, samples)
    if not len(images) or (labels is not None and labels.shape != (len(images),)):
        found = f"{len(images)} samples" + ("" if labels is None else f", labels of shape {labels.shape}")
        raise DataError("there are no samples, or not one label for each", where=name, found=found)
    shaped, is_held = _shaped(network, images, name)
    if timesteps is not None and not is_held:
        if not 1 <= timesteps <= shaped.shape[1]:
            raise OptionError(
                "is not among the steps of the data",
                where="timesteps",
                expected=f"1..{shaped.shape[1]}",
                found=str(timesteps),
            )
        shaped = shaped[:, :timesteps]
    notes: list[str] = []
    if network.takes_biases and (shaped.dtype.kind == "f" or shaped.dtype == np.uint8):
        values = _biases(network, shaped, unit, mean, std)
    else:
        if mean is not None or std is not None:
            raise OptionError(
                "are for images that drive an input block",
                where="mean and std",
                found="biases" if network.takes_biases else "a network that begins with synapses",
            )
        values = _whole(shaped, name)
        if not (network.takes_biases or options.input_bits) and ((values != 0) & (values != 1)).any():
            notes.append("values other than 0 and 1 count as spikes of 1: input bits make numbers of them")
    return NetxInput(name, values, labels, classes, None if is_held else values.shape[1], tuple(notes))


def _arrays(
    data: Dataset | str | Path | NDArray[Any], samples: int | None
) -> tuple[str, NDArray[Any], NDArray[np.int64] | None, float, tuple[str, ...] | None]:
    """Return the name, images, labels, unit and classes."""
    if isinstance(data, str | Path) and npz.matches(str(data), Path()):
        images, labels = npz.read_arrays(str(data), "test")
        if labels is not None:
            if labels.dtype.kind not in "iu":
                raise DataError(
                    "the labels have the wrong type", where=str(data), expected="whole numbers", found=str(labels.dtype)
                )
            labels = labels.astype(np.int64)[:samples]
        return str(data), images[:samples], labels, 1 / 255 if images.dtype == np.uint8 else 1.0, None
    if isinstance(data, np.ndarray):
        return "data", data[:samples], None, 1 / 255 if data.dtype == np.uint8 else 1.0, None
    dataset = data if isinstance(data, Dataset) else load_data(str(data), split="test")
    if samples is not None:
        dataset = dataset.take(samples)
    return dataset.name, np.asarray(dataset.images[:]), dataset.labels, dataset.unit, dataset.classes


def _shaped(network: NetxNetwork, images: NDArray[Any], name: str) -> tuple[NDArray[Any], bool]:
    """Return (samples, T or 1, *input shape), and whether one step is held."""
    shape, size = network.input_shape, math.prod(network.input_shape)
    # What is flat in the network has no shape of its own to keep to.
    first = network.blocks[0]
    is_flat = len(first.shape if first.connections is None else shape) == 1 or (
        first.connections is not None and first.connections.kind == "dense"
    )
    for steps in (1, 2):
        own = images.shape[steps:]
        if own in (shape, (size,)) or (is_flat and own and math.prod(own) == size):
            return images.reshape(len(images), -1 if steps == 2 else 1, *shape), steps == 1
    raise DataError(
        "the data do not fit the network",
        where=name,
        expected=f"samples of shape {shape}, or of steps of it",
        found=f"samples of shape {images.shape[1:]}",
        advice="axes are (samples, channels, height, width) or (samples, T, channels, height, width)",
    )


def _biases(
    network: NetxNetwork,
    images: NDArray[Any],
    unit: float,
    mean: float | Sequence[float] | None,
    std: float | Sequence[float] | None,
) -> NDArray[np.integer[Any]]:
    """Return bias mantissas of images: the file's transform, cut to whole numbers as lava-dl's examples cut them."""
    assert network.transform is not None
    offset, scale = (
        np.array(as_numbers(usual if given is None else given, name))
        for given, usual, name in ((mean, 0.0, "mean"), (std, 1.0, "std"))
    )
    channels = network.input_shape[0] if len(network.input_shape) > 1 else 1
    for name, numbers in (("mean", offset), ("std", scale)):
        if len(numbers) not in (1, channels) or (name == "std" and not (numbers > 0).all()):
            raise OptionError(
                "does not fit the input",
                where=name,
                expected=f"one number or {channels}" + (", above 0" if name == "std" else ""),
                found=", ".join(f"{each:g}" for each in numbers),
            )
    axes = len(network.input_shape)
    raw = images * (unit if images.dtype == np.uint8 else 1.0)
    standard = (raw - per_channel(offset, axes)) / per_channel(scale, axes)
    biases = np.trunc(network.transform.weight * standard + network.transform.bias)
    if not np.isfinite(biases).all() or np.abs(biases).max() > np.iinfo(np.int32).max:
        raise DataError("the images hold NaN, infinity or numbers far too large")
    return np.asarray(biases, np.int32)


def _whole(values: NDArray[Any], name: str) -> NDArray[np.integer[Any]]:
    """Return whole numbers as integers."""
    if values.dtype.kind == "b":
        return values.view(np.uint8)
    if values.dtype.kind == "f":
        if (
            not np.isfinite(values).all()
            or (values != np.trunc(values)).any()
            or np.abs(values).max(initial=0) > 1 << 31
        ):
            raise DataError(
                "the data are not spikes",
                where=name,
                expected="0 and 1, or whole numbers",
                found="other floating-point numbers",
            )
        return values.astype(np.int64)
    if values.dtype.kind not in "iu":
        raise DataError("the data have the wrong type", where=name, expected="numbers", found=str(values.dtype))
    return values
