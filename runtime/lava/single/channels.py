"""Channels between models in one process: what is sent is handed on, not copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import BackendError

Array = NDArray[Any]
Transform = Callable[[Array], Array]


class Sender:
    """The end of a channel that an out port holds; Lava's ports know it by ``name`` and ``send``.

    The message is the sender's own array: whoever sends leaves it alone until the receiver has read it, which it has
    before the sender's next step.

    Args:
        name: Name of the out port.
        shape: Shape of a message.
        d_type: Type of a message; others are cast, as they are in Lava's shared memory.
    """

    def __init__(self, name: str, shape: tuple[int, ...], d_type: Any) -> None:
        self.name = name
        self._shape = tuple(shape)
        self._type = np.dtype(d_type)
        self.message: Array | None = None

    def send(self, message: Array) -> None:
        """Holds a message.

        Raises:
            BackendError: Its shape is wrong.
        """
        if message.shape != self._shape:
            raise BackendError(
                "a message does not fit its channel",
                where=f"port {self.name}",
                expected=f"shape {self._shape}",
                found=str(message.shape),
            )
        self.message = message if message.dtype == self._type else message.astype(self._type)


class Receiver:
    """The end of a channel that an in port holds.

    Args:
        name: Name of the in port.
        sender: The other end.
    """

    def __init__(self, name: str, sender: Sender) -> None:
        self.name = name
        self._sender = sender

    def recv(self) -> Array:
        """Takes the message away.

        Raises:
            BackendError: There is none: the sender's turn comes later.
        """
        message, self._sender.message = self._sender.message, None
        if message is None:
            raise BackendError(
                "nothing was sent yet in this step, so these processes cannot run one after another",
                where=f"port {self.name}",
                advice="choose the stock models, which Lava runs side by side",
            )
        return message


class InPort:
    """What a model sees in the place of its ``PyInPort``: the same sums, with one array less.

    Args:
        receivers: The channels.
        transforms: For each what virtual ports on the way do to a message, in order.
        nothing: What arrives where nobody sends.
    """

    def __init__(
        self, receivers: Sequence[Receiver], transforms: Sequence[Sequence[Transform]], nothing: Array
    ) -> None:
        self._nothing = nothing
        self._sources = [(receiver, _composed(each)) for receiver, each in zip(receivers, transforms, strict=True)]

    def recv(self) -> Array:
        """The sum of what was sent; of one sender what it sent, not to be written to."""
        if not self._sources:
            return self._nothing
        first, *others = (transform(receiver.recv()) for receiver, transform in self._sources)
        if not others:
            return first
        total = first + others[0]
        for other in others[1:]:
            # In place where the type stays the same, as it does but where types are mixed.
            total = np.add(total, other, out=total) if other.dtype == total.dtype else total + other
        return total


class RefPort:
    """What a model sees in the place of its ``PyRefPort``: a variable of another model.

    Args:
        model: The other model.
        variable: The variable's name.
    """

    def __init__(self, model: Any, variable: str) -> None:
        self._model, self._variable = model, variable

    def read(self) -> Array:
        """A copy of what the variable holds."""
        return np.array(getattr(self._model, self._variable))


def _composed(functions: Sequence[Transform]) -> Transform:
    if len(functions) == 1:
        return functions[0]

    def composed(message: Array) -> Array:
        for function in functions:
            message = function(message)
        return message

    return composed
