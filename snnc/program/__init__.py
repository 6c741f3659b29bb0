"""The compiled network as data: what the compiler makes, a .net file holds and the backends run.

The names below are imported when they are first used, so that whoever asks for a chip alone, as the command line does,
does not wait for all of it.
"""

from typing import TYPE_CHECKING

from snnc.common.lazy_names import lazy_names

if TYPE_CHECKING:
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

_HOMES = {
    "snnc.program.coding": ("InputCoding",),
    "snnc.program.layer": (
        "Bias",
        "Entries",
        "Gate",
        "Layer",
        "Membrane",
        "NeuronLayer",
        "Scaled",
        "Synapse",
    ),
    "snnc.program.net": (
        "load",
        "save",
    ),
    "snnc.program.network": (
        "CompiledNetwork",
        "Wording",
    ),
    "snnc.program.program": ("Program",),
    "snnc.program.provenance": (
        "AnnLayer",
        "Provenance",
    ),
    "snnc.program.sigma_delta": (
        "SigmaDeltaLayer",
        "SigmaDeltaProgram",
    ),
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
