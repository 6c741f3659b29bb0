"""Translating what changes no value but its place, and softmax."""

from __future__ import annotations

import math

from snnc.compiler.frontend.support import Call
from snnc.compiler.ir import Flatten, Identity, Operation, Softmax


def flatten(call: Call) -> Operation:
    """Flatten, where a call keeps the batch axis and joins all others."""
    (shape,) = call.shapes
    if call.shape == shape:
        return Identity()
    if call.shape != (shape[0], math.prod(shape[1:])):
        raise call.unsupported(f"{call.kind} from {shape} to {call.shape}", "all axes but the batch joined into one")
    return Flatten()


def softmax(call: Call, dim: object, *, logarithm: bool) -> Operation:
    """Softmax over the classes."""
    if len(call.shapes[0]) != 2 or dim not in (1, -1, None):
        raise call.unsupported(f"softmax over axis {dim} of shape {call.shapes[0]}", "the classes' axis, 1")
    return Softmax(logarithm)
