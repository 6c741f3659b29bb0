"""Lava's Sparse and DelaySparse by scipy's product, where Lava picks columns anew in each step."""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.sparse.process import DelaySparse, Sparse
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.runtime.lava.fast.buffered import BufferedModel
from snnc.runtime.lava.fast.delayed import DelayedModel
from snnc.runtime.lava.fast.prepared import SparseProduct, loihi_weights


@implements(proc=Sparse, protocol=LoihiProtocol)
@requires(CPU)
@tag("snnc_fast")
class FastSparseModel(BufferedModel):
    """The same integers as ``PySparseModelBitAcc``."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=16)
    a_buff: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=16)
    weights: csr_matrix = LavaPyType(csr_matrix, np.int32, precision=8)
    num_message_bits: NDArray[np.int_] = LavaPyType(np.ndarray, int, precision=5)

    def prepare(self) -> None:
        """Clips and truncates the weights, and chooses the form of the product."""
        weights = csr_matrix(loihi_weights(self.weights, self.proc_params))
        exponent = self.proc_params.get("weight_exp", 0)
        self._product = SparseProduct(weights, exponent, is_graded=self.num_message_bits.item() > 0)

    def accept_spikes(self) -> None:
        """Multiplies what arrived."""
        self.a_buff = self._product(self.s_in.recv())


@implements(proc=DelaySparse, protocol=LoihiProtocol)
@requires(CPU)
@tag("snnc_fast")
class FastDelaySparseModel(DelayedModel):
    """The same integers as ``PyDelaySparseModelBitAcc``: a product for each delay that occurs."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=16)
    a_buff: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=16)
    weights: csr_matrix = LavaPyType(csr_matrix, np.int32, precision=8)
    delays: csr_matrix = LavaPyType(csr_matrix, np.int32, precision=6)
    num_message_bits: NDArray[np.int_] = LavaPyType(np.ndarray, int, precision=5)
