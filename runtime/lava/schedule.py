"""When what happens in the pipeline: the arithmetic of design.md section 5, without Lava."""

from __future__ import annotations

from dataclasses import dataclass

# One unit of a LIF's voltage with bias_exp = 6 and the threshold's shift.
UNIT = 64


@dataclass(frozen=True)
class Schedule:
    """Time steps of a stream of samples; Lava counts them from 1.

    A sample takes T + 1 steps, the last one blank. The source sends step t of sample k at ``k (T + 1) + t + 1``; a
    synapse delivers one step later than it receives, so a layer of depth l (from 0) sees it at
    ``k (T + 1) + t + l + 2``, over whatever path: shorter ones hold spikes back.

    Attributes:
        timesteps: T.
        depth: Number of layers on the longest path, readout included; the readout is the deepest.
        samples: Number of samples in the stream.
    """

    timesteps: int
    depth: int
    samples: int

    @property
    def interval(self) -> int:
        """Steps of one sample."""
        return self.timesteps + 1

    @property
    def steps(self) -> int:
        """Steps until the readout has seen the last sample."""
        return self.samples * self.interval + self.depth - 1

    def window(self, depth: int, sample: int) -> slice:
        """Recorded steps, counted from 0, in which a layer of that depth fires for a sample."""
        start = depth + 1 + sample * self.interval
        return slice(start, start + self.timesteps)

    def bias_start(self, depth: int) -> int:
        """Voltage at which the always-on neuron of a depth starts.

        It rises by one unit each step and fires above 0, so first at step l + 1; the bias arrives one step later, as
        the first window of that depth opens. Before that a layer holds nothing and cannot fire, whatever its bias.
        """
        return -UNIT * depth

    def gate_start(self, depth: int) -> int:
        """Voltage at which the clock of a depth starts.

        It rises by one unit each step and fires above T units, so first at step l + T + 1 and then once in each
        interval; the gate arrives one step later, in the blank step l + T + 2.
        """
        return -UNIT * depth

    def reset_offset(self, depth: int) -> int:
        """The first active step of a depth, in which LIFReset clears what the sample before left."""
        return depth + 2

    @property
    def read_offset(self) -> int:
        """Phase of the readout's last active step within an interval, from 0."""
        return (self.depth - 1 + self.timesteps) % self.interval

    @property
    def reads_before(self) -> int:
        """Reads at that phase before the first sample is through."""
        return (self.depth - 1 + self.timesteps) // self.interval
