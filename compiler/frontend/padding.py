"""Translating padding with zeros."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from snnc.compiler.frontend.support import Call
from snnc.compiler.ir import Conv2d, Identity, Operation, Sparse

Sides = tuple[int, int]


def pad(call: Call, sides: object, value: object) -> Operation:
    """Zeros around an image, between or behind its channels, or around features.

    Args:
        call: The call.
        sides: As ``F.pad`` takes them: before and behind, the last axis first.
        value: What is padded with; None: 0.

    Raises:
        UnsupportedError: It pads with another value, cuts off, or pads the batch.
    """
    shape = call.shapes[0]
    if not isinstance(sides, tuple | list) or not all(isinstance(each, int) for each in sides) or len(sides) % 2:
        raise call.unsupported(f"padding by {sides}", "whole numbers, two for each axis")
    if value not in (None, 0):
        raise call.unsupported(f"padding with {value}", "padding with 0", advice="pad with zeros instead")
    if any(each < 0 for each in sides):
        raise call.unsupported(
            f"negative padding {tuple(sides)}",
            "numbers from 0 on",
            advice="cut off by a slice instead: x[:, :, 1:, 1:]",
        )
    if not any(sides):
        return Identity()
    around = [(int(sides[index]), int(sides[index + 1])) for index in range(0, len(sides), 2)]
    if len(around) == len(shape) and any(around.pop()):
        raise call.unsupported("padding of the batch", "padding of channels, rows and columns")
    if len(shape) == 2:
        return _pad_features(shape[1], around[0])
    if len(shape) != 4:
        raise call.unsupported(f"padding of shape {shape}", "shape (batch, channels, height, width)")
    columns, rows, channels = (*around, (0, 0), (0, 0))[:3]
    return _pad_image(shape[1], channels, rows, columns)


def _pad_features(features: int, sides: Sides) -> Sparse:
    size = features + sum(sides)
    places = np.arange(features)
    matrix = csr_matrix((np.ones(features), (places + sides[0], places)), (size, features))
    return Sparse(matrix, np.zeros(size), (size,), (features,))


def _pad_image(channels: int, front: Sides, rows: Sides, columns: Sides) -> Conv2d:
    """A convolution that moves values.

    A kernel of one more than ``|before - behind|`` under padding by the larger of both leaves, for ``size`` values,
    ``size + before + behind``; its single 1 stands where the value that belongs there comes from.
    """
    kernel = [abs(before - behind) + 1 for before, behind in (rows, columns)]
    padding = (max(rows), max(columns))
    row, column = (max(sides) - sides[0] for sides in (rows, columns))
    if any(front):
        weight = np.zeros((channels + sum(front), channels, *kernel))
        weight[front[0] : front[0] + channels, :, row, column] = np.eye(channels)
        return Conv2d(weight, np.zeros(len(weight)), padding=padding)
    weight = np.zeros((channels, 1, *kernel))
    weight[:, :, row, column] = 1
    return Conv2d(weight, np.zeros(channels), padding=padding, groups=channels)
