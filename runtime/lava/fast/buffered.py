"""What all of Lava's synapse models share: they send what they computed a step ago, then look at the new spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.model.py.model import PyLoihiProcessModel
from numpy.typing import NDArray

# The fixed-point ports of Lava's synapses and neurons carry these.
ACTIVATION = np.int32


class BufferedModel(PyLoihiProcessModel):  # type: ignore[misc]  # lava-nc has no type information
    """A synapse whose step has two halves, so that no order of processes is needed where they run one after another.

    Lava's own models do both in ``run_spk``, in a process of the operating system each, and wait for one another.
    What ``send_buffered`` sends stays as it is until ``accept_spikes`` is called.

    Args:
        proc_params: Parameters that the process was made with.
    """

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._is_prepared = False

    def run_spk(self) -> None:
        """One step, as Lava's runtime wants it."""
        self.send_buffered()
        self.accept_spikes()

    def send_buffered(self) -> None:
        """The first half: sends what the spikes of the step before brought."""
        if not self._is_prepared:
            self.prepare()
            self._is_prepared = True
        self.a_out.send(self.buffered())

    def accept_spikes(self) -> None:
        """The second half: receives the spikes of this step, and computes what they bring."""
        raise NotImplementedError

    def prepare(self) -> None:
        """What is computed once, before the first step, and again after a variable was set."""

    def buffered(self) -> NDArray[np.int32]:
        """What arrives at the target in this step."""
        buffer: NDArray[np.int32] = self.a_buff
        return buffer

    def on_var_update(self) -> None:
        """Lava calls this after it set a variable."""
        self._is_prepared = False
