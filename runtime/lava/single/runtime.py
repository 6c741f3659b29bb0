"""Lava's runtime, in so far as a network without learning needs it, in one process."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.compiler.executable import Executable
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.run_conditions import RunSteps
from numpy.typing import NDArray

from snnc.runtime.lava.fast.buffered import BufferedModel
from snnc.runtime.lava.single.build import build_models
from snnc.runtime.lava.single.order import running_order


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
        """Runs a number of steps, and comes back after the last one."""
        for _ in range(run_condition.num_steps):
            self._step()

    def stop(self) -> None:
        """Closes what models hold open; nothing runs between steps, so nothing has to end."""
        for model in self.models:
            if close := getattr(model, "close", None):
                close()

    def get_var(self, identity: int, index: NDArray[np.int_] | None = None) -> NDArray[Any]:
        """What a variable holds.

        Args:
            identity: Lava's number of the variable.
            index: Which of its values; None: all.
        """
        model, name = self._variables[identity]
        value = np.array(getattr(model, name))
        return value if index is None else value[index]

    def set_var(self, identity: int, value: NDArray[Any], index: NDArray[np.int_] | None = None) -> None:
        """Writes to a variable between two steps.

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
