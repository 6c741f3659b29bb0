"""When what happens in a run; steps are counted from 0 here, and from 1 by Lava."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.runtime.hardware.lab_script.bundle_folder import Bundle


class Timing:
    """The steps of a run.

    Where the input takes some steps to the network, it is sent so much later that it comes a whole interval late:
    clocks and resets go by the interval, so the network sees an empty sample first, and all else stays as it is.

    Args:
        bundle: The bundle.
        input_delay: Steps that the input takes to the network beyond those on the CPU.

    Attributes:
        steps: Steps until the readout has seen the last sample.
    """

    def __init__(self, bundle: Bundle, input_delay: int = 0) -> None:
        self._bundle = bundle
        empty = -(-input_delay // bundle.interval)
        self._shift = empty * bundle.interval
        self._first_input = self._shift - input_delay
        self.steps = bundle.samples * bundle.interval + int(bundle.form["tail"]) + self._shift
        # Reads at the readout's phase before the first sample is through.
        self._skipped = int(bundle.form["readout"]["skipped"]) + empty

    @property
    def reads(self) -> int:
        """How often the readout is read."""
        return self._skipped + self._bundle.samples

    def stream(self, steps: int) -> NDArray[np.int32]:
        """The input at each of so many steps, (*shape, steps)."""
        bundle = self._bundle
        stream = np.zeros((steps, bundle.input.shape[-1]), np.int32)
        for sample, events in enumerate(bundle.input):
            start = self._first_input + sample * bundle.interval
            stream[start : start + bundle.timesteps] = events
        return np.ascontiguousarray(stream.T).reshape(*bundle.form["input"]["shape"], steps)

    def windows(self, record: NDArray[np.bool_], first_step: int) -> NDArray[np.bool_]:
        """The spikes of each sample, (samples, T, neurons).

        Args:
            record: A layer's spikes at all steps.
            first_step: Where those of the first sample begin if its input takes no time.
        """
        starts = first_step + self._shift + self._bundle.interval * np.arange(self._bundle.samples)
        return record[starts[:, None] + np.arange(self._bundle.timesteps)]

    def readout(self, potential: NDArray[np.int64]) -> NDArray[np.int64]:
        """The readout of each sample, (samples, neurons), out of the potentials as they were read, (*shape, reads)."""
        reads = np.moveaxis(potential, -1, 0)[self._skipped : self.reads]
        return reads.reshape(len(reads), -1) >> int(self._bundle.form["readout"]["fraction_bits"])
