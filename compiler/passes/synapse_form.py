"""A float operation's connections as the synapse that is to hold them."""

from __future__ import annotations

import numpy as np

from snnc.compiler.ir import Conv2d, Linear, Sparse, Weighted
from snnc.compiler.program import Entries, Synapse
from snnc.compiler.program.layer import IntegerArray


def has_netx_form(synapse: Weighted) -> bool:
    """Whether netx can load such a synapse, as the first of a layer."""
    return isinstance(synapse, Conv2d | Linear)


def as_synapse(synapse: Weighted, weight: IntegerArray, source: int, exponent: int = 0) -> Synapse:
    """The operation's connections with other weights.

    Args:
        synapse: The operation.
        weight: In the shape of its weights; for a sparse one those of its entries.
        source: Index of the layer that it reads.
        exponent: Of all weights.
    """
    if isinstance(synapse, Linear):
        return Synapse(source, "dense", weight, exponent=exponent)
    if isinstance(synapse, Sparse):
        entries = Entries(synapse.matrix.indptr.astype(np.int32), synapse.matrix.indices.astype(np.int32))
        return Synapse(source, "sparse", weight, exponent=exponent, entries=entries)
    return Synapse(
        source,
        "conv",
        weight,
        synapse.stride,
        synapse.padding,
        synapse.dilation,
        synapse.groups,
        exponent,
    )
