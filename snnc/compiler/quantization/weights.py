"""The rounding of a network's weights, with an eye to what they read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray, per_channel
from snnc.compiler.ir import Conv2d, Linear, Sparse, Weighted
from snnc.compiler.ir.pooling import windows
from snnc.compiler.quantization.input_moments import (
    FAN_IN_MAXIMUM,
    NOISE,
    InputMoments,
    InputSamples,
    Place,
    Readings,
)
from snnc.compiler.quantization.normalized import with_weight
from snnc.program.targets import Target

# Share of the mean variance that is added to each input's at least: inputs that never vary are rounded to the nearest.
RIDGE = 1e-4
SWEEPS_MAXIMUM = 100
# The same for rounding along samples, where each weight makes up for the errors of those before it only.
SAMPLE_RIDGE = 0.1
# The same for covariances of fewer samples than inputs.
FEW_RIDGE = 1.0
BLOCK = 64
# Weights of a neuron that are moved at most so that its bias is nearly a whole number.
_MOVES = 2
# Errors of sparse rows in all samples that are held at once.
SPARSE_VALUES = 1 << 24


def round_to_nearest(weight: FloatArray, target: Target) -> FloatArray:
    """Return each weight as the nearest one that the target has.

    Args:
        weight: In weight units.
        target: The chip.
    """
    step = target.weight_step
    rounded: FloatArray = (np.rint(weight / step) * step).clip(target.weight_minimum, target.weight_maximum)
    return rounded


def round_for_inputs(weight: FloatArray, covariance: FloatArray, target: Target, ridge: float = RIDGE) -> FloatArray:
    """Return weights of the target that make the variance of the rounding error over the inputs small.

    With e = rounded - weight, the error of a neuron's drive has the variance ``e C e``. What a neuron reads is not
    independent: neighbouring pixels are nearly the same number. Errors that cancel on them cost nothing, so a weight is
    rounded with an eye to the others. The best integers would be the solution of a closest vector problem; the nearest
    plane algorithm (Babai, *On Lovasz' lattice reduction and the nearest lattice point problem*, 1986; for networks
    Frantar, Ashkboos, Hoefler, Alistarh, *GPTQ*, 2023) finds good ones: weight after weight is rounded, and those that
    are left make up for it. Then single weights move by whole steps as long as that lowers the variance. A row never
    comes out worse than with its nearest multiples.

    Args:
        weight: (outputs, fan-in), in weight units.
        covariance: C, (fan-in, fan-in).
        target: The chip.
        ridge: Share of the mean variance that is added to each input's. Where a covariance rests on few samples, errors
            would otherwise go where these happened not to vary.

    Returns:
        (outputs, fan-in).
    """
    nearest = round_to_nearest(weight, target)
    added = ridge * max(float(np.trace(covariance)) / len(covariance), 1e-12)
    metric = covariance + added * np.eye(len(covariance))
    found = _descend(weight, _nearest_plane(weight, metric, target), metric, target)
    worse = drive_variance(found - weight, metric) > drive_variance(nearest - weight, metric)
    found[worse] = nearest[worse]
    return found


def drive_variance(change: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the variance of what a change of the weights does to each output's drive, (outputs,).

    Args:
        change: (outputs, fan-in).
        covariance: (fan-in, fan-in).
    """
    variance: FloatArray = ((change @ covariance) * change).sum(1)
    return variance


def _nearest_plane(weight: FloatArray, metric: FloatArray, target: Target) -> FloatArray:
    """Round from the last input to the first, each as the errors of those after it make it best."""
    upper = np.linalg.cholesky(metric).T
    upper /= np.diag(upper)[:, None]
    rounded, error = np.zeros_like(weight), np.zeros_like(weight)
    inputs = weight.shape[1]
    for begin in reversed(range(0, inputs, BLOCK)):
        end = min(begin + BLOCK, inputs)
        # What the later blocks carry over, in one product.
        carried = error[:, end:] @ upper[begin:end, end:].T
        for index in reversed(range(begin, end)):
            own = error[:, index + 1 : end] @ upper[index, index + 1 : end]
            rounded[:, index] = round_to_nearest(weight[:, index] - carried[:, index - begin] - own, target)
            error[:, index] = rounded[:, index] - weight[:, index]
    return rounded


def _descend(weight: FloatArray, start: FloatArray, metric: FloatArray, target: Target) -> FloatArray:
    """Move single weights as long as that lowers the variance."""
    rounded = start.copy()
    slope = (rounded - weight) @ metric
    for _ in range(SWEEPS_MAXIMUM):
        settled = True
        for index, curvature in enumerate(np.diag(metric)):
            wanted = rounded[:, index] - slope[:, index] / curvature
            move = round_to_nearest(wanted, target) - rounded[:, index]
            # Between two that are equally good, noise of the arithmetic must not go back and forth.
            gain = -(2 * slope[:, index] + move * curvature) * move
            (moved,) = (gain > 1e-9 * curvature).nonzero()
            if len(moved):
                settled = False
                rounded[moved, index] += move[moved]
                slope[moved] += move[moved, None] * metric[index]
        if settled:
            break
    return rounded


def round_along(weight: FloatArray, values: FloatArray, target: Target) -> FloatArray:
    """Return weights of the target that keep the sums of what a neuron reads in some samples.

    Weight after weight is rounded, each so that it makes up in these samples for the errors of those before it
    (Lybrand and Saab, *A greedy algorithm for quantizing neural networks*, 2021). Where a neuron reads thousands of
    inputs that are alike, with weights of less than a unit, some get a unit and the others none, so that the sum holds.
    Time grows with the number of inputs, not with its square.

    Args:
        weight: (outputs, fan-in), in weight units.
        values: What is read, less its means, (samples, fan-in).
        target: The chip.

    Returns:
        (outputs, fan-in).
    """
    added = SAMPLE_RIDGE * len(values) * float((values**2).mean())
    rounded = np.zeros_like(weight)
    left = np.zeros((len(weight), len(values)))
    for begin in range(0, weight.shape[1], BLOCK):
        block = values[:, begin : begin + BLOCK]
        products, met = block.T @ block, left @ block
        error = np.zeros((len(weight), block.shape[1]))
        for index in range(block.shape[1]):
            meets = met[:, index] + error[:, :index] @ products[:index, index]
            wanted = weight[:, begin + index]
            scale = products[index, index] + added
            moved = wanted + meets / scale if scale > 0 else wanted
            rounded[:, begin + index] = round_to_nearest(moved, target)
            error[:, index] = wanted - rounded[:, begin + index]
        left += error @ block.T
    return rounded


def round_sparse(weight: FloatArray, op: Sparse, values: FloatArray, target: Target) -> FloatArray:
    """Return the entries of a sparse operation as :func:`round_along` does, each row along what it reads.

    Args:
        weight: Of the entries, in weight units.
        op: The operation.
        values: What is read, less its means, (samples, source values).
        target: The chip.
    """
    begins = op.matrix.indptr[:-1].astype(np.int64)
    lengths = np.diff(op.matrix.indptr)
    # Rows that are as long are rounded side by side, the first entry of all, then the second, and so on.
    order = np.argsort(-lengths, kind="stable")
    begins, lengths = begins[order], lengths[order]
    columns = np.ascontiguousarray(values.T)
    squares = (columns**2).sum(1)
    added = np.zeros(len(lengths))
    for index, length in enumerate(lengths):
        if not length:
            break
        read = squares[op.matrix.indices[begins[index] : begins[index] + length]]
        added[index] = SAMPLE_RIDGE * float(read.mean())
    rounded = np.zeros_like(weight)
    rows = np.searchsorted(-lengths, -np.arange(int(lengths.max(initial=0))), side="left")
    pieces = max(1, SPARSE_VALUES // len(values))
    for first in range(0, len(lengths), pieces):
        left = np.zeros((min(pieces, len(lengths) - first), len(values)))
        for step, count in enumerate(rows.tolist()):
            active = min(count, first + pieces) - first
            if active <= 0:
                break
            entries = begins[first : first + active] + step
            source = op.matrix.indices[entries]
            scale = squares[source] + added[first : first + active]
            meets = np.einsum("rn,rn->r", left[:active], columns[source])
            moved = weight[entries] + np.divide(meets, scale, out=np.zeros_like(meets), where=scale > 0)
            rounded[entries] = round_to_nearest(moved, target)
            left[:active] += (weight[entries] - rounded[entries])[:, None] * columns[source]
    return rounded


class WeightRounding:
    """Rounds the weights of synapses, and says what that does to the neurons that they drive.

    What was rounded last at each place is kept: a network is quantised again with another spread of its input, or other
    margins, and most of its layers then have the same weights.

    Args:
        target: The chip.
        readings: What the synapses read; those of which nothing is known are rounded to the nearest.
    """

    def __init__(self, target: Target, readings: Mapping[Place, Readings] = MappingProxyType({})) -> None:
        self._target = target
        self._readings = dict(readings)
        self._last: dict[Place, tuple[bytes, NDArray[np.int16]]] = {}

    def tell(self, place: Place, readings: Readings) -> None:
        """Say what a synapse reads from now on."""
        self._readings[place] = readings
        self._last.pop(place, None)

    def rounded(self, place: Place, weight: FloatArray) -> NDArray[np.int16]:
        """Return the weights that the chip gets.

        Args:
            place: Where they are.
            weight: In weight units, in the shape of the operation's.
        """
        if place not in self._readings:
            return round_to_nearest(weight, self._target).astype(np.int16)
        # All weights a second time would be much of what a compilation takes.
        digest = hashlib.blake2b(np.ascontiguousarray(weight).data).digest()
        if place in self._last and self._last[place][0] == digest:
            return self._last[place][1]
        readings = self._readings[place]
        found: NDArray[np.int16] = (
            self._for_moments(weight, readings)
            if isinstance(readings, InputMoments)
            else self._for_samples(weight, readings)
        ).astype(np.int16)
        self._last[place] = (digest, found)
        return found

    def _for_moments(self, weight: FloatArray, moments: InputMoments) -> FloatArray:
        ridge = max(RIDGE, moments.covariance.shape[-1] / moments.windows)
        rows = zip(_by_group(weight, len(moments.covariance)), moments.covariance, strict=True)
        rounded = [round_for_inputs(each, its, self._target, ridge) for each, its in rows]
        return np.concatenate(rounded).reshape(weight.shape)

    def _for_samples(self, weight: FloatArray, samples: InputSamples) -> FloatArray:
        """Round each row in the way that is the best on samples that had no part in it; the nearest is one of them."""
        candidates = [round_to_nearest(weight, self._target)]
        fitting = samples.fitting.astype(np.float64)
        if samples.sparse is not None:
            candidates.append(round_sparse(weight, samples.sparse, fitting[0], self._target))
        else:
            rows = _by_group(weight, len(fitting))
            candidates.append(
                _joined([round_along(*each, self._target) for each in zip(rows, fitting, strict=True)], weight)
            )
            if fitting.shape[-1] <= FAN_IN_MAXIMUM:
                products = np.stack([_second_moments(samples, group) for group in range(len(fitting))])
                products += NOISE * products.diagonal(axis1=1, axis2=2)[:, None] * np.eye(products.shape[-1])
                found = [round_for_inputs(*each, self._target, FEW_RIDGE) for each in zip(rows, products, strict=True)]
                candidates.append(_joined(found, weight))
        best = np.argmin([_variance(each - weight, samples) for each in candidates], axis=0)
        if samples.sparse is not None:
            best = np.repeat(best, np.diff(samples.sparse.matrix.indptr))
        chosen: FloatArray = np.choose(per_channel(best, weight.ndim) if samples.sparse is None else best, candidates)
        return chosen

    def meeting_bias(
        self,
        place: Place,
        op: Conv2d | Linear,
        weight: FloatArray,
        rounded: NDArray[np.int16],
        bias: FloatArray,
        unit: float,
    ) -> NDArray[np.int16]:
        """Return weights of which single ones are moved by a step, so that the bias is nearly a whole number.

        A bias is rounded to whole weight units, and T steps add up what is lost, always with the same sign. A weight
        that is moved by d, and reads m on average, changes the bias that is wanted by ``-d m``; where what it reads
        hardly varies, that costs little. Moves are taken that lower the mean square of the error of a step's drive.

        Args:
            place: Where they are; of those whose inputs are known.
            op: The operation.
            weight: In weight units, in the shape of the operation's.
            rounded: What :meth:`rounded` made of it.
            bias: What the bias of each output should be with these, (outputs,), weight units.
            unit: Levels that a unit of the input stands for; 1 where a layer is read.
        """
        readings = self._readings[place]
        groups = op.groups if isinstance(op, Conv2d) else 1
        means = windows(op, torch.as_tensor(readings.mean)[None])[0].mean(1).reshape(groups, -1).numpy() / unit
        moved = _by_group(rounded.astype(np.float64), groups)
        errors, wanted = moved - _by_group(weight, groups), bias.reshape(groups, -1).copy()
        for group, mean in enumerate(means):
            metric = _second_moments(readings, group) / unit**2
            slope = errors[group] @ metric
            for _ in range(_MOVES):
                self._move(moved[group], slope, metric, mean, wanted[group])
        return moved.reshape(rounded.shape).astype(np.int16)

    def _move(
        self, rounded: FloatArray, slope: FloatArray, metric: FloatArray, mean: FloatArray, bias: FloatArray
    ) -> None:
        """Move one weight of each row where that helps; all arguments but metric and mean are changed in place."""
        step = self._target.weight_step
        rows = np.arange(len(rounded))
        best, place, by = np.full(len(rounded), -1e-9), np.zeros(len(rounded), np.intp), np.zeros(len(rounded))
        for way in (-step, step):
            allowed = (rounded + way >= self._target.weight_minimum) & (rounded + way <= self._target.weight_maximum)
            cost = 2 * way * slope + way**2 * np.diag(metric)
            cost += _lost(bias[:, None] - way * mean) ** 2 - _lost(bias)[:, None] ** 2
            cost[~allowed] = np.inf
            least = cost.argmin(1)
            better = cost[rows, least] < best
            best[better], place[better], by[better] = cost[rows, least][better], least[better], way
        rounded[rows, place] += by
        slope += by[:, None] * metric[place]
        bias -= by * mean[place]

    def mean_change(self, place: Place, op: Weighted, change: FloatArray, unit: float) -> FloatArray:
        """Return what a change of the weights adds to the drive of each neuron in a step, on average.

        Args:
            place: Where they are; of those whose inputs are known.
            op: The operation.
            change: Of its weights, in weight units; for a sparse one of its entries.
            unit: Levels that a unit of the input stands for; 1 where a layer is read.

        Returns:
            (*layer shape), in weight units.
        """
        changed = with_weight(op, change)
        changed = replace(changed, bias=np.zeros_like(op.bias))
        drive: FloatArray = changed.apply(torch.as_tensor(self._readings[place].mean / unit)[None])[0].numpy()
        return drive

    def deviation(self, place: Place, change: FloatArray, unit: float) -> FloatArray:
        """Return the standard deviation of a weight change's effect on the drive of a step, in weight units.

        Args:
            place: As for :meth:`mean_change`.
            change: As for :meth:`mean_change`.
            unit: As for :meth:`mean_change`.

        Returns:
            For each channel; of a sparse synapse for each neuron.
        """
        readings = self._readings[place]
        if isinstance(readings, InputMoments):
            rows = zip(_by_group(change, len(readings.covariance)), readings.covariance, strict=True)
            variance = np.concatenate([drive_variance(each, its) for each, its in rows]).clip(0)
        else:
            variance = _variance(change, readings)
        deviation: FloatArray = np.sqrt(variance) / unit
        return deviation

    def knows(self, place: Place) -> bool:
        """Return whether what a synapse reads is known."""
        return place in self._readings


def _variance(change: FloatArray, samples: InputSamples) -> FloatArray:
    """Return the variance of what a change of the weights does in samples that had no part in rounding.

    Args:
        change: Of the weights.
        samples: What is read.

    Returns:
        For each channel, or neuron of a sparse operation, in weight units and units of what is read.
    """
    if samples.sparse is not None:
        changed = with_weight(samples.sparse, change)
        assert isinstance(changed, Sparse)
        drive = changed.matrix @ samples.judging[0].T
    else:
        rows = zip(_by_group(change, len(samples.judging)), samples.judging, strict=True)
        drive = np.concatenate([each @ its.T for each, its in rows])
    variance: FloatArray = (drive**2).mean(1)
    return variance


def _second_moments(readings: Readings, group: int) -> FloatArray:
    """Return the covariance of what a group reads, (fan-in, fan-in)."""
    moments: FloatArray
    if isinstance(readings, InputMoments):
        moments = readings.covariance[group]
    else:
        fitting = readings.fitting[group].astype(np.float64)
        moments = fitting.T @ fitting / len(fitting)
    return moments


def _lost(bias: FloatArray) -> FloatArray:
    """Return what rounding makes of biases less these."""
    lost: FloatArray = np.rint(bias) - bias
    return lost


def _joined(rows: list[FloatArray], weight: FloatArray) -> FloatArray:
    """Return rows of all groups in the shape of the weights."""
    return np.concatenate(rows).reshape(weight.shape)


def _by_group(weight: FloatArray, groups: int) -> FloatArray:
    """Return the weights as (groups, outputs / groups, fan-in)."""
    return weight.reshape(groups, len(weight) // groups, -1)
