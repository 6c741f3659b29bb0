"""The compiled network as data: what the compiler makes, a .net file holds and the backends run."""

from snnc.compiler.program.coding import InputCoding
from snnc.compiler.program.layer import Bias, Entries, Gate, Layer, Membrane, Scaled, Synapse
from snnc.compiler.program.program import AnnLayer, Program, Provenance

__all__ = [
    "AnnLayer",
    "Bias",
    "Entries",
    "Gate",
    "InputCoding",
    "Layer",
    "Membrane",
    "Program",
    "Provenance",
    "Scaled",
    "Synapse",
]
