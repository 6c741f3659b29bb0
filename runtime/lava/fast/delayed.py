"""Synapses that hold spikes back: a sparse product for each delay, where Lava sorts weights anew in each step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.runtime.lava.fast.buffered import BufferedModel
from snnc.runtime.lava.fast.prepared import SparseProduct, loihi_weights

# Loihi 2 has six bits for delays.
LONGEST_DELAY = 63


class DelayedModel(BufferedModel):
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
        """Clips and truncates the weights, and sorts them by delay."""
        delays = csr_matrix(self.delays)
        if delays.nnz and delays.max() > LONGEST_DELAY:
            raise ValueError(f"delays have to be between 0 and {LONGEST_DELAY}, got {delays.max()}")
        weights = csr_matrix(loihi_weights(self.weights, self.proc_params)).tocoo()
        exponent = self.proc_params.get("weight_exp", 0)
        # scipy gives a sparse matrix instead where nothing is asked for.
        own = np.asarray(delays[weights.row, weights.col]).ravel() if weights.nnz else np.zeros(0, int)
        steps = self.a_buff.shape[-1]
        self._products = {}
        for delay in np.unique(own[own < steps]):
            of_delay = own == delay
            entries = (weights.data[of_delay], (weights.row[of_delay], weights.col[of_delay]))
            self._products[int(delay)] = SparseProduct(
                csr_matrix(entries, weights.shape), exponent, is_graded=self.num_message_bits.item() > 0
            )
        if self._waiting is None:
            self._waiting = np.ascontiguousarray(self.a_buff.T)

    def buffered(self) -> NDArray[np.int32]:
        """What arrives at the target in this step."""
        assert self._waiting is not None
        arriving: NDArray[np.int32] = self._waiting[self._now]
        return arriving

    def accept_spikes(self) -> None:
        """Multiplies what arrived, and puts it where its delay has passed."""
        assert self._waiting is not None
        messages = self.s_in.recv()
        self._waiting[self._now] = 0
        self._now = (self._now + 1) % len(self._waiting)
        for delay, product in self._products.items():
            self._waiting[(self._now + delay) % len(self._waiting)] += product(messages)
