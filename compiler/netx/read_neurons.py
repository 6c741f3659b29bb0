"""The group ``neuron`` of an entry: what netx hands to Lava's LIF, and what it ignores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.netx.fields import NetxFields
from snnc.compiler.netx.network import Neurons

DECAY_UNITY = 4096
# Lava keeps biases in 16 bits, and a chip in 13.
BIAS = (-(1 << 15), (1 << 15) - 1)
CHIP_BIAS = (-(1 << 12), (1 << 12) - 1)
THRESHOLD_MAXIMUM = 1 << 24
# What netx gives a dense layer without neurons: it writes 1 << 18 - 1 (hdf5.Network.create_dense).
DEFAULT_NEURON = (0, DECAY_UNITY, 1 << 17)
# What training needs.
TRAINING_ONLY = ("scaleRho", "tauRho", "theta")


def read_neurons(
    entry: NetxFields, shape: tuple[int, ...], notes: list[str], *, bias: NDArray[np.int64] | None
) -> Neurons:
    """Reads the neurons of an entry.

    Args:
        entry: The entry.
        shape: Shape of the block.
        notes: Takes up what the file says and Lava ignores.
        bias: Mantissas, which broadcast to the block's shape; None: 0.

    Raises:
        FormatError: They are not LIF neurons (netx's ``CUBA`` or ``LOIHI``), or a value is out of range.
    """
    # A view: what a block claims to hold takes no memory yet.
    mantissas = np.broadcast_to(np.asarray(0 if bias is None else bias, np.int32), shape)
    if bias is not None and (bias.min() < CHIP_BIAS[0] or bias.max() > CHIP_BIAS[1]):
        notes.append(f"{entry.name}: a bias lies beyond the 13 bits that a chip has, {CHIP_BIAS[0]}..{CHIP_BIAS[1]}")
    if not entry.has("neuron"):
        return Neurons(*DEFAULT_NEURON, mantissas)
    neuron = entry.group("neuron")
    kind = neuron.text("type")
    if kind not in ("CUBA", "LOIHI"):
        known = {"SDNN": "sigma-delta neurons"}.get(kind, "other neurons than leaky integrate-and-fire ones")
        raise neuron.error(f"type {kind!r} is not supported: {known}", expected="CUBA or LOIHI")
    if neuron.has("messageBits"):
        raise neuron.error("messageBits are not for neurons of this type, and netx fails on them")
    neurons = Neurons(
        neuron.whole("iDecay", 0, DECAY_UNITY),
        neuron.whole("vDecay", 0, DECAY_UNITY),
        neuron.whole("vThMant", 0, THRESHOLD_MAXIMUM),
        mantissas,
    )
    for name, usual in (("refDelay", 1), ("wgtExp", 0), ("gradedSpike", 0)):
        if neuron.has(name) and (value := neuron.whole(name, -64, 1 << 16)) != usual:
            notes.append(f"{entry.name}: netx ignores {name} {value}, and so does this simulator")
    neuron.ignore(*TRAINING_ONLY)
    neuron.finish()
    return neurons
