"""Lava's Dense, DelayDense, Sparse and DelaySparse by products of numpy and scipy, where Lava goes over columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.sparse.process import DelaySparse, Sparse
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.runtime.lava.fast.products import (
    BufferedModel,
    SparseProduct,
    float_type,
    largest_message,
    largest_sum,
    loihi_weights,
    shifted,
)

# Loihi 2 has six bits for delays.
LONGEST_DELAY = 63


class MatrixModel(BufferedModel):
    """What synapses with a matrix of weights share: ports and variables, as Lava declares them."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=16)
    a_buff: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=16)
    num_message_bits: NDArray[np.int_] = LavaPyType(np.ndarray, int, precision=5)

    def product(self, weights: csr_matrix) -> SparseProduct:
        """Return the product with weights that are clipped and truncated already."""
        return SparseProduct(weights, self.proc_params.get("weight_exp", 0), is_graded=self.num_message_bits.item() > 0)


class DelayedModel(MatrixModel):
    """What DelaySparse and DelayDense share.

    Args:
        proc_params: Parameters that the process was made with.
    """

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        # Row (step + delay) % rows holds what arrives then.
        self._waiting: NDArray[np.int32] | None = None
        self._now = 0

    def prepare(self) -> None:
        """Clip and truncate the weights, and sort them by delay."""
        delays = csr_matrix(self.delays)
        if delays.nnz and delays.max() > LONGEST_DELAY:
            raise ValueError(f"delays have to be between 0 and {LONGEST_DELAY}, got {delays.max()}")
        weights = csr_matrix(loihi_weights(self.weights, self.proc_params)).tocoo()
        # scipy gives a sparse matrix instead where nothing is asked for.
        own = np.asarray(delays[weights.row, weights.col]).ravel() if weights.nnz else np.zeros(0, int)
        steps = self.a_buff.shape[-1]
        self._products = {}
        for delay in np.unique(own[own < steps]):
            of_delay = own == delay
            entries = (weights.data[of_delay], (weights.row[of_delay], weights.col[of_delay]))
            self._products[int(delay)] = self.product(csr_matrix(entries, weights.shape))
        if self._waiting is None:
            self._waiting = np.ascontiguousarray(self.a_buff.T)

    def buffered(self) -> NDArray[np.int32]:
        """Return what arrives at the target in this step."""
        assert self._waiting is not None
        arriving: NDArray[np.int32] = self._waiting[self._now]
        return arriving

    def accept_spikes(self) -> None:
        """Multiply what arrived, and put it where its delay has passed."""
        assert self._waiting is not None
        messages = self.s_in.recv()
        self._waiting[self._now] = 0
        self._now = (self._now + 1) % len(self._waiting)
        for delay, product in self._products.items():
            self._waiting[(self._now + delay) % len(self._waiting)] += product(messages)


@implements(proc=Dense, protocol=LoihiProtocol)
@requires(CPU)
@tag("snnc_fast")
class FastDenseModel(MatrixModel):
    """The same integers as ``PyDenseModelBitAcc``."""

    weights: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=8)

    @property
    def matrix(self) -> NDArray[Any]:
        """The matrix in the type that was needed last, (sources, targets)."""
        return list(self._matrices.values())[-1]

    def prepare(self) -> None:
        """Clip and truncate the weights."""
        kept = loihi_weights(self.weights, self.proc_params)
        self._exponent = self.proc_params.get("weight_exp", 0)
        self._is_graded = self.num_message_bits.item() > 0
        self._largest_sum = largest_sum(kept)
        # (sources, targets) in each type that was needed.
        self._matrices: dict[type[np.number[Any]], NDArray[Any]] = {np.int64: kept.astype(np.int64).T}

    def accept_spikes(self) -> None:
        """Multiply what arrived."""
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

    weights: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=8)
    delays: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=6)


@implements(proc=Sparse, protocol=LoihiProtocol)
@requires(CPU)
@tag("snnc_fast")
class FastSparseModel(MatrixModel):
    """The same integers as ``PySparseModelBitAcc``."""

    weights: csr_matrix = LavaPyType(csr_matrix, np.int32, precision=8)

    def prepare(self) -> None:
        """Clip and truncate the weights, and choose the form of the product."""
        self._product = self.product(csr_matrix(loihi_weights(self.weights, self.proc_params)))

    def accept_spikes(self) -> None:
        """Multiply what arrived."""
        self.a_buff = self._product(self.s_in.recv())


@implements(proc=DelaySparse, protocol=LoihiProtocol)
@requires(CPU)
@tag("snnc_fast")
class FastDelaySparseModel(DelayedModel):
    """The same integers as ``PyDelaySparseModelBitAcc``: a product for each delay that occurs."""

    weights: csr_matrix = LavaPyType(csr_matrix, np.int32, precision=8)
    delays: csr_matrix = LavaPyType(csr_matrix, np.int32, precision=6)
