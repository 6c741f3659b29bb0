"""When what happens in the pipeline: the arithmetic of docs/lowering.md, without Lava."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.program import Program

# One unit of a LIF's voltage with bias_exp = 6 and the threshold's shift.
UNIT = 64


@dataclass(frozen=True)
class Schedule:
    """Time steps of a stream of samples; Lava counts them from 1.

    A sample takes T + k + 1 steps with lead k, the last one blank. The source sends step t of sample n at
    ``n (T + k + 1) + t + 1``; a synapse delivers one step later than it receives, so a layer of depth l (from 0) sees
    it at ``n (T + k + 1) + t + l + 2``, over whatever path: shorter ones hold spikes back. A layer with lead sends its
    spikes k steps later than one without, which makes what reads them so much deeper.

    Attributes:
        timesteps: T.
        depth: Depth of the readout, plus one; the readout is the deepest.
        samples: Number of samples in the stream.
        lead: k.
    """

    timesteps: int
    depth: int
    samples: int
    lead: int = 0

    @classmethod
    def of(cls, program: Program, samples: int) -> Schedule:
        """Return the schedule of a program."""
        return cls(program.timesteps, max(program.depths) + 1, samples, program.lead)

    @property
    def interval(self) -> int:
        """Steps of one sample."""
        return self.timesteps + self.lead + 1

    @property
    def steps(self) -> int:
        """Steps until the readout has seen the last sample, which it has without any lead of its own."""
        return self.samples * self.interval + self.depth - 1 - self.lead

    def window(self, depth: int, sample: int) -> slice:
        """Return the recorded steps, counted from 0, in which a layer of that depth receives a sample.

        One without lead fires in them; one with lead in those k steps later.
        """
        start = depth + 1 + sample * self.interval
        return slice(start, start + self.timesteps)

    def clock_start(self, step: int) -> int:
        """Return the voltage at which a clock neuron starts that first fires at a step, from 1, then once an interval.

        It rises by one unit each step and fires above ``interval - 1`` units.
        """
        return UNIT * (self.interval - step)

    # A pulse that is fired at a step arrives in the next one.

    def blank_pulse(self, depth: int) -> int:
        """Return the step at which the clock of a depth first fires, so that its layers rest in their blank step."""
        return depth + self.interval

    def closing_pulse(self, depth: int) -> int:
        """Return the same for what arrives in the first step of a window: layers with lead stay silent from there on.

        The blank step's pulse is lost in the reset that comes between the two.
        """
        return depth + 1

    def opening_pulse(self, depth: int) -> int:
        """Return the same for what arrives in the first step in which layers with lead may fire."""
        return depth + 1 + self.lead

    def bias_start(self, depth: int) -> int:
        """Return the voltage at which the always-on neuron of a depth starts, without lead.

        It rises by one unit each step and fires above 0, so first at step l + 1; the bias arrives one step later, as
        the first window of that depth opens. Before that a layer holds nothing and cannot fire, whatever its bias.
        """
        return -UNIT * depth

    def bias_switches(self, depth: int) -> tuple[int, int]:
        """Return the steps at which the clocks of a depth first fire that switch its bias on and off, with lead.

        The neuron that carries the bias fires from one step later on, and the bias arrives yet one later, in the T
        steps in which input does.
        """
        return depth + self.interval * self.begins_with_bias(depth), depth + self.timesteps

    def begins_with_bias(self, depth: int) -> bool:
        """Return whether the bias of a depth is on from the start: no clock fires in step 0."""
        return depth == 0

    def reset_offset(self, depth: int) -> int:
        """Return the first active step of a depth, in which LIFReset clears what the sample before left."""
        return depth + 2

    @property
    def read_offset(self) -> int:
        """Phase of the step within an interval, from 0, in which the readout's last input has arrived."""
        return (self.depth - 1 + self.timesteps) % self.interval

    @property
    def reads_before(self) -> int:
        """Reads at that phase before the first sample is through."""
        return (self.depth - 1 + self.timesteps) // self.interval
