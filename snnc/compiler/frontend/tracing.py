"""From a PyTorch module to the graph."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, cast

import torch
import torch.fx
from torch import nn

from snnc.common.errors import ModelError, SnncError, UnsupportedError, first_line
from snnc.compiler.frontend.build import build, check_operations
from snnc.compiler.frontend.locations import PLACE, line_of_failure, with_line
from snnc.compiler.frontend.operations.activations import is_activation
from snnc.compiler.frontend.plain_layers import check_not_quantized, copied, with_plain_layers
from snnc.compiler.frontend.probing import PROBE, check_sizes, is_too_large, probe, without_values
from snnc.compiler.ir import Graph, Shape, execute
from snnc.program.layer import named_place


def symbolic(network: nn.Module, input_shape: Shape | None) -> torch.fx.GraphModule:
    """Return the calls that a module's forward() makes; a module that was traced before is taken as it is.

    Args:
        network: The module; code of its forward() sees sizes as numbers, all but the number of samples.
        input_shape: Shape of one sample; None: sizes are not known.

    Raises:
        ModelError: torch.fx cannot follow the module's code. The message names the module whose forward() that is and,
            where known, the line.
    """
    if isinstance(network, torch.fx.GraphModule):
        return cast(torch.fx.GraphModule, network)
    # A leaf module at the top, such as a bare nn.Linear, would be traced into; inside a container it is one node.
    root = network if _is_container(network) else nn.Sequential(network)
    tracer = _Tracer(input_shape)
    try:
        graph = tracer.trace(root)
        traced: torch.fx.GraphModule = torch.fx.GraphModule(tracer.root, graph, type(root).__name__)
        return traced
    except Exception as error:  # torch.fx raises whatever the module's own code raises
        place = named_place((tracer.failed,)) if tracer.failed else type(network).__name__
        where = with_line(place, line_of_failure(error.__traceback__))
        if isinstance(error, _LayerInForwardError):
            raise ModelError(
                f"forward() makes a {error} anew on every call, with weights that nothing was trained to",
                where=where,
                advice="make it in __init__() and train the network again",
            ) from error
        raise ModelError(
            f"torch.fx cannot trace the network: {first_line(error)}", where=where, advice=_advice(error)
        ) from error


def _advice(error: Exception) -> str:
    text = str(error)
    if text.startswith("reshape()"):
        return "torch.reshape() takes no number of samples here: use x.flatten(1), or x.reshape() and x.view()"
    # What stands for a tensor while the code runs is no number: whatever needs one raises TypeError.
    if isinstance(error, TypeError) or "Proxy" in text or "symbolic tracing" in text:
        return (
            "Python that depends on a tensor's values or on the number of samples (if, len, int, float, a loop over a "
            "tensor) cannot be: write the numbers out, or use tensor operations"
        )
    return "check that the network runs on a batch as it is, and take what depends on the data out of forward()"


class _LayerInForwardError(Exception):
    """forward() makes a layer that has weights."""


class _Shape(tuple[Any, ...]):
    """Sizes of a tensor as forward() sees them, with what torch.Size has beyond a tuple."""

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return _Shape(found) if isinstance(key, slice) else found

    def numel(self) -> Any:
        """Return the product."""
        return math.prod(self)


class _Proxy(torch.fx.Proxy):
    """Stands for a tensor while the network's code runs; its sizes are numbers, all but that of the batch.

    It keeps ``x += y`` apart from ``x + y``: whoever holds x sees the sum.
    """

    tracer: _Tracer

    def __iadd__(self, other: object) -> _Proxy:
        return self._call(operator.iadd, self, other)

    def __isub__(self, other: object) -> _Proxy:
        return self._call(operator.isub, self, other)

    def __imul__(self, other: object) -> _Proxy:
        return self._call(operator.imul, self, other)

    def __itruediv__(self, other: object) -> _Proxy:
        return self._call(operator.itruediv, self, other)

    def _call(self, function: Callable[..., Any], *arguments: object) -> _Proxy:
        return cast(_Proxy, self.tracer.create_proxy("call_function", function, arguments, {}))

    @property
    def shape(self) -> Any:
        """The sizes; of a tensor whose sizes are not known what stands for them."""
        sizes = self.tracer.sizes(self.node)
        return torch.fx.proxy.Attribute(self, "shape") if sizes is None else self._with_batch(sizes)

    @property
    def ndim(self) -> Any:
        """Number of axes."""
        sizes = self.tracer.sizes(self.node)
        return torch.fx.proxy.Attribute(self, "ndim") if sizes is None else len(sizes)

    def dim(self) -> Any:
        """Return the number of axes."""
        return self.ndim if self.tracer.sizes(self.node) is not None else self._method("dim")

    def size(self, dim: int | None = None) -> Any:
        """Return the sizes, or that of one axis."""
        sizes = self.tracer.sizes(self.node)
        if sizes is None:
            return self._method("size", *(() if dim is None else (dim,)))
        if dim is None:
            return self._with_batch(sizes)
        return self._with_batch(sizes)[dim]

    def _with_batch(self, sizes: Shape) -> _Shape:
        # The network's own tensors are not of samples.
        return _Shape(sizes if self.node.op == "get_attr" or not sizes else (self._method("size", 0), *sizes[1:]))

    def _method(self, name: str, *arguments: object) -> Any:
        return self.tracer.create_proxy("call_method", name, (self, *arguments), {})


class _Tracer(torch.fx.Tracer):
    """Takes activations that carry a threshold for one node, as it does torch.nn's modules.

    Args:
        input_shape: Shape of one sample; None: sizes are not known.

    Attributes:
        failed: Path of the innermost module in whose forward() an exception was raised; None as long as all is well.
    """

    def __init__(self, input_shape: Shape | None) -> None:
        super().__init__()
        self.record_stack_traces = True
        self.failed: str | None = None
        self._input_shape = input_shape
        self._known: dict[torch.fx.Node, object] = {}
        self._is_measuring = False

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Say whether a module is one node."""
        return is_activation(m) or super().is_leaf_module(m, module_qualified_name)

    def proxy(self, node: torch.fx.Node) -> torch.fx.Proxy:
        """Return what stands for a node's value while the network's code runs."""
        return cast(torch.fx.Proxy, _Proxy(node, self))

    def create_node(self, *arguments: Any, **named: Any) -> torch.fx.Node:
        """Add a node, and find the sizes of what it gives."""
        node: torch.fx.Node = super().create_node(*arguments, **named)
        if self._is_measuring or self._input_shape is None:
            return node
        self._is_measuring = True
        try:
            value = without_values(node, self.root, self._known, self._input_shape)
            # Whatever is too large is refused once all is traced, and nothing is computed before that.
            if not is_too_large(value):
                self._known[node] = value
        except Exception:  # noqa: BLE001 - its sizes are not known, and whoever needs them says so
            pass
        finally:
            self._is_measuring = False
        return node

    def create_args_for_root(self, *arguments: Any, **named: Any) -> tuple[Any, list[Any]]:
        """Return the function to trace and its arguments; those that need not be given have their defaults."""
        function, given = super().create_args_for_root(*arguments, **named)
        for position, each in enumerate(given):
            node = getattr(each, "node", None)
            if position > 1 and isinstance(node, torch.fx.Node) and (node.args or str(node.target).startswith("*")):
                default = node.args[0] if node.args else {} if str(node.target).startswith("**") else ()
                node.graph.erase_node(node)
                given[position] = default
        return function, given

    def sizes(self, node: torch.fx.Node) -> Shape | None:
        """Return the sizes of a tensor, the number of samples first; None where they are not known."""
        value = self._known.get(node)
        return tuple(value.shape) if isinstance(value, torch.Tensor) else None

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Return a module's attribute, or what stands for it."""
        return attr_val if self._is_measuring else super().getattr(attr, attr_val, parameter_proxy_cache)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Trace into a module, or make it one node; one that forward() makes itself is traced into."""
        if self._is_measuring:
            return forward(*args, **kwargs)
        path = self._path(m)
        if path is None:
            if next(m.parameters(), None) is not None:
                raise _LayerInForwardError(type(m).__name__)
            return forward(*args, **kwargs)
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:
            self.failed = self.failed or path
            raise

    def _path(self, module: nn.Module) -> str | None:
        try:
            return str(self.path_of_module(module))
        except NameError:
            return None


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
    network = copied(module)
    check_not_quantized(network)
    traced = symbolic(with_plain_layers(network), input_shape)
    _check_one_input(traced)
    check_sizes(traced, input_shape)
    try:
        probe(traced, input_shape)
    except ModelError:
        # It may fail for what is no operation of ours: that is to be said, and not that data have the wrong shape.
        check_operations(traced)
        raise
    graph = build(traced, input_shape)
    graph.remove_unread()
    _check_same(graph, network, input_shape)
    return graph


def refusal(module: nn.Module) -> SnncError | None:
    """Return what a network is refused for whatever the shape of its input; None where nothing is found.

    Args:
        module: The network; it is left as it was.
    """
    try:
        network = copied(module)
        check_not_quantized(network)
        network = with_plain_layers(network)
    except SnncError as error:
        return error
    try:
        traced = symbolic(network, None)
    except ModelError:
        return None  # perhaps for sizes only, which are not known here
    try:
        _check_one_input(traced)
        check_operations(traced)
    except SnncError as error:
        return error
    return None


def _check_one_input(traced: torch.fx.GraphModule) -> None:
    names = [str(node.meta.get(PLACE, node.target)) for node in traced.graph.nodes if node.op == "placeholder"]
    if len(names) != 1:
        raise UnsupportedError(
            f"the network has {'several inputs' if names else 'no input'}",
            expected="one tensor",
            found=", ".join(names) or "forward() without arguments",
            advice="give them as one: the channels of both in one array, taken apart by slices in forward(), such as "
            "x[:, :3] and x[:, 3:]"
            if names
            else None,
        )


def _check_same(graph: Graph, network: nn.Module, input_shape: Shape) -> None:
    """Compare graph and module on random data: what torch.fx does not see must not be lost silently.

    Hooks of the outermost module, a forward() put on an instance, and views of what is changed in place are such.
    """
    # Another number of samples than the one before: what was computed with that number shows. Of few values many
    # samples, since a ReLU behind few neurons may be 0 for all of some.
    samples = max(PROBE + 1, min(64, (1 << 12) // math.prod(input_shape)))
    batch = torch.randn(samples, *input_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
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
