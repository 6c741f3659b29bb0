"""The floating-point network that a program stands for, with the program's thresholds."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from snnc.compiler.choose_max_pooling import ways_taken
from snnc.compiler.frontend import trace
from snnc.compiler.ir import SpikingLayer
from snnc.compiler.lowering import lowering
from snnc.compiler.passes.manager import PassManager, PassRecord
from snnc.compiler.program import Program
from snnc.errors import ModelError
from snnc.thresholds.layer import FloatArray


def lowered_module(program: Program, module: nn.Module) -> tuple[PassRecord, ...]:
    """The passes that turn a network into the spiking layers of a program; nothing is profiled or quantised.

    Args:
        program: The program.
        module: The network that it was compiled from.

    Returns:
        What each pass did; the graph of the last one has the program's spiking layers, and takes input levels.

    Raises:
        ModelError: The model has other layers than the program.
    """
    traced = trace(module, program.coding.shape)
    manager = PassManager(lowering(program.coding, ways_taken(traced, program)))
    graph = manager.run(traced)
    found = {node.name: node.shape for node in graph.of_kind(SpikingLayer)}
    # What is memoryless has the thresholds of what it reads.
    expected = {layer.name: layer.shape for layer in program.spiking_layers if not layer.memoryless}
    check_layers(found, expected)
    return tuple(manager.records)


def check_layers(found: Collection[str], expected: Collection[str]) -> None:
    """Makes sure that a model has the layers of a program.

    Args:
        found: The model's, by name; a mapping where more than the names has to be equal.
        expected: The program's, likewise.

    Raises:
        ModelError: It has others.
    """
    if found != expected:
        raise ModelError(
            "is not the network that the .net file was compiled from",
            where="model (--model)",
            expected=f"the layers {', '.join(expected)}",
            found=", ".join(found),
        )


def program_levels(program: Program) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Threshold Vth and initial potential v0 of each channel, (channels,) in units of the activations, by layer."""
    chosen = {}
    for layer in program.spiking_layers:
        if not layer.memoryless:
            assert layer.threshold is not None
            chosen[layer.name] = (layer.scale, layer.scale * (layer.initial_potential / layer.threshold.value))
    return chosen
