"""Where the processes of a network come from: Lava, or a recording of what it would have been asked for."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.runtime.lava.population import Process


class Parts(Protocol):
    """Makes processes with the ports, and of the arguments, of those that Lava ships under these names.

    Only a synapse's ``sign_mode`` differs: it is the name of Lava's.
    """

    def lif(self, **options: Any) -> Process:
        """Make neurons."""
        ...

    def lif_reset(self, **options: Any) -> Process:
        """Make neurons that are cleared once in each interval."""
        ...

    def sparse(self, *, weights: csr_matrix, **options: Any) -> Process:
        """Make synapses."""
        ...

    def delay_sparse(self, *, weights: csr_matrix, delays: csr_matrix, **options: Any) -> Process:
        """Make synapses that hold spikes back."""
        ...


class LavaParts:
    """Lava's processes; Lava is imported as the first of each kind is made."""

    def source(self, stream: NDArray[np.int32]) -> Process:
        """Make what sends a stream, (*shape, steps)."""
        from lava.proc.io.source import RingBuffer

        return RingBuffer(data=stream)

    def lif(self, **options: Any) -> Process:
        """Make neurons."""
        from lava.proc.lif.process import LIF

        return LIF(**options)

    def lif_reset(self, **options: Any) -> Process:
        """Make neurons that are cleared once in each interval."""
        from lava.proc.lif.process import LIFReset

        return LIFReset(**options)

    def sparse(self, *, weights: csr_matrix, **options: Any) -> Process:
        """Make synapses."""
        from lava.proc.sparse.process import Sparse

        return Sparse(weights=weights, **_with_sign_mode(options))

    def delay_sparse(self, *, weights: csr_matrix, delays: csr_matrix, **options: Any) -> Process:
        """Make synapses that hold spikes back."""
        from lava.proc.sparse.process import DelaySparse

        return DelaySparse(weights=weights, delays=delays, **_with_sign_mode(options))


def _with_sign_mode(options: dict[str, Any]) -> dict[str, Any]:
    from lava.utils.weightutils import SignMode

    name = options.get("sign_mode")
    return options if name is None else {**options, "sign_mode": SignMode[name]}
