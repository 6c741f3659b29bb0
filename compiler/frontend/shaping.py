"""Translating what changes no value but its place, and softmax."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.sparse import csr_matrix

from snnc.compiler.frontend.support import Call
from snnc.compiler.ir import Flatten, Identity, Operation, Softmax, Sparse


def flatten(call: Call) -> Operation:
    """Flatten, where a call keeps the batch axis and joins all others."""
    (shape,) = call.shapes
    if call.shape == shape:
        return Identity()
    if call.shape != (shape[0], math.prod(shape[1:])):
        raise call.unsupported(f"{call.kind} from {shape} to {call.shape}", "all axes but the batch joined into one")
    return Flatten()


def flatten_channels_last(images: torch.Tensor) -> torch.Tensor:
    """Images as features, in the order in which frameworks with channels last count them.

    Args:
        images: (samples, channels, rows, columns).

    Returns:
        (samples, rows * columns * channels), the channels of one pixel side by side.
    """
    return images.permute(0, 2, 3, 1).flatten(1)


def reordered(call: Call) -> Operation:
    """``flatten_channels_last`` as a map that moves values."""
    shape = call.shapes[0][1:]
    size = math.prod(shape)
    places = np.arange(size).reshape(shape).transpose(1, 2, 0).ravel()
    if np.array_equal(places, np.arange(size)):
        return Flatten()
    matrix = csr_matrix((np.ones(size), (np.arange(size), places)), (size, size))
    return Sparse(matrix, np.zeros(size), (size,), shape)


def softmax(call: Call, dim: object, *, logarithm: bool) -> Operation:
    """Softmax over the classes."""
    if len(call.shapes[0]) != 2 or dim not in (1, -1, None):
        raise call.unsupported(f"softmax over axis {dim} of shape {call.shapes[0]}", "the classes' axis, 1")
    return Softmax(logarithm)
