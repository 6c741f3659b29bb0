"""The group ``neuron`` of an entry: what netx hands to Lava's LIF, and what it ignores."""

from __future__ import annotations

import math

import h5py
import numpy as np
from numpy.typing import NDArray

from snnc.program.net.fields import Fields
from snnc.program.net.hdf5_safety import read_heap_text
from snnc.program.netx.network import Neurons
from snnc.program.targets import LOIHI2


class NetxFields(Fields):
    """A group of a netx file; see :class:`snnc.program.net.fields.Fields`."""

    ADVICE = "docs/netx.md says what can be read"

    def text(self, name: str) -> str:
        """Return a string: one entry of fixed length, or of variable length as h5py writes it."""
        dataset = self._member(name, h5py.Dataset)
        if dataset.shape not in ((), (1,)) or dataset.dtype.kind not in "SO":
            raise self.error(f"{name} is not a string", found=f"{dataset.dtype} of shape {dataset.shape}")
        if dataset.dtype.kind == "S":
            if dataset.dtype.itemsize > 256:
                raise self.error(f"{name} is too long", expected="at most 256 bytes", found=str(dataset.dtype.itemsize))
            value = dataset[()] if dataset.shape == () else dataset[0]
        else:
            try:
                value = read_heap_text(dataset)
            except ValueError as error:
                raise self.error(f"{name} {error}") from None
        return bytes(value).decode("ascii", "replace")

    def whole(self, name: str, low: int, high: int) -> int:
        """Return one whole number within [low, high], alone or as an array of one."""
        stored = self.shape_of(name)
        if math.prod(stored) != 1:
            raise self.error(f"{name} has the wrong size", expected="1", found=f"shape {stored}")
        return int(self.whole_numbers(name, stored, low, high).item())

    def whole_numbers(self, name: str, shape: tuple[int | None, ...], low: int, high: int) -> NDArray[np.int64]:
        """Return whole numbers within [low, high], stored as integers or truth values or, as lava-dl does, as floats.

        Args:
            name: The dataset.
            shape: As for :meth:`integers`.
            low: Smallest allowed value.
            high: Largest allowed value.
        """
        array = self.array(name, shape, "iufb")
        if array.dtype.kind == "f" and not (np.isfinite(array).all() and (array == np.trunc(array)).all()):
            raise self.error(f"{name} holds something else than whole numbers")
        self.checks.within(name, array, low, high)
        return array.astype(np.int64)

    def ignore(self, *names: str) -> None:
        """Admit members that may be there and mean nothing to Lava."""
        for name in names:
            if self.has(name):
                self._member(name, h5py.Dataset)

    @property
    def name(self) -> str:
        """Where the group is in the file, such as ``layer/2``."""
        return str(self._group.name).strip("/")


DECAY_UNITY = 4096
# Lava keeps biases in 16 bits, and the chip that netx is made for in fewer.
BIAS = (-(1 << 15), (1 << 15) - 1)
CHIP_BIAS = LOIHI2.bias_mantissas
THRESHOLD_MAXIMUM = 1 << 24
# What netx gives a dense layer without neurons: it writes 1 << 18 - 1 (hdf5.Network.create_dense).
DEFAULT_NEURON = (0, DECAY_UNITY, 1 << 17)
# What training needs.
TRAINING_ONLY = ("scaleRho", "tauRho", "theta")


def read_neurons(
    entry: NetxFields, shape: tuple[int, ...], notes: list[str], *, bias: NDArray[np.int64] | None
) -> Neurons:
    """Read the neurons of an entry.

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
        bits = LOIHI2.bias_mantissa_bits
        notes.append(
            f"{entry.name}: a bias lies beyond the {bits} bits that a chip has, {CHIP_BIAS[0]}..{CHIP_BIAS[1]}"
        )
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
