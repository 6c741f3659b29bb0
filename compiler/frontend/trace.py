"""From a PyTorch module to the graph."""

from __future__ import annotations

import contextlib
import copy
import io
from typing import cast

import torch
import torch.fx
from torch import nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn.parameter import is_lazy

from snnc.compiler.frontend.activations import is_activation
from snnc.compiler.frontend.functions import translate_function, translate_method
from snnc.compiler.frontend.modules import translate_module
from snnc.compiler.frontend.support import Call, supported
from snnc.compiler.ir import Graph, Input, Output, ReLU, Shape, execute
from snnc.compiler.program.layer import named_place
from snnc.errors import ModelError, UnsupportedError, first_line

# Two samples, so that an axis of the batch cannot be mistaken for one of the data.
PROBE = 2


def trace(module: nn.Module, input_shape: Shape) -> Graph:
    """Traces a module with torch.fx and translates every operation.

    Args:
        module: The network; it is copied, put into evaluation mode and left as it was.
        input_shape: Shape of one sample: (channels, height, width) or (features,).

    Returns:
        A graph whose nodes are named after the modules (``features.0``), or after torch.fx's nodes where an operation
        is a function (``relu_1``); a module used again gets ``:1``, ``:2`` behind its name.

    Raises:
        ModelError: The module does not run on input of that shape, or cannot be traced.
        UnsupportedError: It holds an operation that cannot be compiled; the message names it.
    """
    network = _copied(module).eval().float()
    traced = _symbolic(network)
    _propagate_shapes(traced, input_shape)
    graph = Graph()
    names: dict[torch.fx.Node, str] = {}
    for node in traced.graph.nodes:
        if node.op == "output":
            (value,) = node.args
            if not isinstance(value, torch.fx.Node):
                raise UnsupportedError(
                    "the network returns several values", where="output", expected="one tensor", found=str(value)
                )
            if value not in names:
                raise UnsupportedError(
                    "the network does not return a tensor", where="output", expected="one tensor", found=str(value)
                )
            graph.add(graph.free_name("output"), Output(), (names[value],))
        elif node.op == "placeholder":
            if names:
                raise UnsupportedError("the network has several inputs", where=str(node.target), expected="one tensor")
            graph.add("input", Input(input_shape))
            names[node] = "input"
        elif _is_tensor(node):
            _add(graph, traced, node, names)
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


class _Tracer(torch.fx.Tracer):
    """Takes activations that carry a threshold for one node, as it does torch.nn's modules."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is one node."""
        return is_activation(m) or super().is_leaf_module(m, module_qualified_name)


def _symbolic(network: nn.Module) -> torch.fx.GraphModule:
    if isinstance(network, torch.fx.GraphModule):
        return cast(torch.fx.GraphModule, network)
    # A leaf module at the top, such as a bare nn.Linear, would be traced into; inside a container it is one node.
    root = network if _is_container(network) else nn.Sequential(network)
    try:
        tracer = _Tracer()
        graph = tracer.trace(root)
        traced: torch.fx.GraphModule = torch.fx.GraphModule(tracer.root, graph, type(root).__name__)
        return traced
    except Exception as error:  # torch.fx raises whatever the module's own code raises
        raise ModelError(
            f"torch.fx cannot trace the network: {first_line(error)}",
            where=type(network).__name__,
            advice="take control flow that depends on the data out of forward()",
        ) from error


def _is_container(network: nn.Module) -> bool:
    leaf = type(network).__module__.startswith("torch.nn") or is_activation(network)
    return isinstance(network, nn.Sequential) or not leaf


class _Shapes(ShapeProp):
    """Keeps what is no tensor too: sizes that are arguments of other calls."""

    def run_node(self, n: torch.fx.Node) -> object:
        """Computes one node."""
        result: object = super().run_node(n)
        n.meta["value"] = result if isinstance(result, int | tuple | list) else None
        return result


def _propagate_shapes(traced: torch.fx.GraphModule, input_shape: Shape) -> None:
    try:
        # torch prints a traceback to stderr before it raises; the error below says what matters.
        with torch.no_grad(), contextlib.redirect_stderr(io.StringIO()):
            probe = torch.zeros(PROBE, *input_shape)
            _Shapes(traced).propagate(probe)  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever a module of torch raises on input that does not fit
        cause = error.__cause__ or error
        raise ModelError(
            f"the network does not run on samples of shape {input_shape}: {first_line(cause)}",
            advice="give calibration data of the shape that it was trained on",
        ) from error


def _check_same(graph: Graph, network: nn.Module, input_shape: Shape) -> None:
    """Compares graph and module on random data: what torch.fx does not see must not be lost silently.

    Hooks of the outermost module, a forward() put on an instance, and views of what is changed in place are such.
    """
    probe = torch.randn(PROBE, *input_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = execute(graph, probe)[graph.output.name]
    with torch.no_grad():
        expected = network.double()(probe.clone())
    if not torch.allclose(found, expected, rtol=1e-6, atol=1e-6 * float(expected.abs().max()), equal_nan=True):
        raise ModelError(
            "the traced network does not compute what the module computes",
            where=type(network).__name__,
            advice="take out hooks, forward() methods set on instances, and in-place operations whose input is read "
            "again",
        )


def _is_tensor(node: torch.fx.Node) -> bool:
    """Whether a node computes data, and not a shape for a later view."""
    return "tensor_meta" in node.meta and hasattr(node.meta["tensor_meta"], "shape")


def _add(graph: Graph, traced: torch.fx.GraphModule, node: torch.fx.Node, names: dict[torch.fx.Node, str]) -> None:
    if node.op == "get_attr":
        raise UnsupportedError(
            "a parameter or buffer is used as data",
            where=str(node.target),
            expected="only the network's input to flow through it",
            advice=supported(),
        )
    sources = [source for source in node.all_input_nodes if _is_tensor(source)]
    call = Call(
        node=node,
        where=_where(node),
        shapes=tuple(tuple(source.meta["tensor_meta"].shape) for source in sources),
        shape=tuple(node.meta["tensor_meta"].shape),
    )
    if node.op == "call_module":
        op = translate_module(traced.get_submodule(str(node.target)), call)
    elif node.op == "call_function":
        op = translate_function(call)
    else:
        op = translate_method(call)
    if len(sources) != 1:
        raise call.unsupported(f"{call.title} of {len(sources)} tensors", "one tensor as its input")
    name = graph.free_name(str(node.target) if node.op == "call_module" else node.name)
    module = str(node.target) if node.op == "call_module" else _owner(node)
    graph.add(name, op, tuple(names[source] for source in sources), modules=(module,) if module else (name,))
    names[node] = name
    if isinstance(op, ReLU) and _in_place(traced, call):
        # Whoever reads the input later reads what has become of it.
        names[sources[0]] = name


def _in_place(traced: torch.fx.GraphModule, call: Call) -> bool:
    if call.node.op == "call_module":
        return bool(getattr(traced.get_submodule(str(call.node.target)), "inplace", False))
    return call.title.endswith("_") or bool(call.argument("inplace", 1, False))


def _owner(node: torch.fx.Node) -> str:
    """Qualified name of the module whose forward() holds a function call, with the call's own name behind it."""
    stack = node.meta.get("nn_module_stack") or {}
    path = next(reversed(stack.values()))[0] if stack else ""
    return f"{path}.{node.name}" if path else node.name


def _where(node: torch.fx.Node) -> str:
    return named_place((str(node.target),)) if node.op == "call_module" else _owner(node)
