"""How far two backends agree on the same samples, and what overflowed in a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnc.program import CompiledNetwork
from snnc.runtime.result import RunResult
from snnc.runtime.simulators import native_simulator


@dataclass(frozen=True)
class LayerAgreement:
    """One spiking layer.

    Attributes:
        name: Its name.
        expected: Spikes of the reference.
        matching: Those of them that the other backend has too: same neuron, sample and step, and of a message the size.
        extra: Spikes that only the other backend has.
    """

    name: str
    expected: int
    matching: int
    extra: int

    @property
    def differing(self) -> int:
        """Places where the backends differ."""
        return self.expected - self.matching + self.extra


@dataclass(frozen=True)
class Agreement:
    """All layers, and the readout.

    Attributes:
        samples: Number of samples.
        layers: The spiking layers in order.
        readouts: Number of readout values.
        readouts_matching: Those that are equal.
        sent: What neurons send: ``spikes`` or ``messages``.
    """

    samples: int
    layers: tuple[LayerAgreement, ...]
    readouts: int
    readouts_matching: int
    sent: str = "spikes"

    @property
    def spikes(self) -> int:
        """Spikes of the reference."""
        return sum(layer.expected for layer in self.layers)

    @property
    def spikes_matching(self) -> int:
        """Those that both backends have."""
        return sum(layer.matching for layer in self.layers)

    @property
    def spikes_extra(self) -> int:
        """Spikes that only the other backend has."""
        return sum(layer.extra for layer in self.layers)

    @property
    def complete(self) -> bool:
        """Whether nothing differs."""
        return not any(layer.differing for layer in self.layers) and self.readouts_matching == self.readouts

    def sentence(self) -> str:
        """Return what to tell the user: ``sim and Lava agree on 812 of 812 spikes, and on ...``."""
        text = f"sim and Lava agree on {self.spikes_matching:,} of {self.spikes:,} {self.sent}"
        if self.spikes_extra:
            text += f" ({self.spikes_extra:,} more on Lava alone)"
        return f"{text}, and on {self.readouts_matching:,} of {self.readouts:,} readout values"


def compare_runs(program: CompiledNetwork, reference: RunResult, other: RunResult) -> Agreement:
    """Compare two runs of the same samples.

    Args:
        program: The program.
        reference: The run to compare with, spikes recorded.
        other: The run to judge, spikes recorded.
    """
    assert reference.spikes is not None and other.spikes is not None
    layers = []
    for layer, expected, found in zip(program.spiking_layers, reference.spikes, other.spikes, strict=True):
        expects = expected != 0
        both = int(np.count_nonzero(expects & (expected == found)))
        extra = int(np.count_nonzero(found.astype(bool) & ~expects))
        layers.append(LayerAgreement(layer.name, int(np.count_nonzero(expects)), both, extra))
    return Agreement(
        samples=reference.samples,
        layers=tuple(layers),
        readouts=reference.readout.size,
        readouts_matching=int((reference.readout == other.readout).sum()),
        sent=program.wording.sent,
    )


def count_overflows(program: CompiledNetwork, levels: NDArray[np.uint8]) -> tuple[int, ...]:
    """Return ``RunResult.wraps`` of samples, by the native simulator, which another backend agrees with.

    Nothing is computed where every layer is proven never to overflow.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
    """
    simulator = native_simulator(program)
    if simulator.never_overflows(levels):
        return (0,) * len(program.layers)
    wraps = simulator.run(levels).wraps
    assert wraps is not None
    return wraps


def overflow_messages(program: CompiledNetwork, result: RunResult) -> tuple[str, ...]:
    """Return a sentence for each layer that overflowed; nothing where none did."""
    return tuple(
        f"layer {layer.name}: the membrane potential overflowed {wraps:,} times, so the result means nothing; compile "
        f"again with {program.wording.remedy}"
        for layer, wraps in zip(program.layers, result.wraps or (), strict=False)
        if wraps
    )
