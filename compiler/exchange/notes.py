"""What other readers of an exported graph have to know."""

from __future__ import annotations

from snnc.compiler.exchange.layout import Form
from snnc.compiler.program import Layer, Program

__all__ = ["export_notes", "has_bias_map"]


def has_bias_map(layer: Layer) -> bool:
    """Whether a convolution feeds the layer and its bias differs within a channel: no field of NIR's holds that."""
    return layer.synapses[0].kind == "conv" and layer.bias.size != layer.shape[0]


def export_notes(program: Program, form: Form) -> tuple[str, ...]:
    """Sentences for whoever exported a program.

    Args:
        program: The program.
        form: What its neurons became.
    """
    notes = []
    if form == "if":
        notes.append(
            "NIR's IF neurons reset to a value, these by subtraction, which stands in their metadata: readers that do "
            "not look there give other spikes; --neuron cuba makes a graph that resets by subtraction by itself"
        )
    for layer in program.layers:
        if has_bias_map(layer):
            notes.append(
                f"layer {layer.name}: its bias differs from neuron to neuron, so an LI node with the time constant of "
                "one step adds it; that is exact in readers that take Euler steps"
            )
        if any(each.kind == "conv" and each.weight.shape[2] != each.weight.shape[3] for each in layer.synapses):
            notes.append(
                f"layer {layer.name}: nir miscalculates the sizes of kernels that are not square; read the file with "
                "nir.read(path, type_check=False)"
            )
    return tuple(notes)
