"""From torch.fx's graph, once probed, to ours."""

from __future__ import annotations

import torch
import torch.fx

from snnc.compiler.frontend.functions import translate_function, translate_method
from snnc.compiler.frontend.modules import translate_module
from snnc.compiler.frontend.parameters import check_finite
from snnc.compiler.frontend.places import call_name, module_of
from snnc.compiler.frontend.probe import Effects
from snnc.compiler.frontend.source_lines import line_of
from snnc.compiler.frontend.support import Call, title_of
from snnc.compiler.frontend.values import Values
from snnc.compiler.ir import Graph, Input, Operation, Output, Shape
from snnc.compiler.program.neuron_layer import named_place
from snnc.errors import UnsupportedError


def build(traced: torch.fx.GraphModule, input_shape: Shape) -> Graph:
    """Translates every call, whether the output depends on it or not.

    Args:
        traced: The network, probed.
        input_shape: Shape of one sample.

    Raises:
        UnsupportedError: A call cannot be compiled, or the network has other than one input and one output.
    """
    graph = Graph()
    values = Values()
    for node in traced.graph.nodes:
        if node.op == "output":
            graph.add(graph.free_name("output"), Output(), (_returned(node, values),))
        elif node.op == "placeholder":
            if len(graph):
                raise UnsupportedError("the network has several inputs", where=str(node.target), expected="one tensor")
            graph.add("input", Input(input_shape))
            values.add(node, "input")
        elif node.op != "get_attr" and "tensor_meta" in node.meta:
            _add(graph, traced, node, values)
    return graph


def _returned(node: torch.fx.Node, values: Values) -> str:
    (value,) = node.args
    if not isinstance(value, torch.fx.Node):
        raise UnsupportedError(
            "the network returns several values", where="output", expected="one tensor", found=str(value)
        )
    if value not in values:
        raise UnsupportedError(
            "the network does not return a tensor", where="output", expected="one tensor", found=str(value)
        )
    return values[value]


def _add(graph: Graph, traced: torch.fx.GraphModule, node: torch.fx.Node, values: Values) -> None:
    operands = [each for each in _arguments(node) if each in values]
    call = _call(traced, node, operands)
    last = base = graph.free_name(call_name(node))
    inputs = tuple(values[each] for each in operands)
    for index, operation in enumerate(_translate(traced, call)):
        check_finite(operation, call)
        last = base if not index else graph.free_name(f"{base}.{operation.kind.lower()}")
        inputs = (graph.add(last, operation, inputs, modules=(module_of(node),)).name,)
    if graph[last].shape != call.shape[1:]:
        raise call.unsupported(f"{call.kind} has the shape {call.shape[1:]} here, not {graph[last].shape}")
    effects: Effects = node.meta["effects"]
    values.add(node, last, same=effects.same)
    for each in effects.changed:
        values.change(each, last)


def _call(traced: torch.fx.GraphModule, node: torch.fx.Node, operands: list[torch.fx.Node]) -> Call:
    name = module_of(node)
    is_module = node.op == "call_module"
    # Of a call that gives several tensors, the shape of the first: none of them is translated.
    meta = node.meta["tensor_meta"]
    return Call(
        node=node,
        where=named_place((name,)) if is_module else name,
        kind=type(traced.get_submodule(name)).__name__ if is_module else title_of(node),
        shapes=tuple(tuple(each.meta["tensor_meta"].shape) for each in operands),
        shape=tuple(meta.shape) if hasattr(meta, "shape") else (),
        parameters=tuple(each for each in _arguments(node) if each.op == "get_attr"),
        line=line_of(node),
    )


def _translate(traced: torch.fx.GraphModule, call: Call) -> tuple[Operation, ...]:
    if call.parameters and not call.shapes:
        raise call.unsupported(
            f"the parameter or buffer {call.parameters[0].target} is used as data",
            "only the network's input to flow through it",
        )
    if call.node.op == "call_module":
        translated: Operation | tuple[Operation, ...] = translate_module(
            traced.get_submodule(str(call.node.target)), call
        )
    elif call.node.op == "call_function":
        translated = translate_function(call)
    else:
        translated = translate_method(call)
    return translated if isinstance(translated, tuple) else (translated,)


def _arguments(node: torch.fx.Node) -> list[torch.fx.Node]:
    """The nodes that a call reads, in the order of its arguments; one that stands there twice is there twice."""
    found: list[torch.fx.Node] = []
    torch.fx.node.map_arg((node.args, node.kwargs), found.append)
    return found
