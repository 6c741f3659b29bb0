"""From torch.fx's graph, once probed, to ours."""

from __future__ import annotations

import numpy as np
import torch
import torch.fx
from torch import nn
from torch.fx.passes.shape_prop import TensorMetadata

from snnc.common.errors import UnsupportedError
from snnc.compiler.frontend.locations import call_name, line_of, module_of
from snnc.compiler.frontend.operations.call import Call, kept, title_of
from snnc.compiler.frontend.operations.table import (
    Operator,
    function_operator,
    method_operator,
    module_operator,
    together,
)
from snnc.compiler.frontend.probing import Effects
from snnc.compiler.ir import Graph, Input, Operation, Output, Shape
from snnc.program.layer import named_place


class Values:
    """Nodes of our graph for nodes of torch.fx's.

    In PyTorch several names can be one tensor: what ``x.relu_()`` and ``F.dropout(x, training=False)`` return is x
    itself. Whoever writes to one writes to all, and whoever reads any of them later reads what was written.
    """

    def __init__(self) -> None:
        self._names: dict[torch.fx.Node, str] = {}
        # For each node all that are the same tensor, itself included; they share the list.
        self._same: dict[torch.fx.Node, list[torch.fx.Node]] = {}

    def __contains__(self, node: torch.fx.Node) -> bool:
        """Say whether a node is a tensor that the network computes."""
        return node in self._names

    def __getitem__(self, node: torch.fx.Node) -> str:
        """Return the node of our graph that holds its value now."""
        return self._names[node]

    def add(self, node: torch.fx.Node, name: str, *, same: torch.fx.Node | None = None) -> None:
        """Take in a node whose value ``name`` holds.

        Args:
            node: The node.
            name: The node of our graph.
            same: An earlier node that is the same tensor.
        """
        self._names[node] = name
        group = self._same[same] if same is not None else []
        group.append(node)
        self._same[node] = group

    def change(self, node: torch.fx.Node, name: str) -> None:
        """Note that a tensor was written to, and that ``name`` holds what it has become."""
        for each in self._same[node]:
            self._names[each] = name


def build(traced: torch.fx.GraphModule, input_shape: Shape) -> Graph:
    """Translate every call, whether the output depends on it or not.

    Args:
        traced: The network, probed.
        input_shape: Shape of one sample.

    Raises:
        UnsupportedError: Calls cannot be compiled, or the network has other than one input and one output. All of
            them are named.
    """
    graph = Graph()
    values = Values()
    refused: list[UnsupportedError] = []
    at_fault: set[torch.fx.Node] = set()
    # Nodes that give several tensors, which nothing stands in for.
    several: set[torch.fx.Node] = set()
    for node in traced.graph.nodes:
        try:
            if node.op == "output":
                graph.add(graph.free_name("output"), Output(), (_returned(node, values),))
            elif node.op == "placeholder":
                graph.add("input", Input(input_shape))
                values.add(node, "input")
            elif node.op != "get_attr" and "tensor_meta" in node.meta:
                if several.isdisjoint(node.all_input_nodes):
                    _add(graph, traced, node, values)
                else:
                    _stand_in(graph, node, values, several)
        except UnsupportedError as error:
            # What is wrong with a call that reads a refused one may be due to that alone.
            if at_fault.isdisjoint(node.all_input_nodes) or not _is_known(traced, node):
                refused.append(error)
            at_fault.add(node)
            _stand_in(graph, node, values, several)
    if refused:
        raise together(refused)
    return graph


def check_operations(traced: torch.fx.GraphModule) -> None:
    """Check that a network's layers and torch's functions are in the table, as far as their names tell.

    Args:
        traced: The network; sizes need not be known.

    Raises:
        UnsupportedError: Some are not; all of them are named.
    """
    refused = []
    for node in traced.graph.nodes:
        name = module_of(node)
        module = traced.get_submodule(name) if node.op == "call_module" else None
        is_torch = node.op == "call_function" and str(getattr(node.target, "__module__", "")).startswith("torch")
        if (module is not None or is_torch) and not _is_known(traced, node):
            kind = type(module).__name__ if module is not None else title_of(node)
            where = named_place((name,)) if module is not None else name
            refused.append(Call(node, where, kind, (), (), line=line_of(node)).unsupported(f"{kind} is not supported"))
    if refused:
        raise together(refused)


def _is_known(traced: torch.fx.GraphModule, node: torch.fx.Node) -> bool:
    """Return whether the table has what a node calls."""
    if node.op == "call_module":
        return module_operator(traced.get_submodule(module_of(node))) is not None
    if node.op == "call_method":
        return method_operator(str(node.target)) is not None
    return node.op != "call_function" or function_operator(node.target) is not None


def _stand_in(graph: Graph, node: torch.fx.Node, values: Values, several: set[torch.fx.Node]) -> None:
    """Put something of the same shape in the place of a call that is refused, so that those after it are looked at."""
    meta = node.meta.get("tensor_meta")
    if isinstance(meta, TensorMetadata):
        name = graph.add(graph.free_name(call_name(node)), Input(tuple(meta.shape[1:]))).name
        values.add(node, name)
    else:
        several.add(node)


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
    for index, operation in enumerate(_translate(call)):
        _check_finite(operation, call)
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
    module = traced.get_submodule(name) if node.op == "call_module" else None
    # Of a call that gives several tensors, the shape of the first: none of them is translated.
    meta = node.meta["tensor_meta"]
    return Call(
        node=node,
        where=named_place((name,)) if module is not None else name,
        kind=type(module).__name__ if module is not None else title_of(node),
        shapes=tuple(tuple(each.meta["tensor_meta"].shape) for each in operands),
        shape=tuple(meta.shape) if hasattr(meta, "shape") else (),
        parameters=tuple(each for each in _arguments(node) if each.op == "get_attr"),
        line=line_of(node),
        module=module,
    )


def _translate(call: Call) -> tuple[Operation, ...]:
    if call.parameters and not call.shapes:
        raise _used_as_data(call)
    if call.module is not None:
        row = _of_module(call, call.module)
        given = row.of_module(call.module)
    else:
        row = _of_function(call)
        given = {name: kept(each) for name, each in row.of_call(call.node.args, call.node.kwargs).items()}
    translated: Operation | tuple[Operation, ...] = row.build(call, **given)
    return translated if isinstance(translated, tuple) else (translated,)


def _of_module(call: Call, module: nn.Module) -> Operator:
    row = module_operator(module)
    if row is None:
        raise call.unsupported(f"{call.kind} is not supported")
    for hooks in (module._forward_hooks, module._forward_pre_hooks):
        if hooks:
            raise call.unsupported(f"{call.kind} has a forward hook, which would be lost", "a module without hooks")
    _check_one_tensor(call)
    return row


def _of_function(call: Call) -> Operator:
    is_method = call.node.op == "call_method"
    row = method_operator(str(call.node.target)) if is_method else function_operator(call.node.target)
    if row is None:
        raise call.unsupported(f"{'Tensor.' if is_method else ''}{call.kind} is not supported")
    if not row.reads_several:
        if call.parameters:
            raise _used_as_data(call)
        _check_one_tensor(call)
    return row


def _check_one_tensor(call: Call) -> None:
    if len(call.shapes) != 1:
        raise call.unsupported(f"{call.kind} of {len(call.shapes)} tensors", "one tensor as its input")


def _used_as_data(call: Call) -> UnsupportedError:
    return call.unsupported(
        f"the parameter or buffer {call.parameters[0].target} is used as data",
        "only the network's input to flow through it",
    )


def _check_finite(operation: Operation, call: Call) -> None:
    if any(isinstance(array, np.ndarray) and not np.isfinite(array).all() for array in vars(operation).values()):
        raise call.unsupported(f"{call.kind} holds NaN or infinite parameters", "finite numbers")


def _arguments(node: torch.fx.Node) -> list[torch.fx.Node]:
    """Return the nodes that a call reads, in the order of its arguments; one that stands there twice is there twice."""
    found: list[torch.fx.Node] = []
    torch.fx.node.map_arg((node.args, node.kwargs), found.append)
    return found
