"""From a quantised graph to a Program."""

from __future__ import annotations

from snnc.compiler.ir import Graph, QuantizedLayer
from snnc.compiler.program import AnnLayer, InputCoding, Program, Provenance


def to_program(
    graph: Graph,
    *,
    target: str,
    timesteps: int,
    coding: InputCoding,
    ann: tuple[AnnLayer, ...],
    provenance: Provenance,
    lead: int = 0,
) -> Program:
    """The program of a graph whose layers are all quantised."""
    layers = tuple(node.op.layer for node in graph if isinstance(node.op, QuantizedLayer))
    return Program(target, timesteps, coding, layers, ann, provenance, lead)
