"""Lava's runtime, in so far as a network without learning needs it, in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

import numpy as np
from lava.magma.compiler.builders.py_builder import PyProcessBuilder
from lava.magma.compiler.executable import Executable
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.process.ports.ports import create_port_id
from lava.magma.core.run_conditions import RunSteps
from numpy.typing import NDArray

from snnc.common.errors import BackendError
from snnc.runtime.lava.fast.products import BufferedModel

Node = TypeVar("Node")


def running_order(nodes: Iterable[Node], sources: Mapping[Node, Iterable[Node]]) -> list[Node]:
    """Return nodes such that each comes after those that send to it.

    Args:
        nodes: All of them; the order of equals.
        sources: For each the others that send to it in the same step.

    Raises:
        BackendError: They wait for each other.
    """
    try:
        return list(TopologicalSorter({node: set(sources.get(node, ())) for node in nodes}).static_order())
    except CycleError as error:
        raise BackendError(
            "these processes wait for each other, so they cannot run one after another",
            advice="choose the stock models, which Lava runs side by side",
        ) from error


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
        """Hold a message.

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
        """Take the message away.

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
        """Return the sum of what was sent; of one sender what it sent, not to be written to."""
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
        """Return a copy of what the variable holds."""
        return np.array(getattr(self._model, self._variable))


def _composed(functions: Sequence[Transform]) -> Transform:
    if len(functions) == 1:
        return functions[0]

    def composed(message: Array) -> Array:
        for function in functions:
            message = function(message)
        return message

    return composed


# Lava's process, its model, and those models that send to a model: Lava has no types.
Process = Any
Senders = dict[PyLoihiProcessModel, list[PyLoihiProcessModel]]


def build_models(executable: Executable) -> tuple[dict[Process, PyLoihiProcessModel], Senders]:
    """Build all models as Lava's runtime does, with channels of ours.

    Args:
        executable: What Lava's compiler made.

    Returns:
        For each process its model, and for each model those that send to it.

    Raises:
        BackendError: A process has no model in Python.
    """
    builders = executable.proc_builders
    for process, builder in builders.items():
        if not isinstance(builder, PyProcessBuilder):
            raise BackendError("has no model in Python", where=f"process {process.name}")
    references, pairs = [], []
    for channel in executable.channel_builders:
        source, target = channel.src_process, channel.dst_process
        sending, receiving = channel.src_port_initializer, channel.dst_port_initializer
        sender = Sender(sending.name, sending.shape, sending.d_type)
        receiver = Receiver(receiving.name, sender)
        builders[source].set_csp_ports([sender])
        builders[target].set_csp_ports([receiver])
        builders[target].add_csp_port_mapping(create_port_id(source.id, sending.name), receiver)
        if sending.name in builders[source].ref_ports:
            references.append((source, sending.name, target, builders[target].var_ports[receiving.name].var_name))
        elif sending.name in builders[source].py_ports:
            pairs.append((source, target))
    models = {process: builder.build() for process, builder in builders.items()}
    for process, builder in builders.items():
        _replace_in_ports(models[process], builder)
    for process, name, target, variable in references:
        setattr(models[process], name, RefPort(models[target], variable))
    senders: Senders = {}
    for source, target in pairs:
        senders.setdefault(models[target], []).append(models[source])
    return models, senders


def _replace_in_ports(model: PyLoihiProcessModel, builder: PyProcessBuilder) -> None:
    for name, port in builder.py_ports.items():
        if port.port_type != "InPort":
            continue
        functions = port.transform_funcs or {}
        by_receiver = {
            receiver: functions[key]
            for key, receiver in builder._csp_port_map.get(name, {}).items()
            if key in functions
        }
        receivers = builder.csp_ports.get(name, [])
        nothing = np.zeros(port.shape, port.d_type)
        setattr(model, name, InPort(receivers, [by_receiver.get(each, ()) for each in receivers], nothing))


class SingleProcessRuntime:
    """What a Lava process calls its ``runtime``: ``process.run``, ``process.stop`` and variables' ``get`` and ``set``.

    A step has four parts, as in Lava: synapses send what they computed in the step before; everything else runs, each
    after those that send to it; synapses receive their spikes; processes that ask for it manage (``run_post_mgmt``).

    Args:
        executable: What Lava's compiler made.

    Raises:
        BackendError: A process has no model in Python, or processes wait for each other.
    """

    def __init__(self, executable: Executable) -> None:
        models, senders = build_models(executable)
        self.models = list(models.values())
        self._variables = {
            identity: (model, name) for model in self.models for identity, name in model.var_id_to_var_map.items()
        }
        self._synapses = [model for model in self.models if isinstance(model, BufferedModel)]
        others = [model for model in self.models if not isinstance(model, BufferedModel)]
        waited_for = {
            model: [each for each in senders.get(model, []) if not isinstance(each, BufferedModel)] for model in others
        }
        self._others = running_order(others, waited_for)
        never = PyLoihiProcessModel.post_guard
        self._managing = [model for model in self.models if type(model).post_guard is not never]
        executable.assign_runtime_to_all_processes(self)

    def start(self, run_condition: RunSteps) -> None:
        """Run a number of steps, and come back after the last one."""
        for _ in range(run_condition.num_steps):
            self._step()

    def stop(self) -> None:
        """Close what models hold open; nothing runs between steps, so nothing has to end."""
        for model in self.models:
            if close := getattr(model, "close", None):
                close()

    def get_var(self, identity: int, index: NDArray[np.int_] | None = None) -> NDArray[Any]:
        """Return what a variable holds.

        Args:
            identity: Lava's number of the variable.
            index: Which of its values; None: all.
        """
        model, name = self._variables[identity]
        value = np.array(getattr(model, name))
        return value if index is None else value[index]

    def set_var(self, identity: int, value: NDArray[Any], index: NDArray[np.int_] | None = None) -> None:
        """Write to a variable between two steps.

        Args:
            identity: Lava's number of the variable.
            value: What it shall hold.
            index: Which of its values; None: all.
        """
        model, name = self._variables[identity]
        getattr(model, name)[... if index is None else index] = value
        model.on_var_update()

    def _step(self) -> None:
        for model in self.models:
            model.time_step += 1
        for model in self._synapses:
            model.send_buffered()
        for model in self._others:
            model.run_spk()
        for model in self._synapses:
            model.accept_spikes()
        for model in self._managing:
            if model.post_guard():
                model.run_post_mgmt()
