"""From a PyTorch module to torch.fx's graph of its calls."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, cast

import torch
import torch.fx
from torch import nn

from snnc.compiler.frontend.activations import is_activation
from snnc.compiler.frontend.source_lines import line_of_failure, with_line
from snnc.compiler.program.neuron_layer import named_place
from snnc.errors import ModelError, first_line


def symbolic(network: nn.Module) -> torch.fx.GraphModule:
    """The calls that a module's forward() makes; a module that was traced before is taken as it is.

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
        """Whether a module is one node."""
        return is_activation(m) or super().is_leaf_module(m, module_qualified_name)

    def proxy(self, node: torch.fx.Node) -> torch.fx.Proxy:
        """What stands for a node's value while the network's code runs."""
        return cast(torch.fx.Proxy, _Proxy(node, self))

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Traces into a module, or makes it one node."""
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:
            self.failed = self.failed or self.path_of_module(m)
            raise


def _is_container(network: nn.Module) -> bool:
    leaf = type(network).__module__.startswith("torch.nn") or is_activation(network)
    return isinstance(network, nn.Sequential) or not leaf
