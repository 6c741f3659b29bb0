"""What the synapse models share: exact number types, weights as Loihi keeps them, products, a step in two halves."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

# All integers up to these are floating-point numbers, and so is each partial sum, in whatever order it is formed.
SINGLE = 1 << 24
DOUBLE = 1 << 53


def largest_sum(weights: NDArray[np.int32]) -> int:
    """Return the largest that the sum of a row can become in size with inputs of -1, 0 and 1.

    Args:
        weights: A row for each target, (targets, ...).
    """
    return int(np.abs(weights.astype(np.int64)).reshape(len(weights), -1).sum(axis=1).max(initial=0))


def float_type(bound: int) -> type[np.float32] | type[np.float64] | None:
    """Return the fastest type in which sums up to ``bound`` in size are exact; None where floating point has none."""
    if bound <= SINGLE:
        return np.float32
    return np.float64 if bound <= DOUBLE else None


def largest_message(messages: NDArray[np.generic]) -> int:
    """Return the largest size of what arrived, which graded spikes need for their bound."""
    if not messages.size:
        return 0
    return max(int(messages.max()), -int(messages.min()))


INTEGER_LIMIT = 1 << 31
# A product whose inputs are so many times fewer than its weights is looked up where they have not changed.
FEW_INPUTS = 8


def loihi_weights(weights: Any, parameters: Any) -> Any:
    """Return weights with the bits that Loihi keeps, as Lava's models clip and truncate them in their first step.

    Args:
        weights: A matrix, dense or sparse.
        parameters: What the process was made with: ``sign_mode``, ``num_weight_bits``.
    """
    sign_mode = parameters.get("sign_mode") or determine_sign_mode(weights)
    clipped = clip_weights(weights, sign_mode, num_bits=8)
    return truncate_weights(clipped, sign_mode, parameters.get("num_weight_bits", 8))


def shifted(sums: NDArray[Any], exponent: int) -> NDArray[Any]:
    """Return sums times 2^exponent, rounded down, in their own type: Lava shifts integers."""
    return np.left_shift(sums, exponent) if exponent > 0 else np.right_shift(sums, -exponent)


class SparseProduct:
    """A sparse matrix times what arrives, shifted by an exponent.

    Three forms, chosen by the matrix: one weight for each neuron, from the neuron of the same number, is a product of
    vectors; few inputs with many weights (biases and gates: they change in few steps of a sample) are computed when
    they change; all else is scipy's product.

    Args:
        weights: (targets, sources), int32.
        exponent: What sums are shifted by.
        is_graded: Whether numbers arrive and not spikes.
    """

    def __init__(self, weights: csr_matrix, exponent: int, *, is_graded: bool) -> None:
        self._is_graded = is_graded
        self._exponent = exponent
        largest = int(abs(weights).astype(np.int64).sum(axis=1).max()) if weights.nnz else 0
        # Lava adds up spikes in 64 bits and numbers in 32, which wrap.
        wide = not is_graded and largest << max(exponent, 0) >= INTEGER_LIMIT
        self._weights = weights.astype(np.int64 if wide else np.int32)
        self._diagonal = _diagonal(self._weights) if exponent >= 0 else None
        if self._diagonal is not None:
            self._diagonal = shifted(self._diagonal, exponent).astype(np.int32)
            self._scaled = np.empty(len(self._diagonal), np.int32)
        self._used = np.unique(weights.indices)
        self._is_kept = len(self._used) * FEW_INPUTS <= weights.nnz
        self._last_inputs: NDArray[Any] | None = None
        self._last: NDArray[np.int32] | None = None

    def __call__(self, messages: NDArray[Any]) -> NDArray[np.int32]:
        """Return the product, (targets,), int32; its array may be used again at the next call.

        Args:
            messages: What arrived, (sources,).
        """
        if not self._is_graded:
            messages = messages.astype(bool, copy=False)
        if self._diagonal is not None:
            return np.multiply(self._diagonal, messages, out=self._scaled, casting="unsafe")
        if not self._is_kept:
            return self._product(messages)
        inputs = messages[self._used]
        if self._last is None or self._last_inputs is None or not np.array_equal(inputs, self._last_inputs):
            self._last, self._last_inputs = self._product(messages), inputs
        return self._last

    def _product(self, messages: NDArray[Any]) -> NDArray[np.int32]:
        return shifted(self._weights @ messages.astype(self._weights.dtype), self._exponent).astype(np.int32)


def _diagonal(weights: csr_matrix) -> NDArray[Any] | None:
    """Return the weights of a matrix that has nothing but a diagonal; None for any other."""
    rows, columns = weights.shape
    if rows != columns or weights.nnz > rows:
        return None
    entries = weights.tocoo()
    if not np.array_equal(entries.row, entries.col):
        return None
    return np.asarray(weights.diagonal())


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
        """Compute one step, as Lava's runtime wants it."""
        self.send_buffered()
        self.accept_spikes()

    def send_buffered(self) -> None:
        """Send what the spikes of the step before brought: the first half of a step."""
        if not self._is_prepared:
            self.prepare()
            self._is_prepared = True
        self.a_out.send(self.buffered())

    def accept_spikes(self) -> None:
        """Receive the spikes of this step, and compute what they bring: the second half."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Compute what is needed once, before the first step and again after a variable was set."""

    def buffered(self) -> NDArray[np.int32]:
        """Return what arrives at the target in this step."""
        buffer: NDArray[np.int32] = self.a_buff
        return buffer

    def on_var_update(self) -> None:
        """Prepare anew before the next step; Lava calls this after it set a variable."""
        self._is_prepared = False
