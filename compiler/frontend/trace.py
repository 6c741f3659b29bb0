"""From a PyTorch module to the graph."""

from __future__ import annotations

import copy

import torch
import torch.fx
from torch import nn
from torch.nn.parameter import is_lazy

from snnc.compiler.frontend.build import build
from snnc.compiler.frontend.probe import PROBE, probe
from snnc.compiler.frontend.size_limit import check_sizes
from snnc.compiler.frontend.symbolic import symbolic
from snnc.compiler.ir import Graph, Shape, execute
from snnc.errors import ModelError, first_line


def trace(module: nn.Module, input_shape: Shape) -> Graph:
    """Traces a module with torch.fx and translates every operation.

    Args:
        module: The network; it is copied, put into evaluation mode and left as it was.
        input_shape: Shape of one sample: (channels, height, width) or (features,).

    Returns:
        A graph whose nodes are named after the modules (``features.0``), or after torch.fx's nodes where an operation
        is a function (``relu_1``); a module used again gets ``:1``, ``:2`` behind its name.

    Raises:
        ModelError: The module does not run on input of that shape, cannot be traced, or asks for absurd memory.
        UnsupportedError: It holds an operation that cannot be compiled; the message names it.
    """
    network = _copied(module).eval().float()
    traced = symbolic(network)
    check_sizes(traced, input_shape, PROBE)
    probe(traced, input_shape)
    graph = build(traced, input_shape)
    graph.remove_unread()
    _check_same(graph, network, input_shape)
    return graph


def _copied(module: nn.Module) -> nn.Module:
    for path, part in module.named_modules():
        if any(is_lazy(parameter) for parameter in part.parameters(recurse=False)):
            raise ModelError(
                f"{type(part).__name__} has no parameters yet", where=path, advice="run the network once, then train it"
            )
    try:
        return copy.deepcopy(module)
    except Exception as error:  # whatever the copied objects raise
        raise ModelError(
            f"the network cannot be copied: {first_line(error)}",
            where=type(module).__name__,
            advice="give it no attributes that copy.deepcopy refuses",
        ) from error


def _check_same(graph: Graph, network: nn.Module, input_shape: Shape) -> None:
    """Compares graph and module on random data: what torch.fx does not see must not be lost silently.

    Hooks of the outermost module, a forward() put on an instance, and views of what is changed in place are such.
    """
    batch = torch.randn(PROBE, *input_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    tolerance = 1e-6
    try:
        expected = _run(network.double(), batch)
    except RuntimeError:  # a tensor that forward() makes stays float32 where its neighbours become float64
        batch, tolerance = batch.float(), 1e-3
        expected = _run(network.float(), batch)
    found = execute(graph, batch)[graph.output.name]
    scale = float(expected.abs().max())
    if not torch.allclose(found, expected, rtol=tolerance, atol=tolerance * scale, equal_nan=True):
        raise ModelError(
            "the traced network does not compute what the module computes",
            where=type(network).__name__,
            advice="take out hooks, forward() methods set on instances, and in-place operations whose input is read "
            "again",
        )


def _run(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        output: torch.Tensor = network(batch.clone())
    return output
