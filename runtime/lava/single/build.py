"""The models of an executable, joined within one process."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.compiler.builders.py_builder import PyProcessBuilder
from lava.magma.compiler.executable import Executable
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.process.ports.ports import create_port_id

from snnc.errors import BackendError
from snnc.runtime.lava.single.channels import InPort, Receiver, RefPort, Sender

# Lava's process, its model, and those models that send to a model: Lava has no types.
Process = Any
Senders = dict[PyLoihiProcessModel, list[PyLoihiProcessModel]]


def build_models(executable: Executable) -> tuple[dict[Process, PyLoihiProcessModel], Senders]:
    """Builds all models as Lava's runtime does, with channels of ours.

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
