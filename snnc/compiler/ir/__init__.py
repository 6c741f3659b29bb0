"""The intermediate representation: a directed acyclic graph of frozen operations with checked shapes."""

from snnc.compiler.ir.graph import Graph, Node, execute
from snnc.compiler.ir.ops import (
    Add,
    Affine,
    BatchNorm,
    Concat,
    Conv2d,
    Flatten,
    Identity,
    Input,
    IntegrateAndFire,
    Linear,
    Operation,
    Output,
    ReLU,
    Shape,
    Softmax,
)
from snnc.compiler.ir.pooling import AvgPool2d, MaxPool2d, Relay, SpikeMax2d
from snnc.compiler.ir.sparse import ConvTranspose2d, Sparse
from snnc.compiler.ir.spiking import ActivationProfile, QuantizedLayer, Readout, SpikingLayer, Weighted

__all__ = [
    "ActivationProfile",
    "Add",
    "Affine",
    "AvgPool2d",
    "BatchNorm",
    "Concat",
    "Conv2d",
    "ConvTranspose2d",
    "Flatten",
    "Graph",
    "Identity",
    "Input",
    "IntegrateAndFire",
    "Linear",
    "MaxPool2d",
    "Node",
    "Operation",
    "Output",
    "QuantizedLayer",
    "ReLU",
    "Readout",
    "Relay",
    "Shape",
    "Softmax",
    "Sparse",
    "SpikeMax2d",
    "SpikingLayer",
    "Weighted",
    "execute",
]
