"""One node of an ONNX model, with what it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from snnc.compiler.frontend.assembly import Assembly
from snnc.compiler.frontend.load_tensors import MalformedFileError
from snnc.compiler.frontend.onnx_models.values import Known, Numbers, Value
from snnc.errors import UnsupportedError

__all__ = ["OnnxCall"]

# Lists of axes, sizes and the like are not longer.
NUMBERS_MAXIMUM = 64


@dataclass(frozen=True)
class OnnxCall:
    """A node.

    Attributes:
        operator: Its operator, such as ``Conv``.
        inputs: What it reads; None where an input is left out.
        attributes: Its attributes by name.
        outputs: Number of values it gives.
        network: Takes the calls that it becomes.
        batch: Number of samples that the model was written for, where that is fixed.
        version: Of the set of operators.
    """

    operator: str
    inputs: Sequence[Known | None]
    attributes: Mapping[str, Any]
    outputs: int
    network: Assembly
    batch: int | None
    version: int

    def value(self, position: int = 0) -> Value:
        """An input that the network computes.

        Raises:
            UnsupportedError: It is a constant.
            MalformedFileError: It is absent.
        """
        given = self._input(position)
        if not isinstance(given, Value):
            raise self.unsupported(f"{self.operator} of a constant", "values that the network computes")
        return given

    def plain(self, position: int = 0) -> Value:
        """An input that the network computes, an image with its channels first, or features.

        Raises:
            UnsupportedError: It is something else.
        """
        value = self.value(position)
        if not value.plain:
            raise self.unsupported(
                f"{self.operator} reads axes in the order {value.order}",
                "a transposition in front of it, as tf2onnx writes them",
            )
        return value

    def constant(self, position: int, name: str) -> torch.Tensor | None:
        """An input that has to be constant; None where it is left out.

        Raises:
            UnsupportedError: It is computed.
        """
        given = self.inputs[position] if position < len(self.inputs) else None
        if given is not None and not isinstance(given, torch.Tensor):
            raise self.unsupported(f"{name} of {self.operator} is computed by the network", "a constant")
        return given

    def required(self, position: int, name: str) -> torch.Tensor:
        """The same, where it must be there.

        Raises:
            MalformedFileError: It is absent.
        """
        given = self.constant(position, name)
        if given is None:
            raise MalformedFileError(f"a {self.operator} has no {name}")
        return given

    def numbers(self, position: int, name: str) -> list[Any] | None:
        """Whole numbers given by an input or, in older models, an attribute; None where they are left out.

        Raises:
            UnsupportedError: They are computed of data.
        """
        if name in self.attributes:
            given = self.attributes[name]
            return list(given) if isinstance(given, Sequence) else [given]
        given = self.inputs[position] if position < len(self.inputs) else None
        if given is None:
            return None
        numbers = as_numbers(given)
        if numbers is None:
            raise self.unsupported(f"{name} of {self.operator} is computed by the network", "numbers")
        return numbers

    def integers(self, position: int, name: str) -> list[int] | None:
        """The same, where all of them have to be known.

        Raises:
            UnsupportedError: They are not.
        """
        numbers = self.numbers(position, name)
        if numbers is not None and not all(isinstance(each, int) for each in numbers):
            raise self.unsupported(
                f"{name} of {self.operator} depends on sizes that the model leaves open",
                "numbers",
                advice="export the model with a fixed size of its images",
            )
        return numbers

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute; it has to be of its default's type."""
        given = self.attributes.get(name, default)
        if default is not None and not isinstance(given, type(default)):
            raise MalformedFileError(f"{name} of a {self.operator} is a {type(given).__name__}")
        return given

    def unsupported(self, problem: str, expected: str | None = None, *, advice: str | None = None) -> UnsupportedError:
        """The error for something that cannot be compiled."""
        return self.network.place.unsupported(problem, expected, kind=self.operator, advice=advice)

    def _input(self, position: int) -> Known:
        given = self.inputs[position] if position < len(self.inputs) else None
        if given is None:
            raise MalformedFileError(f"a {self.operator} lacks an input")
        return given


def as_numbers(given: Known | None) -> list[Any] | None:
    """Whole numbers, in one row; None for what are none."""
    if isinstance(given, Numbers):
        return list(given.values)
    if isinstance(given, torch.Tensor) and not given.is_floating_point() and given.numel() <= NUMBERS_MAXIMUM:
        return [int(each) for each in given.flatten()]
    return None
