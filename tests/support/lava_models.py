"""Process models by themselves: built as Lava builds them, with ports that a test feeds and reads."""

from __future__ import annotations

from typing import Any

import numpy as np


class Feed:
    """An in port that gives one message after the other."""

    def __init__(self, messages: list[np.ndarray]) -> None:
        self._messages = list(messages)

    def recv(self) -> np.ndarray:
        return self._messages.pop(0)


class Sink:
    """An out port that keeps copies of what was sent, as the port's type."""

    def __init__(self, d_type: Any) -> None:
        self._type = d_type
        self.messages: list[np.ndarray] = []

    def send(self, message: np.ndarray) -> None:
        self.messages.append(np.array(message).astype(self._type))


def outputs(
    process: Any, model_class: Any, port_in: str, port_out: str, messages: list[np.ndarray]
) -> list[np.ndarray]:
    """What a model sends, step by step, when it is given messages.

    Args:
        process: The Lava process.
        model_class: Its model.
        port_in: Name of the in port.
        port_out: Name of the out port.
        messages: One for each step.
    """
    from lava.magma.compiler.builders.py_builder import PyProcessBuilder
    from lava.magma.compiler.utils import VarInitializer

    builder = PyProcessBuilder(model_class, 0, process.proc_params)
    builder.set_variables([VarInitializer(var.name, var.shape, var.init, var.id) for var in process.vars])
    model = builder.build()
    setattr(model, port_in, Feed(messages))
    sink = Sink(np.int32)
    setattr(model, port_out, sink)
    for _ in messages:
        model.time_step += 1
        model.run_spk()
    return sink.messages


def assert_same(process: Any, stock: Any, fast: Any, port_in: str, port_out: str, messages: list[np.ndarray]) -> int:
    """Both models send the same in each step; gives the number of values other than 0."""
    expected = outputs(process, stock, port_in, port_out, messages)
    found = outputs(process, fast, port_in, port_out, messages)
    for step, (one, other) in enumerate(zip(expected, found, strict=True)):
        assert np.array_equal(one, other), f"step {step}: {(one != other).sum()} of {one.size} values differ"
    return int(sum(np.count_nonzero(each) for each in expected))
