"""From a network of ReLUs to the chain that sigma-delta neurons can take, or the reason why not."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.common.arrays import FloatArray
from snnc.common.errors import UnsupportedError
from snnc.compiler.front import without_shift
from snnc.compiler.ir import (
    ActivationProfile,
    Add,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Graph,
    MaxPool2d,
    Node,
    Readout,
    ReLU,
    Sparse,
    SpikingLayer,
)
from snnc.compiler.ir.passes import Pass
from snnc.compiler.lowering.max_pooling import MaxPooling
from snnc.compiler.lowering.spiking_layers import lowering
from snnc.program import InputCoding

_IF = "compile with --neuron if"


@dataclass(frozen=True, eq=False)
class ChainLayer:
    """A linear operation and the neurons after it.

    Attributes:
        node: The node of the graph.
        weight: (out_channels, in_channels, height, width), groups written out, or (out, in).
        bias: (channels,) or (features,).
        convolution: Its stride, padding and dilation; None for a dense layer.
        drive_minimum: Smallest input to the ReLU on the calibration data, (channels,).
        drive_maximum: Largest.
        is_readout: Whether its sum is the result.
    """

    node: Node
    weight: FloatArray
    bias: FloatArray
    convolution: Conv2d | None
    drive_minimum: FloatArray
    drive_maximum: FloatArray
    is_readout: bool


def check_traced(graph: Graph, *, average_pooling: bool) -> None:
    """Make sure that a traced network is a chain of what sigma-delta neurons can do.

    Args:
        graph: The network as it was traced.
        average_pooling: Whether maximum pooling is to become average pooling.

    Raises:
        UnsupportedError: It is not; the message names the module.
    """
    for node in graph:
        problem = advice = None
        match node.op:
            case Add():
                problem, advice = "residual connections do not fit a chain of sigma-delta layers", _IF
            case Concat():
                problem, advice = "concatenation does not fit a chain of sigma-delta layers", _IF
            case ConvTranspose2d():
                problem, advice = "netx has no transposed convolutions", _IF
            case MaxPool2d() if not average_pooling:
                problem = "sigma-delta neurons have no maximum pooling"
                advice = "take --max-pool avg (average pooling instead), strided convolutions, or --neuron if"
            case ReLU() if type(node.op) is not ReLU or node.op.threshold is not None:
                problem = "netx's sigma-delta neurons rectify without a bound or stairs"
                advice = "train it with ReLU, or compile with --neuron if"
        if problem:
            raise UnsupportedError(problem, where=node.where, advice=advice)


def front_passes(traced: Graph, coding: InputCoding) -> tuple[Pass, ...]:
    """Return the passes from a traced network to the chain; the graph then takes levels plus ``shift / scale``.

    What the levels are short of is left out of the first layer's bias: it goes through the constant channel, so that it
    ends at the image's border as the ANN's padding does.

    Args:
        traced: The network.
        coding: What the input is.
    """
    pooled: dict[str, MaxPooling] = {node.name: "avg" for node in traced.of_kind(MaxPool2d)}
    return lowering(without_shift(coding), pooled)


def chain(graph: Graph) -> tuple[ChainLayer, ...]:
    """Return the layers of a profiled graph in order, the readout last.

    Raises:
        UnsupportedError: A layer is none that netx can load; the message names its modules.
    """
    layers = [node for node in graph if isinstance(node.op, SpikingLayer | Readout)]
    return tuple(_layer(node) for node in layers)


def _layer(node: Node) -> ChainLayer:
    assert isinstance(node.op, SpikingLayer | Readout) and isinstance(node.op.profile, ActivationProfile)
    operation, *others = node.op.synapses
    if others or isinstance(operation, Sparse):
        raise UnsupportedError(
            "cannot be folded into one convolution or dense layer, which is all that netx has",
            where=node.where,
            advice=f"pool without overlap or padding, or {_IF}",
        )
    if operation.bias.ndim > 1:
        raise UnsupportedError(
            "its bias differs at the border of the image, as folded batch normalisation before padding makes it",
            where=node.where,
            advice=f"take the padding off, or {_IF}",
        )
    convolution = operation if isinstance(operation, Conv2d) else None
    return ChainLayer(
        node=node,
        weight=operation.weight if convolution is None else convolution.dense_weight,
        bias=operation.bias,
        convolution=convolution,
        drive_minimum=node.op.profile.drive_minimum,
        drive_maximum=node.op.profile.drive_maximum,
        is_readout=isinstance(node.op, Readout),
    )
