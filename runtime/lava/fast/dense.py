"""Lava's Dense as one matrix product in floating point, where Lava picks columns anew in each step."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.process import DelayDense, Dense
from numpy.typing import NDArray

from snnc.runtime.lava.fast.buffered import BufferedModel
from snnc.runtime.lava.fast.delayed import DelayedModel
from snnc.runtime.lava.fast.exact import float_type, largest_message, largest_sum
from snnc.runtime.lava.fast.prepared import loihi_weights, shifted


@implements(proc=Dense, protocol=LoihiProtocol)
@requires(CPU)
@tag("snnc_fast")
class FastDenseModel(BufferedModel):
    """The same integers as ``PyDenseModelBitAcc``."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=16)
    a_buff: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=16)
    weights: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=8)
    num_message_bits: NDArray[np.int_] = LavaPyType(np.ndarray, int, precision=5)

    @property
    def matrix(self) -> NDArray[Any]:
        """The matrix in the type that was needed last, (sources, targets)."""
        return list(self._matrices.values())[-1]

    def prepare(self) -> None:
        """Clips and truncates the weights."""
        kept = loihi_weights(self.weights, self.proc_params)
        self._exponent = self.proc_params.get("weight_exp", 0)
        self._is_graded = self.num_message_bits.item() > 0
        self._largest_sum = largest_sum(kept)
        # (sources, targets) in each type that was needed.
        self._matrices: dict[type[np.number[Any]], NDArray[Any]] = {np.int64: kept.astype(np.int64).T}

    def accept_spikes(self) -> None:
        """Multiplies what arrived."""
        messages = self.s_in.recv()
        if not self._is_graded:
            messages = messages.astype(bool, copy=False)
        precision = float_type(self._largest_sum * (largest_message(messages) if self._is_graded else 1)) or np.int64
        if precision not in self._matrices:
            self._matrices[precision] = np.ascontiguousarray(self._matrices[np.int64], dtype=precision)
        sums = (messages.astype(precision) @ self._matrices[precision]).astype(np.int64)
        # Lava adds up spikes in 64 bits and numbers in 32, which wrap.
        self.a_buff = shifted(sums.astype(np.int32) if self._is_graded else sums, self._exponent).astype(np.int32)


@implements(proc=DelayDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("snnc_fast")
class FastDelayDenseModel(DelayedModel):
    """The same integers as ``PyDelayDenseModelBitAcc``."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=16)
    a_buff: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=16)
    weights: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=8)
    delays: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=6)
    num_message_bits: NDArray[np.int_] = LavaPyType(np.ndarray, int, precision=5)
