"""Looks at the sizes of all values before one is computed: a file of some bytes can ask for any amount of memory."""

from __future__ import annotations

import contextlib
import io

import torch
import torch.fx
from torch import nn
from torch.func import functional_call  # type: ignore[attr-defined]

from snnc.common.errors import ModelError
from snnc.compiler.frontend.locations import place_of
from snnc.compiler.ir import Shape

# Values that one call may give for one sample. VGG16 has 3 million at most, for images of 224 x 224.
VALUES_MAXIMUM = 1 << 27


def check_sizes(traced: torch.fx.GraphModule, input_shape: Shape, samples: int) -> None:
    """Goes through the calls with tensors that have sizes and no values.

    What fails for another reason is not looked at further: it fails again where values are computed, and the error
    is made there.

    Args:
        traced: The network.
        input_shape: Shape of one sample.
        samples: Their number.

    Raises:
        ModelError: A call gives more values than any network for a chip needs.
    """
    sizes = _Sizes(traced, samples * VALUES_MAXIMUM)
    with (
        contextlib.suppress(Exception),
        contextlib.redirect_stderr(io.StringIO()),
        torch.no_grad(),
    ):
        sizes.run(torch.zeros(samples, *input_shape, device="meta"))
    if sizes.exceeding is not None:
        raise ModelError(
            "a call gives more values than memory should be taken for",
            where=place_of(sizes.exceeding),
            expected=f"at most {VALUES_MAXIMUM:,} for each sample",
        )


class _Sizes(torch.fx.Interpreter):
    """Stops at the first value that is too large.

    Attributes:
        exceeding: The node that gives it.
    """

    exceeding: torch.fx.Node | None = None

    def __init__(self, traced: torch.fx.GraphModule, maximum: int) -> None:
        super().__init__(traced)
        self._maximum = maximum

    def run_node(self, n: torch.fx.Node) -> object:
        """The sizes of one node's value."""
        if n.op == "get_attr":
            found: object = super().run_node(n)
            return found.to("meta") if isinstance(found, torch.Tensor) else found
        if n.op == "call_module":
            result = self._module_result(self.module.get_submodule(str(n.target)), n)
        else:
            result = super().run_node(n)
        if isinstance(result, torch.Tensor) and result.numel() > self._maximum:
            self.exceeding = n
            raise OverflowError
        return result

    def _module_result(self, module: nn.Module, node: torch.fx.Node) -> object:
        arguments, named = self.fetch_args_kwargs_from_env(node)
        if not type(module).__module__.startswith("torch."):
            # A user's activation, whose code is run only once there are values: it keeps the size.
            return arguments[0]
        tensors = {name: each.to("meta") for name, each in [*module.named_parameters(), *module.named_buffers()]}
        return functional_call(module, tensors, arguments, named)
