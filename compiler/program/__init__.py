"""The compiled network as data: what the compiler makes, a .net file holds and the backends run."""

from snnc.compiler.program.coding import InputCoding
from snnc.compiler.program.layer import Bias, Entries, Gate, Layer, Membrane, Scaled, Synapse
from snnc.compiler.program.neuron_layer import NeuronLayer
from snnc.compiler.program.program import AnnLayer, Program, Provenance
from snnc.compiler.program.sigma_delta import SigmaDeltaLayer, SigmaDeltaProgram

# Whatever a .net file holds.
CompiledNetwork = Program | SigmaDeltaProgram

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
]
