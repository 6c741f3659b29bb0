"""What every call of a traced network gives, found by running it on a batch of zeros.

Before one value is computed, the sizes of all are looked at: a file of some bytes can ask for any amount of memory.
"""

from __future__ import annotations

import contextlib
import io
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.fx
from torch import nn
from torch.func import functional_call  # type: ignore[attr-defined]
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata

from snnc.common.errors import ModelError, UnsupportedError, first_line
from snnc.compiler.frontend.locations import place_of
from snnc.compiler.frontend.operations.call import title_of
from snnc.compiler.frontend.operations.table import supported
from snnc.compiler.ir import Shape

# Two samples, so that an axis of the batch cannot be mistaken for one of the data.
PROBE = 2
_JOINS = ("add", "iadd", "add_", "cat", "concat", "concatenate")

# Values that one call may give for one sample. VGG16 has 3 million at most, for images of 224 x 224.
VALUES_MAXIMUM = 1 << 27


def check_sizes(traced: torch.fx.GraphModule, input_shape: Shape) -> None:
    """Go through the calls with tensors that have sizes and no values.

    What fails for another reason is not looked at further: it fails again where values are computed, and the error
    is made there.

    Args:
        traced: The network.
        input_shape: Shape of one sample.

    Raises:
        ModelError: A call gives more values than any network for a chip needs.
    """
    known: dict[torch.fx.Node, object] = {}
    for node in traced.graph.nodes:
        try:
            known[node] = without_values(node, traced, known, input_shape)
        except Exception:  # noqa: BLE001 - whatever a call raises on input that does not fit
            return
        if is_too_large(known[node]):
            raise ModelError(
                "a call gives more values than memory should be taken for",
                where=place_of(node),
                expected=f"at most {VALUES_MAXIMUM:,} for each sample",
            )


def is_too_large(value: object) -> bool:
    """Say whether a tensor of ``PROBE`` samples has more values than any network for a chip needs."""
    return isinstance(value, torch.Tensor) and value.numel() > PROBE * VALUES_MAXIMUM


def without_values(
    node: torch.fx.Node, root: nn.Module, known: Mapping[torch.fx.Node, object], input_shape: Shape
) -> object:
    """Return what a call gives for ``PROBE`` samples, its tensors without values: they take no memory.

    Args:
        node: The call.
        root: The network, which has the modules and tensors that calls name.
        known: What the calls before it give.
        input_shape: Shape of one sample.

    Raises:
        Exception: Whatever the call raises, or that a call before it is not known.
    """
    if node.op == "placeholder":
        return torch.zeros(PROBE, *input_shape, device="meta")
    arguments, named = (torch.fx.node.map_arg(each, known.__getitem__) for each in (node.args, node.kwargs))
    with contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
        if node.op == "get_attr":
            return _to_meta(operator.attrgetter(str(node.target))(root))
        if node.op == "call_module":
            return _module_without_values(root.get_submodule(str(node.target)), arguments, named)
        if node.op == "call_method":
            return getattr(arguments[0], str(node.target))(*arguments[1:], **named)
        return node.target(*arguments, **named) if callable(node.target) else None


def _to_meta(value: object) -> object:
    return value.to("meta") if isinstance(value, torch.Tensor) else value


def _module_without_values(module: nn.Module, arguments: Sequence[object], named: dict[str, object]) -> object:
    if not type(module).__module__.startswith("torch."):
        # A user's activation, whose code is run only once there are values: it keeps the size.
        return arguments[0]
    tensors = {name: each.to("meta") for name, each in [*module.named_parameters(), *module.named_buffers()]}
    return functional_call(module, tensors, tuple(arguments), named)


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
        """Compute one node."""
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
    """Compute every node for a batch of zeros and write what is found into ``node.meta``.

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
    """Refuse a call that gives several tensors: that, and not the one that reads them, is what to mend."""
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
