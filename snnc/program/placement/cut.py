"""Cuts of a layer into blocks, and which neurons of a source each block reads through a synapse."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snnc.common.arrays import IntegerArray
from snnc.program.layer import Synapse

Axis = Literal["rows", "columns", "channels"]
# In the order in which they are tried: bands of rows leave kernels and windows whole.
AXES: tuple[Axis, ...] = ("rows", "columns", "channels")


@dataclass(frozen=True)
class Cut:
    """A layer as a grid of blocks of nearly equal size.

    Attributes:
        channels: Number of ranges of channels, or of features.
        rows: Number of ranges of rows, 1 for features.
        columns: Number of ranges of columns, 1 for features.
    """

    channels: int = 1
    rows: int = 1
    columns: int = 1

    @property
    def parts(self) -> int:
        """Number of blocks."""
        return self.channels * self.rows * self.columns

    def finer(self, axis: Axis, shape: tuple[int, ...]) -> Cut | None:
        """Return the next cut whose longest range along an axis is shorter; None where each range is of length 1."""
        size = image_shape(shape)[("channels", "rows", "columns").index(axis)]
        now = getattr(self, axis)
        longest = math.ceil(size / now)
        return replace(self, **{axis: math.ceil(size / (longest - 1))}) if longest > 1 else None

    def ranges(self, shape: tuple[int, ...]) -> tuple[IntegerArray, IntegerArray, IntegerArray]:
        """Return where ranges begin and end: (channels + 1,), (rows + 1,) and (columns + 1,), from 0 to the size."""
        channels, rows, columns = (
            np.arange(count + 1, dtype=np.int64) * size // count
            for count, size in zip((self.channels, self.rows, self.columns), image_shape(shape), strict=True)
        )
        return channels, rows, columns

    def sums(self, values: IntegerArray) -> IntegerArray:
        """Return each block's sum: from values (channels, height, width) to (channels, rows, columns) of the cut."""
        for axis, edges in enumerate(self.ranges(values.shape)):
            values = np.add.reduceat(values, edges[:-1], axis=axis)
        return values


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return features as an image of one pixel."""
    channels, height, width = shape if len(shape) == 3 else (shape[0], 1, 1)
    return channels, height, width


@dataclass(frozen=True, eq=False)
class Reached:
    """What one synapse of a cut layer needs.

    Attributes:
        sources: Neurons of the source that each block reads, (channels, rows, columns) of the cut.
        destinations: Blocks that each neuron of the source sends its spikes to, (channels, height, width) of it.
        pairs: Pairs of connected neurons of each block.
        stored: Weights that each block stores: of a convolution those of its kernels, of others one for each pair.
    """

    sources: IntegerArray
    destinations: IntegerArray
    pairs: IntegerArray
    stored: IntegerArray


def reached(synapse: Synapse, source_shape: tuple[int, ...], shape: tuple[int, ...], cut: Cut) -> Reached:
    """Return what a synapse of a layer needs.

    Args:
        synapse: The synapse.
        source_shape: Shape of what it reads.
        shape: Shape of the layer.
        cut: How the layer is cut.
    """
    if synapse.entries is not None:
        return _sparse(synapse, source_shape, shape, cut)
    if synapse.kind == "dense":
        return _dense(source_shape, shape, cut)
    return _convolution(synapse, source_shape, shape, cut)


def _sparse(synapse: Synapse, source_shape: tuple[int, ...], shape: tuple[int, ...], cut: Cut) -> Reached:
    assert synapse.entries is not None
    grid = (cut.channels, cut.rows, cut.columns)
    places = [np.repeat(np.arange(count), np.diff(edges)) for count, edges in zip(grid, cut.ranges(shape), strict=True)]
    block = np.ravel_multi_index(np.meshgrid(*places, indexing="ij"), grid).ravel()
    blocks = np.repeat(block, np.diff(synapse.entries.row_starts))
    pairs = np.bincount(blocks, minlength=cut.parts).astype(np.int64).reshape(grid)
    neurons = int(np.prod(source_shape))
    reading, read = np.divmod(np.unique(blocks * neurons + synapse.entries.columns), neurons)
    return Reached(
        np.bincount(reading, minlength=cut.parts).astype(np.int64).reshape(grid),
        np.bincount(read, minlength=neurons).astype(np.int64).reshape(image_shape(source_shape)),
        pairs,
        pairs,
    )


def _dense(source_shape: tuple[int, ...], shape: tuple[int, ...], cut: Cut) -> Reached:
    neurons = int(np.prod(source_shape))
    pairs = cut.sums(np.full(image_shape(shape), neurons, np.int64))
    return Reached(np.full_like(pairs, neurons), np.full(image_shape(source_shape), cut.parts, np.int64), pairs, pairs)


def _convolution(synapse: Synapse, source_shape: tuple[int, ...], shape: tuple[int, ...], cut: Cut) -> Reached:
    outputs, per_group, *kernel = synapse.weight.shape
    channel_edges, *plane_edges = cut.ranges(shape)
    channel = np.zeros((cut.channels, source_shape[0]), bool)
    for index, (begin, end) in enumerate(pairwise(channel_edges)):
        first, last = (place // (outputs // synapse.groups) for place in (begin, end - 1))
        channel[index, first * per_group : (last + 1) * per_group] = True
    rows, columns = (
        _read(edges, size, length, *options)
        for edges, size, length, options in zip(
            plane_edges,
            source_shape[1:],
            kernel,
            zip(synapse.stride, synapse.padding, synapse.dilation, strict=True),
            strict=True,
        )
    )
    kernels = np.diff(channel_edges) * per_group
    ones = np.ones(cut.parts, np.int64).reshape(cut.channels, cut.rows, cut.columns)
    return Reached(
        _outer(channel.sum(1), rows.mask.sum(1), columns.mask.sum(1)),
        _outer(channel.sum(0), rows.mask.sum(0), columns.mask.sum(0)),
        _outer(kernels, rows.pairs, columns.pairs),
        ones * (kernels * int(np.prod(kernel)))[:, None, None],
    )


@dataclass(frozen=True, eq=False)
class _Read:
    """Along one axis of an image: ``mask``, (ranges, size), which places each range reads; ``pairs`` how often."""

    mask: NDArray[np.bool_]
    pairs: IntegerArray


def _read(edges: IntegerArray, size: int, kernel: int, stride: int, padding: int, dilation: int) -> _Read:
    mask = np.zeros((len(edges) - 1, size), bool)
    pairs = np.zeros(len(edges) - 1, np.int64)
    for index, (begin, end) in enumerate(pairwise(edges)):
        read = np.arange(begin, end)[:, None] * stride - padding + np.arange(kernel) * dilation
        read = read[(read >= 0) & (read < size)]
        mask[index, read] = True
        pairs[index] = read.size
    return _Read(mask, pairs)


def _outer(channels: IntegerArray, rows: IntegerArray, columns: IntegerArray) -> IntegerArray:
    return channels[:, None, None] * rows[:, None] * columns
