"""Means over the axes of an image."""

from __future__ import annotations

import torch

from snnc.compiler.frontend.operations.call import Call
from snnc.compiler.frontend.operations.table import Operator, advise
from snnc.compiler.ir import AvgPool2d, Flatten, Operation

advise("use a mean over both image axes, x.mean((2, 3)), and scale the weights of the next layer", "sum")


@Operator(
    functions=(torch.mean,),
    methods=("mean",),
    aten=("mean",),
    onnx=("ReduceMean",),
    listed_call="means over both image axes",
    conditions="over both image axes, or over one with `keepdim`",
)
def mean(call: Call, dim: object = None, keepdim: object = False, *, dtype: object = None) -> tuple[Operation, ...]:
    """Build the mean over the rows and columns of an image."""
    shape = call.shapes[0]
    axes = (dim,) if isinstance(dim, int) else dim if isinstance(dim, tuple) else ()
    over = sorted({axis % len(shape) for axis in axes if isinstance(axis, int)})
    keep = bool(keepdim)
    if dtype is not None:
        raise call.unsupported("a mean with a dtype of its own", "dtype=None")
    # Over one axis alone an image would be left with two, unless the axis is kept.
    if len(shape) != 4 or over not in ([2, 3], *([[2], [3]] if keep else [])):
        raise call.unsupported(
            f"a mean over axes {dim} of shape {shape}" + (" with keepdim" if keep else ""),
            "both image axes: x.mean((2, 3))",
            advice="use AdaptiveAvgPool2d or AvgPool2d",
        )
    kernel = (shape[2] if 2 in over else 1, shape[3] if 3 in over else 1)
    pooling = AvgPool2d(kernel, kernel)
    return (pooling,) if keep else (pooling, Flatten())
