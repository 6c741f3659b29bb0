"""One layer, prepared for simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from snnc.program import Program
from snnc.program.bounds import drive_bounds, is_safe
from snnc.runtime.simulator.connection import FLOAT32_EXACT, connect
from snnc.runtime.simulator.population import LayerOutput, Population
from snnc.runtime.simulator.steps import Span


class LayerKernel:
    """Computes a layer for many steps of a batch, on whatever input it is given.

    The arithmetic is in numbers that hold every sum exactly: float32 while none can reach 2**24, which is checked here
    for the weights at hand, and else float64; where :func:`connect` finds that 8-bit integers do, in those.

    Args:
        program: The program.
        index: Index of the layer.
        limit: First magnitude that a membrane must not reach, in weight units.
        device: Where to compute.
        native: Whether to take the ways that only CPUs have.

    Attributes:
        layer: The layer.
        dtype: Number type of drives and potentials, float32 or float64.
        lead: Steps that the layer integrates before it may fire.
        bytes_per_step: Memory that a sample takes for each step, but for what its sources send.
        proven: Whether no input whatever can take a potential out of the chip's range.
    """

    def __init__(
        self, program: Program, index: int, limit: int, device: torch.device, *, native: bool | None = None
    ) -> None:
        native = device.type == "cpu" if native is None else native
        layer = program.layers[index]
        sources = program.sources(index)
        lowest, highest = drive_bounds(layer.shape, layer.synapses, sources)
        largest_sum = int((highest - lowest).max())
        within_float32 = largest_sum + int(abs(layer.bias).max()) + limit < FLOAT32_EXACT
        self.dtype = torch.float32 if within_float32 else torch.float64
        self.layer = layer
        self._limit = limit
        self.lead = program.lead_of(index)
        self._timesteps = program.timesteps
        self._connections = [
            connect(
                synapse,
                shape,
                layer.shape,
                largest=largest,
                largest_sum=largest_sum,
                dtype=self.dtype,
                device=device,
                native=native,
            )
            for synapse, (shape, largest) in zip(layer.synapses, sources, strict=True)
        ]
        drives = self.dtype.itemsize * layer.neurons * (1 + (len(self._connections) > 1))
        # Drives, spikes, and what the largest synapse takes on the way.
        self.bytes_per_step = drives + layer.neurons + max(each.scratch for each in self._connections)
        self._bias = torch.as_tensor(layer.bias, dtype=self.dtype, device=device)
        self._bias_range = int(layer.bias.min()), int(layer.bias.max())
        self._population = Population(layer, self._bias, limit, fused=native)
        drive = (int((lowest + layer.bias).min()), int((highest + layer.bias).max()))
        # A wrap takes off the width of the register once: what came from further away stays outside of it, and adds up.
        self._wide = None
        if self.dtype == torch.float32 and max(-drive[0], drive[1]) > 2 * limit:
            self._wide = Population(layer, self._bias.double(), limit, fused=native)
        self.proven = is_safe(layer, drive, program.timesteps, limit, self.lead)

    def run(
        self,
        inputs: Sequence[torch.Tensor],
        steps: int | None = None,
        potential: torch.Tensor | None = None,
        *,
        first: int = 0,
        ends: bool = True,
    ) -> LayerOutput:
        """Run a batch.

        Args:
            inputs: For each synapse what its source sends in those of these steps in which input arrives, uint8,
                (steps, batch, *source shape); of what repeats itself one period is enough, (1, batch, ...) where it is
                the same at every step; nothing where none arrives.
            steps: Number of steps of the layer's window (:class:`Span`); None: all, T and the lead.
            potential: Membrane potential before the first of them, (batch, *shape), which is overwritten; None: 0,
                as at the start of a sample.
            first: The first of them, from 0.
            ends: Whether the samples end with the last step: then the blank step that follows is looked at too.
        """
        span = Span(first, self.window if steps is None else first + steps, self._timesteps, self.lead)
        if span.arriving:
            drive = self.drive(inputs, span.arriving)
        else:
            # Behind the input comes one step of nothing, which repeats itself.
            assert potential is not None
            drive = torch.zeros_like(potential)[None]
        output = self._integrated(drive, span, potential)
        if ends and not self.proven and self.layer.gate:
            output = replace(output, wraps=output.wraps + self._gate_failures(output.potential))
        return output

    def _integrated(self, drive: torch.Tensor, span: Span, potential: torch.Tensor | None) -> LayerOutput:
        """Run the neurons; in double precision from where potentials that wrapped need not fit into float32."""
        if self._wide is None:
            return self._population.run(drive, span, potential)
        before = None if potential is None else potential.double()
        if potential is None or potential.dtype == self.dtype:
            output = self._population.run(drive, span, potential)
            if not output.wraps:
                return output
        return self._wide.run(drive.double(), span, before)

    @property
    def window(self) -> int:
        """Steps from the layer's first input to its last spike."""
        return self._timesteps + self.lead

    def drive(self, inputs: Sequence[torch.Tensor], steps: int | None = None) -> torch.Tensor:
        """Return synaptic input, bias not included.

        Args:
            inputs: As for :meth:`run`.
            steps: Number of steps in which it arrives; None: T.

        Returns:
            (steps or one period of them, batch, *shape), in weight units.
        """
        steps = self._timesteps if steps is None else steps
        total: torch.Tensor | None = None
        for connection, value in zip(self._connections, inputs, strict=True):
            part = connection(value.flatten(0, 1)).view(*value.shape[:2], *self.layer.shape)
            if total is None:
                total = part
                continue
            if len(total) != len(part):
                total, part = _repeated(total, steps), _repeated(part, steps)
            # What comes out of a connection is nobody else's, so it may be added to.
            total += part
        assert total is not None
        return total

    def _gate_failures(self, potential: torch.Tensor) -> int:
        """Return how many neurons would fire in the blank step, or whose potential would wrap there."""
        assert self.layer.gate is not None
        # Most often the two extremes tell that there are none. With lead the bias does not arrive there.
        low, high = (int(each) for each in potential.aminmax())
        pulse = self.layer.gate.value
        bias = (0, 0) if self.lead else self._bias_range
        lowest, highest = (added + extreme - pulse for added, extreme in zip(bias, (low, high), strict=True))
        if highest < self.layer.firing_level and lowest > -self._limit:
            return 0
        blank = (potential if self.lead else potential + self._bias) - pulse
        return int(((blank >= self.layer.firing_level) | (blank <= -self._limit)).sum())


def _repeated(values: torch.Tensor, steps: int) -> torch.Tensor:
    """Return a period written out, (steps, ...)."""
    if len(values) == steps:
        return values
    return values[torch.arange(steps, device=values.device) % len(values)]
