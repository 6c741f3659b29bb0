"""From torch.fx's graph, once probed, to ours."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

import torch
import torch.fx
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata

from snnc.common.errors import ModelError, UnsupportedError, first_line
from snnc.compiler.frontend.functions import translate_function, translate_method
from snnc.compiler.frontend.locations import call_name, line_of, module_of, place_of
from snnc.compiler.frontend.modules import translate_module
from snnc.compiler.frontend.support import Call, supported, title_of
from snnc.compiler.frontend.weighted import check_finite
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
        """Whether a node is a tensor that the network computes."""
        return node in self._names

    def __getitem__(self, node: torch.fx.Node) -> str:
        """The node of our graph that holds its value now."""
        return self._names[node]

    def add(self, node: torch.fx.Node, name: str, *, same: torch.fx.Node | None = None) -> None:
        """Takes in a node whose value ``name`` holds.

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
        """Notes that a tensor was written to, and that ``name`` holds what it has become."""
        for each in self._same[node]:
            self._names[each] = name


# Two samples, so that an axis of the batch cannot be mistaken for one of the data.
PROBE = 2
_JOINS = ("add", "iadd", "add_", "cat", "concat", "concatenate")


@dataclass(frozen=True)
class Effects:
    """What a call did with the memory of its operands.

    Attributes:
        same: The operand that the result is: the same memory in the same shape; None: a new value.
        changed: Operands whose memory the call wrote to.
    """

    same: torch.fx.Node | None
    changed: tuple[torch.fx.Node, ...]


class _Probe(ShapeProp):
    """Keeps shapes, values that are no tensors (sizes that are arguments of other calls), parameters and effects."""

    failed: torch.fx.Node | None = None

    def run_node(self, n: torch.fx.Node) -> object:
        """Computes one node."""
        operands = {
            node: self.env[node]
            for node in n.all_input_nodes
            if node.op != "get_attr" and isinstance(self.env.get(node), torch.Tensor)
        }
        versions = {node: tensor._version for node, tensor in operands.items()}
        try:
            result: object = super().run_node(n)
        except Exception:
            self.failed = n
            raise
        n.meta["value"] = result if isinstance(result, int | tuple | list) or n.op == "get_attr" else None
        n.meta["effects"] = Effects(
            same=next((node for node, tensor in operands.items() if _is_same(tensor, result)), None),
            # torch counts every write to a tensor's memory.
            changed=tuple(node for node, tensor in operands.items() if tensor._version != versions[node]),
        )
        return result


def probe(traced: torch.fx.GraphModule, input_shape: Shape) -> None:
    """Computes every node for a batch of zeros and writes what it finds into ``node.meta``.

    ``tensor_meta`` describes a tensor, ``value`` is what is no tensor, or a parameter, ``effects`` are ``Effects``.

    Raises:
        ModelError: The network does not run on input of that shape; the message names the module and the line.
        UnsupportedError: It does not run since a call gives several tensors.
    """
    interpreter = _Probe(traced)  # type: ignore[no-untyped-call]
    try:
        # torch prints a traceback to stderr before it raises; the error below says what matters. In inference mode
        # it would not count writes.
        with torch.inference_mode(False), torch.no_grad(), contextlib.redirect_stderr(io.StringIO()):
            interpreter.propagate(torch.zeros(PROBE, *input_shape))  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever a module of torch raises on input that does not fit
        cause, node = error.__cause__ or error, interpreter.failed
        _check_single(node)
        advice = "give calibration data of the shape that it was trained on"
        if node and title_of(node) in _JOINS:
            advice += ", or make the joined paths give one shape: by equal strides and paddings, or a 1x1 convolution"
        raise ModelError(
            f"the network does not run on samples of shape {input_shape}: {first_line(cause)}",
            where=place_of(node) if node else None,
            found=_operands(node) if node else None,
            advice=advice,
        ) from error


def _is_same(tensor: torch.Tensor, result: object) -> bool:
    return (
        isinstance(result, torch.Tensor)
        and tensor.data_ptr() == result.data_ptr()
        and (tensor.shape, tensor.stride()) == (result.shape, result.stride())
    )


def _check_single(node: torch.fx.Node | None) -> None:
    """Refuses a call that gives several tensors: that, and not the one that reads them, is what to mend."""
    for source in node.all_input_nodes if node else ():
        if "tensor_meta" in source.meta and not isinstance(source.meta["tensor_meta"], TensorMetadata):
            raise UnsupportedError(
                "the call gives several tensors",
                where=place_of(source),
                expected="one tensor",
                advice=f"return_indices=False where it is a pooling; {supported()}",
            )


def _operands(node: torch.fx.Node) -> str | None:
    metas = (source.meta.get("tensor_meta") for source in node.all_input_nodes if source.op != "get_attr")
    shapes = [str(tuple(meta.shape[1:])) for meta in metas if isinstance(meta, TensorMetadata)]
    return f"samples of shape {' and '.join(shapes)} there" if shapes else None


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
