"""A network of any structure whose activations are integrate-and-fire neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from snnc.models.spiking.integrate_and_fire import IntegrateAndFire
from snnc.models.spiking.neuron import SURROGATE_WIDTH

__all__ = ["INPUT", "SpikingNetwork"]

# What a part reads that reads the network's input.
INPUT = "input"


class SpikingNetwork(nn.Module):
    """Parts and what each of them reads.

    ``forward`` computes what the network's populations give for drives that stay the same, with rates in place of
    spikes: what ``snnc compile`` traces and compares. ``spiking_logits`` computes the spiking network itself, all steps
    of it.

    Args:
        parts: Each part by its name, in an order in which it comes after what it reads. The last is the readout.
        reads: For each part the names of those that it reads; ``INPUT`` for the network's input.
        steps: T, that of all populations.
        lead: Steps that each population integrates before it may fire.

    Attributes:
        plan: Names of the parts, each with those that it reads.
        steps: T.
        lead: k.
    """

    def __init__(
        self, parts: Mapping[str, nn.Module], reads: Mapping[str, Sequence[str]], steps: int, lead: int = 0
    ) -> None:
        super().__init__()
        self.steps = steps
        self.lead = lead
        self.plan: list[tuple[str, list[str]]] = []
        keys = {INPUT: INPUT}
        for name, part in parts.items():
            # A dot would be the name of a part's part.
            key = name.replace(".", "/")
            while hasattr(self, key) or key == INPUT:
                key += "_"
            self.add_module(key, part)
            keys[name] = key
            self.plan.append((key, [keys[each] for each in reads[name]]))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits with rates in place of spikes, (batch, classes)."""
        values = {INPUT: images}
        for name, sources in self.plan:
            values[name] = self._modules[name](*(values[each] for each in sources))  # type: ignore[misc]
        return values[self.plan[-1][0]]

    def spiking_logits(self, images: Tensor, width: float = SURROGATE_WIDTH) -> Tensor:
        """Return the logits of the spiking network: the mean over the steps of what the readout receives.

        Every population is computed for all T steps at once, time in front of the samples in their axis. What only the
        input has reached is the same at every step and computed once.

        Args:
            images: (batch, *input shape).
            width: Of the surrogate derivative, in thresholds.

        Returns:
            (batch, classes).
        """
        # Each with the number of steps that it has: 1 or T.
        values: dict[str, tuple[Tensor, int]] = {INPUT: (images, 1)}
        last_read = {source: name for name, sources in self.plan for source in sources}
        for name, sources in self.plan:
            part = self._modules[name]
            inputs = [values[each] for each in sources]
            steps = max(each for _, each in inputs)
            ready = [value if own == steps else _repeated(value, steps) for value, own in inputs]
            if isinstance(part, IntegrateAndFire):
                (drive,) = ready
                sent = part.spikes(_by_step(drive, steps), lead=self.lead, width=width)
                values[name] = sent.flatten(0, 1), self.steps
            else:
                assert part is not None
                values[name] = part(*ready), steps
            for source in set(sources):
                if last_read[source] == name:
                    del values[source]
        logits, steps = values[self.plan[-1][0]]
        return _by_step(logits, steps).mean(0)

    @property
    def populations(self) -> list[IntegrateAndFire]:
        """Those that fire, in order."""
        return [part for part in self.children() if isinstance(part, IntegrateAndFire)]

    def extra_repr(self) -> str:
        """Return steps and lead, for ``print(network)``."""
        return f"steps={self.steps}, lead={self.lead}"


def _by_step(values: Tensor, steps: int) -> Tensor:
    """Return (steps * batch, ...) as (steps, batch, ...), in whatever order it has in memory."""
    apart: Tensor = values.unflatten(0, (steps, -1))  # type: ignore[no-untyped-call]
    return apart


def _repeated(value: Tensor, steps: int) -> Tensor:
    return value.repeat(steps, *(1,) * (value.ndim - 1))
