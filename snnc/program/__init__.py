"""The compiled network as data: what the compiler makes, a .net file holds and the backends run."""

from snnc.program.coding import InputCoding
from snnc.program.layer import Bias, Entries, Gate, Layer, Membrane, NeuronLayer, Scaled, Synapse
from snnc.program.net import load, save
from snnc.program.network import CompiledNetwork, Wording
from snnc.program.program import Program
from snnc.program.provenance import AnnLayer, Provenance
from snnc.program.sigma_delta import SigmaDeltaLayer, SigmaDeltaProgram

__all__ = [
    "AnnLayer",
    "Bias",
    "CompiledNetwork",
    "Entries",
    "Gate",
    "InputCoding",
    "Layer",
    "Membrane",
    "NeuronLayer",
    "Program",
    "Provenance",
    "Scaled",
    "SigmaDeltaLayer",
    "SigmaDeltaProgram",
    "Synapse",
    "Wording",
    "load",
    "save",
]
