"""From a PyTorch module to the graph."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any, cast

import torch
import torch.fx
from torch import nn
from torch.nn.parameter import is_lazy

from snnc.common.errors import ModelError, UnsupportedError, first_line
from snnc.compiler.frontend.build import build
from snnc.compiler.frontend.locations import PLACE, line_of_failure, with_line
from snnc.compiler.frontend.operations.activations import is_activation
from snnc.compiler.frontend.probing import PROBE, check_sizes, probe
from snnc.compiler.ir import Graph, Shape, execute
from snnc.program.layer import named_place


def symbolic(network: nn.Module) -> torch.fx.GraphModule:
    """Return the calls that a module's forward() makes; a module that was traced before is taken as it is.

    Raises:
        ModelError: torch.fx cannot follow the module's code. The message names the module whose forward() that is and,
            where known, the line.
    """
    if isinstance(network, torch.fx.GraphModule):
        return cast(torch.fx.GraphModule, network)
    # A leaf module at the top, such as a bare nn.Linear, would be traced into; inside a container it is one node.
    root = network if _is_container(network) else nn.Sequential(network)
    tracer = _Tracer()
    try:
        graph = tracer.trace(root)
        traced: torch.fx.GraphModule = torch.fx.GraphModule(tracer.root, graph, type(root).__name__)
        return traced
    except Exception as error:  # torch.fx raises whatever the module's own code raises
        place = named_place((tracer.failed,)) if tracer.failed else type(network).__name__
        raise ModelError(
            f"torch.fx cannot trace the network: {first_line(error)}",
            where=with_line(place, line_of_failure(error.__traceback__)),
            advice=_advice(error),
        ) from error


def _advice(error: Exception) -> str:
    text = str(error)
    # What stands for a size while the code runs is no int: whatever needs one raises TypeError.
    if isinstance(error, TypeError) or "Proxy" in text or "symbolic tracing" in text:
        return (
            "Python that depends on a tensor's size or values (len, int, range, a loop over a tensor, torch.zeros of "
            "its sizes) cannot be followed: write the numbers out, or use tensor operations"
        )
    return "take control flow that depends on the data or their sizes out of forward()"


class _Proxy(torch.fx.Proxy):
    """Keeps ``x += y`` apart from ``x + y``: whoever holds x sees the sum."""

    def __iadd__(self, other: object) -> _Proxy:
        return cast(_Proxy, self.tracer.create_proxy("call_function", operator.iadd, (self, other), {}))


class _Tracer(torch.fx.Tracer):
    """Takes activations that carry a threshold for one node, as it does torch.nn's modules.

    Attributes:
        failed: Path of the innermost module in whose forward() an exception was raised; None as long as all is well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.record_stack_traces = True
        self.failed: str | None = None

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Say whether a module is one node."""
        return is_activation(m) or super().is_leaf_module(m, module_qualified_name)

    def proxy(self, node: torch.fx.Node) -> torch.fx.Proxy:
        """Return what stands for a node's value while the network's code runs."""
        return cast(torch.fx.Proxy, _Proxy(node, self))

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Trace into a module, or make it one node."""
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:
            self.failed = self.failed or self.path_of_module(m)
            raise


def _is_container(network: nn.Module) -> bool:
    leaf = type(network).__module__.startswith("torch.nn") or is_activation(network)
    return isinstance(network, nn.Sequential) or not leaf


def trace(module: nn.Module, input_shape: Shape) -> Graph:
    """Trace a module with torch.fx and translate every operation.

    Args:
        module: The network; it is copied, put into evaluation mode and left as it was.
        input_shape: Shape of one sample: (channels, height, width) or (features,).

    Returns:
        A graph whose nodes are named after the modules (``features.0``), or after torch.fx's nodes where an operation
        is a function (``relu_1``); a module used again gets ``:1``, ``:2`` after its name.

    Raises:
        ModelError: The module does not run on input of that shape, cannot be traced, or asks for absurd memory.
        UnsupportedError: It holds an operation that cannot be compiled; the message names it.
    """
    network = _copied(module).eval().float()
    traced = symbolic(network)
    _check_one_input(traced)
    check_sizes(traced, input_shape)
    probe(traced, input_shape)
    graph = build(traced, input_shape)
    graph.remove_unread()
    _check_same(graph, network, input_shape)
    return graph


def _check_one_input(traced: torch.fx.GraphModule) -> None:
    inputs = [node for node in traced.graph.nodes if node.op == "placeholder"]
    for node in inputs[1:]:
        raise UnsupportedError(
            "the network has several inputs", where=str(node.meta.get(PLACE, node.target)), expected="one tensor"
        )


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
    """Compare graph and module on random data: what torch.fx does not see must not be lost silently.

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
