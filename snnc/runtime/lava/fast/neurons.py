"""Lava's LIF and LIFReset as one compiled loop over the neurons, where Lava makes some twenty arrays a step."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.lif.models import AbstractPyLifModelFixed
from lava.proc.lif.process import LIF, LIFReset

from snnc.runtime.loihi_neuron import integrate


class FastNeuronModel(AbstractPyLifModelFixed):  # type: ignore[misc]  # lava-nc has no type information
    """What both kinds of neurons share; spikes are sent as booleans."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.bool_, precision=24)
    vth: int = LavaPyType(int, np.int32, precision=17)

    def run_spk(self) -> None:
        """Compute one step."""
        activation = self.a_in.recv()
        if not self.isbiasscaled:
            self._prepare()
        if self._resets():
            self.u[...] = 0
            self.v[...] = 0
        integrate(
            activation.astype(np.int32, copy=False).ravel(),
            self._current,
            self._voltage,
            self._bias,
            self.decay_unity - self._current_decay - self.ds_offset,
            self.decay_unity - self._voltage_decay - self.dm_offset,
            self._threshold,
            self._fired,
        )
        self.s_out.send(self._spikes)

    def on_var_update(self) -> None:
        """Prepare anew before the next step; Lava calls this after it set a variable."""
        self.isbiasscaled = False

    def _resets(self) -> bool:
        """Return whether potentials are cleared in this step."""
        raise NotImplementedError

    def _prepare(self) -> None:
        """Compute what Lava's model computes in each step, though only setting a variable changes it."""
        self.scale_bias()
        self._bias = np.ascontiguousarray(self.effective_bias, dtype=np.int32).ravel()
        self._threshold = int(np.left_shift(self.vth, self.vth_shift))
        self._current_decay, self._voltage_decay = int(self.du), int(self.dv)
        # Views: whoever reads u and v sees what the loop wrote.
        self._current, self._voltage = self.u.reshape(-1), self.v.reshape(-1)
        self._spikes = np.zeros(self.u.shape, bool)
        self._fired = self._spikes.reshape(-1)


@implements(proc=LIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("snnc_fast")
class FastLIFModel(FastNeuronModel):
    """The same integers as ``PyLifModelBitAcc``."""

    def _resets(self) -> bool:
        """Return whether potentials are cleared in this step."""
        return False


@implements(proc=LIFReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("snnc_fast")
class FastLIFResetModel(FastNeuronModel):
    """The same integers as ``PyLifResetModelBitAcc``."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._interval = proc_params["reset_interval"]
        self._offset = proc_params["reset_offset"] % self._interval

    def _resets(self) -> bool:
        """Return whether potentials are cleared in this step."""
        return bool(self.time_step % self._interval == self._offset)
