"""Operations with weights: convolutions, linear layers, batch normalisation."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import nn

from snnc.compiler.frontend.operations.call import Call, array_or, as_array
from snnc.compiler.frontend.operations.table import Operator, advise
from snnc.compiler.ir import BatchNorm, Conv2d, ConvTranspose2d, Linear

advise(
    "train with BatchNorm2d instead",
    "groupnorm",
    "groupnormalization",
    "instancenorm2d",
    "instancenormalization",
    "layernorm",
    "layernormalization",
    "localresponsenorm",
    "lrn",
    "rmsnorm",
)
advise("only products with parameters can be compiled: nn.Linear", "matmul")
advise("train with ConvTranspose2d instead", "interpolate", "resize", "upsample")
advise(
    "signals (N, channels, length) are not supported yet: use Conv2d and pooling with windows (1, k) on images of one "
    "row, (N, channels, 1, length)",
    "conv1d",
    "convtranspose1d",
    "maxpool1d",
    "avgpool1d",
    "adaptiveavgpool1d",
    "adaptivemaxpool1d",
)
advise("volumes are not supported: use Conv2d with the depth as channels", "conv3d", "maxpool3d", "avgpool3d")
advise(
    "recurrent layers are not supported: a network has to be one of convolutions or linear layers",
    "lstm",
    "gru",
    "rnn",
    "lstmcell",
    "grucell",
)
advise("attention is not supported: products of two values cannot be compiled", "multiheadattention", "softmax2d")


@Operator(
    modules=(nn.Conv2d,),
    functions=(F.conv2d,),
    aten=("conv2d", "convolution", "_convolution"),
    onnx=("Conv",),
    reads_several=True,
    listed=("Conv2d",),
    conditions="any stride, dilation, groups; zero padding; weights that are parameters or buffers, as they are",
)
def conv2d(
    call: Call,
    weight: object = None,
    bias: object = None,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
    groups: object = 1,
    *,
    padding_mode: str = "zeros",
) -> Conv2d:
    """Build a convolution; ``padding`` is one integer, two, ``same`` or ``valid``."""
    _check_padding_mode(call, padding_mode)
    kernel, shift = call.required_tensor("weight", weight), call.tensor("bias", bias)
    steps, spread = call.pair("stride", stride), call.pair("dilation", dilation)
    count = call.number("groups", groups)
    _check_image(call)
    if padding == "same":
        spans = [step * (size - 1) for step, size in zip(spread, kernel.shape[2:], strict=True)]
        if any(span % 2 for span in spans):
            raise call.unsupported("padding='same' with an even kernel pads unevenly", "an odd kernel")
        padding = (spans[0] // 2, spans[1] // 2)
    sides = (0, 0) if padding == "valid" else call.pair("padding", padding)
    return Conv2d(as_array(kernel), array_or(shift, np.zeros(len(kernel))), steps, sides, spread, count)


@Operator(
    modules=(nn.ConvTranspose2d,),
    functions=(F.conv_transpose2d,),
    aten=("conv_transpose2d",),
    onnx=("ConvTranspose",),
    reads_several=True,
    listed=("ConvTranspose2d",),
    conditions="any stride, dilation, groups, output padding; weights as above",
)
def conv_transpose2d(
    call: Call,
    weight: object = None,
    bias: object = None,
    stride: object = 1,
    padding: object = 0,
    output_padding: object = 0,
    groups: object = 1,
    dilation: object = 1,
    *,
    padding_mode: str = "zeros",
) -> ConvTranspose2d:
    """Build a transposed convolution; its output padding shows in the output's size, whether given or asked for."""
    _check_padding_mode(call, padding_mode)
    kernel, shift = call.required_tensor("weight", weight), call.tensor("bias", bias)
    steps, sides = call.pair("stride", stride), call.pair("padding", padding)
    count, spread = call.number("groups", groups), call.pair("dilation", dilation)
    _check_image(call)
    rows, columns = (
        size - ((before - 1) * step - 2 * side + between * (length - 1) + 1)
        for size, before, step, side, between, length in zip(
            call.shape[2:], call.shapes[0][2:], steps, sides, spread, kernel.shape[2:], strict=True
        )
    )
    zeros = np.zeros(kernel.shape[1] * count)
    return ConvTranspose2d(as_array(kernel), array_or(shift, zeros), steps, sides, (rows, columns), spread, count)


@Operator(
    modules=(nn.Linear,),
    functions=(F.linear,),
    aten=("linear", "addmm", "matmul", "mm"),
    onnx=("Gemm", "MatMul"),
    reads_several=True,
    listed=("Linear",),
    conditions="after a flatten; weights as above",
)
def linear(call: Call, weight: object = None, bias: object = None) -> Linear:
    """Build a linear layer on features."""
    matrix, shift = call.required_tensor("weight", weight), call.tensor("bias", bias)
    if len(call.shapes[0]) != 2:
        raise call.unsupported(
            f"{call.kind} on input of shape {call.shapes[0]}", "shape (batch, features), flattened before"
        )
    return Linear(as_array(matrix), array_or(shift, np.zeros(len(matrix))))


@Operator(
    modules=(nn.BatchNorm1d, nn.BatchNorm2d),
    functions=(F.batch_norm,),
    aten=("batch_norm", "_native_batch_norm_legit_no_training", "_batch_norm_no_update"),
    onnx=("BatchNormalization",),
    reads_several=True,
    listed=("BatchNorm1d", "BatchNorm2d"),
    conditions="with running statistics; weights as above",
)
def batch_norm(
    call: Call,
    running_mean: object = None,
    running_var: object = None,
    weight: object = None,
    bias: object = None,
    training: object = False,
    momentum: object = 0.1,
    eps: float = 1e-5,
) -> BatchNorm:
    """Build batch normalisation by running statistics."""
    if training is not False:
        raise call.in_training(
            "F.batch_norm with training=True normalises by the batch at inference too",
            "F.batch_norm(x, ..., training=self.training)",
        )
    mean, variance = call.tensor("running_mean", running_mean), call.tensor("running_var", running_var)
    scale, shift = call.tensor("weight", weight), call.tensor("bias", bias)
    if mean is None or variance is None:
        raise call.unsupported("batch normalisation without running statistics", "track_running_stats=True")
    if (variance + eps <= 0).any():
        raise call.unsupported("batch normalisation with a running variance that is not positive", "numbers above 0")
    ones, zeros = np.ones(len(mean)), np.zeros(len(mean))
    return BatchNorm(as_array(mean), as_array(variance), array_or(scale, ones), array_or(shift, zeros), float(eps))


def _check_image(call: Call) -> None:
    if len(call.shapes[0]) != 4:
        raise call.unsupported(f"{call.kind} on unbatched input", "shape (batch, channels, height, width)")


def _check_padding_mode(call: Call, mode: str) -> None:
    if mode != "zeros":
        raise call.unsupported(f"padding_mode={mode!r}", "padding_mode='zeros'")
