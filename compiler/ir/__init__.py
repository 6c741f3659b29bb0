"""The intermediate representation: a directed acyclic graph of frozen operations with checked shapes."""

from snnc.compiler.ir.activation_profile import ActivationProfile
from snnc.compiler.ir.execute import execute
from snnc.compiler.ir.graph import Graph, Node
from snnc.compiler.ir.ops import (
    Affine,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Flatten,
    Identity,
    Input,
    Linear,
    Operation,
    Output,
    ReLU,
    Shape,
    Softmax,
)
from snnc.compiler.ir.spiking import QuantizedLayer, Readout, SpikingLayer, Weighted

__all__ = [
    "ActivationProfile",
    "Affine",
    "AvgPool2d",
    "BatchNorm",
    "Conv2d",
    "Flatten",
    "Graph",
    "Identity",
    "Input",
    "Linear",
    "Node",
    "Operation",
    "Output",
    "QuantizedLayer",
    "ReLU",
    "Readout",
    "Shape",
    "Softmax",
    "SpikingLayer",
    "Weighted",
    "execute",
]
