"""What calibration data leave to be desired: samples and classes that are missing, and a wrong normalisation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray, per_channel
from snnc.compiler.ir import (
    Affine,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Graph,
    Identity,
    Input,
    Linear,
    Node,
    Sparse,
)
from snnc.models.data import Dataset
from snnc.models.data.dataset import USUAL_UNIT, Normalisation
from snnc.models.data.load import known_normalisations
from snnc.program import CompiledNetwork
from snnc.program.verdict import MOST_DIVERGENCE, NormalisationFit, normalisation_options

# The samples of a batch; of fewer, every one decides much.
BATCH = 64


def coverage_notes(dataset: Dataset, program: CompiledNetwork) -> tuple[str, ...]:
    """Return what users should know of the data that a network was calibrated on, one sentence each.

    Args:
        dataset: The calibration data.
        program: The network that was compiled with them; its readout says how many classes there are.
    """
    notes = []
    samples = len(dataset)
    if samples < BATCH:
        notes.append(
            f"calibrated on {samples} sample{'s' * (samples != 1)}, fewer than a batch of {BATCH}: thresholds, "
            "rounding and corrections may suit these alone; some hundreds are better"
        )
    classes = math.prod(program.layers[-1].shape)
    if dataset.labels is None or len(program.layers[-1].shape) > 1 or classes < 2:
        return tuple(notes)
    found = len(np.unique(dataset.labels))
    if found == 1:
        notes.append(
            f"all {samples:,} calibration samples are of one class, of the {classes} that the network tells apart: "
            "what others activate was not seen, so their thresholds are guesses; calibrate on all classes"
        )
    elif found < classes:
        notes.append(
            f"the calibration samples are of {found} classes, of the {classes} that the network tells apart: what the "
            "others activate was not seen; calibrate on all classes"
        )
    return tuple(notes)


# 8-bit data that stay below this are hardly images: those use the whole range.
_BRIGHT = 128


def data_notes(dataset: Dataset, *, with_usual: bool) -> tuple[str, ...]:
    """Return what users should know of the values of calibration data, one sentence each.

    Args:
        dataset: The calibration data.
        with_usual: Whether nothing says that these have the right mean and standard deviation: what networks for
            well-known data are usually given is then a suggestion.
    """
    notes = []
    if dataset.images.dtype == np.uint8 and dataset.unit == USUAL_UNIT:
        largest = int(np.asarray(dataset.images[:]).max())
        if largest < _BRIGHT:
            notes.append(
                f"the 8-bit data use 0 to {largest} of 0 to 255, and count as 0 to {largest * dataset.unit:.2g}: if a "
                "step is worth something else, say so with --unit (1 for counts)"
            )
    usual = dataset.normalisation
    if with_usual and usual is not None:
        notes.append(
            f"networks for {usual.name} are usually given {normalisation_options(usual.mean, usual.std)}; this one is "
            "given neither"
        )
    return tuple(notes)


# Operations without a constant part of their own that may lie between the input and its first batch normalisation.
_LINEAR = (Identity, Flatten, Affine, AvgPool2d, Conv2d, ConvTranspose2d, Linear, Sparse)
# Samples that are looked at: statistics of so many are near enough.
LOOKED_AT = 128
# What a channel counts at most: one that is nearly constant says little.
_CHANNEL_MOST = 10.0
# Networks of unknown data were often given these.
_USUAL = (Normalisation("0.5 / 0.5", (0.5,), (0.5,)), Normalisation("none", (0.0,), (1.0,)))


def normalisation_fit(
    graph: Graph, raw: NDArray[Any], mean: Sequence[float], std: Sequence[float]
) -> NormalisationFit | None:
    """Hold the running statistics of the first batch normalisation against what arrives there.

    Args:
        graph: The traced network, before anything is folded.
        raw: Samples in raw values, (samples, *input shape).
        mean: What is subtracted from them.
        std: What is divided by after that.

    Returns:
        How far they are apart, and with which other mean and standard deviation they would be nearest: those of
        well-known data, or the one number for all channels for which they are nearest. None where no batch
        normalisation that was trained is reached from the input by linear operations alone, and where the mean and
        standard deviation are none: whoever reads the input refuses them.
    """
    path = _to_first_norm(graph)
    samples = np.asarray(raw[:: max(1, len(raw) // LOOKED_AT)][:LOOKED_AT], np.float32)
    channels = samples.shape[1]
    if path is None or not {len(mean), len(std)} <= {1, channels} or not np.all(np.asarray(std) > 0):
        return None
    *linear, last = path
    norm = last.op
    assert isinstance(norm, BatchNorm)

    def arriving(values: NDArray[Any]) -> torch.Tensor:
        found = torch.as_tensor(np.asarray(values, np.float32))
        with torch.no_grad():
            for node in linear:
                found = node.op.apply(found)
        return found.double()

    def statistics(values: torch.Tensor) -> tuple[FloatArray, FloatArray]:
        axes = tuple(axis for axis in range(values.ndim) if axis != 1)
        # The last samples' worth of a batch, as training has it: the variance over all values of a channel.
        return values.mean(axes).numpy(), values.var(axes, unbiased=False).numpy()

    def divergence(means: Sequence[float], deviations: Sequence[float]) -> float:
        shift, scale = (per_channel(np.asarray(each), samples.ndim - 1) for each in (means, deviations))
        return _divergence(norm, *statistics(arriving((samples - shift) / scale)))

    own = divergence(mean, std)
    if own <= MOST_DIVERGENCE:
        return _fit_of(last, own, Normalisation("as given", tuple(mean), tuple(std)), own)
    others = [each for each in (*known_normalisations().values(), *_USUAL) if len(each.mean) in (1, channels)]
    scored = [(divergence(each.mean, each.std), each) for each in others]
    # What arrives is a linear function of 1 / std and mean / std, and so are its statistics.
    constant = arriving(np.zeros_like(samples[:1]))
    ones = arriving(np.ones_like(samples[:1])) - constant
    response = arriving(samples) - constant
    for found in _fitted(norm, statistics(response), statistics(ones)[0], statistics(constant)[0]):
        scored.append((divergence(found.mean, found.std), found))
    # A known one that does nearly as well is the likelier one.
    best, other = min(scored, key=lambda each: each[0] + (0.02 if each[1].name == _FITTED else 0.0))
    return _fit_of(last, own, other, best)


def _fit_of(norm: Node, divergence: float, other: Normalisation, other_divergence: float) -> NormalisationFit:
    mean, std = (tuple(map(_digits, values)) for values in (other.mean, other.std))
    return NormalisationFit(norm.where, _digits(divergence), other.name, mean, std, _digits(other_divergence))


_FITTED = "fitted to its statistics"


def _fitted(
    norm: BatchNorm, response: tuple[FloatArray, FloatArray], ones: FloatArray, constant: FloatArray
) -> Iterator[Normalisation]:
    """Yield one number each for mean and standard deviation, for which what arrives is nearest to the statistics.

    Args:
        norm: The batch normalisation.
        response: Mean and variance of what arrives of raw values, without its constant part, (channels,).
        ones: What arrives of samples of ones, likewise.
        constant: The constant part.
    """
    mean, variance = response
    heard = (variance > 0) & (norm.variance > 0)
    if not heard.any():
        return
    std = float(np.exp(np.median(0.5 * np.log(variance[heard] / norm.variance[heard]))))
    # mean / std - shift * ones / std + constant = running mean, weighed by the spread of each channel.
    weight = 1 / np.sqrt(norm.variance[heard])
    wanted = (mean / std + constant - norm.mean)[heard] * weight
    by = (ones / std)[heard] * weight
    if float(by @ by) > 0 and std > 0:
        yield Normalisation(_FITTED, (float(wanted @ by / (by @ by)),), (std,))


def _to_first_norm(graph: Graph) -> list[Node] | None:
    """Return the nodes from the input, without it, to the first batch normalisation; None where there are others."""
    (node,) = graph.of_kind(Input)
    path: list[Node] = []
    while True:
        following = graph.consumers(node.name)
        if len(following) != 1 or len(following[0].inputs) != 1:
            return None
        (node,) = following
        path.append(node)
        if isinstance(node.op, BatchNorm) and _was_trained(node.op):
            return path
        if not isinstance(node.op, (*_LINEAR, BatchNorm)):
            return None


def _was_trained(norm: BatchNorm) -> bool:
    """Return whether a normalisation has seen data: arithmetic with constants, which is one too, has not."""
    return bool(norm.mean.any() or (norm.variance != 1).any())


def _divergence(norm: BatchNorm, mean: FloatArray, variance: FloatArray) -> float:
    """Return the symmetric divergence of two normal distributions for each channel, mean of the channels."""
    first, second = variance + norm.epsilon, norm.variance + norm.epsilon
    apart = (mean - norm.mean) ** 2
    each = 0.25 * ((first + apart) / second + (second + apart) / first - 2)
    return float(np.minimum(each, _CHANNEL_MOST).mean())


def _digits(value: float) -> float:
    return float(f"{value:.4g}")
