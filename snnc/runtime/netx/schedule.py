"""When input arrives, and when neurons are reset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import DataError, OptionError
from snnc.program.netx import NetxNetwork

# Lava keeps messages in 24 bits with a sign; larger ones would leave its sums.
MESSAGE_BITS_MAXIMUM = 23


def checked_values(
    network: NetxNetwork, values: NDArray[np.integer[Any]], schedule: NetxSchedule, input_bits: int
) -> NDArray[np.integer[Any]]:
    """Return what arrives, if the network can take it: spikes as 0 and 1.

    Args:
        network: The network.
        values: (samples, T or 1, *input shape).
        schedule: The steps.
        input_bits: Bits of the numbers that arrive; 0: spikes.

    Raises:
        DataError: There are no samples, their shape does not fit, or a value is out of range.
        OptionError: The network cannot take numbers.
    """
    wanted = f"at least one sample of {schedule.timesteps:,} steps or 1 and of shape {network.input_shape}"
    if not len(values) or values.shape[1] not in (1, schedule.timesteps) or values.shape[2:] != network.input_shape:
        raise DataError("the data do not fit the network", expected=wanted, found=f"{values.shape}")
    if input_bits and not network.takes_graded:
        raise OptionError(
            "is for networks that begin with synapses, none of whose layers are skipped",
            where="input bits",
            found=str(input_bits),
            advice="leave it out" if network.takes_biases else "netx takes spikes where it skips layers",
        )
    if not 0 <= input_bits <= MESSAGE_BITS_MAXIMUM:
        raise OptionError(
            "is out of range", where="input bits", expected=f"0..{MESSAGE_BITS_MAXIMUM}", found=str(input_bits)
        )
    if not network.takes_biases and not input_bits:
        return np.asarray(values != 0).view(np.uint8)
    limit = (1 << input_bits) if input_bits else 1 << 15
    low, high = (int(values.min()), int(values.max()))
    lowest = 1 - limit if input_bits else -limit
    if low < lowest or high >= limit:
        what = f"a number does not have {input_bits} bits" if input_bits else "a bias does not have Lava's 16 bits"
        raise DataError(what, expected=f"{lowest}..{limit - 1}", found=f"{low}..{high}")
    return values


@dataclass(frozen=True)
class NetxSchedule:
    """The steps of a run.

    A block's own time counts steps from the one in which the first input reaches it: Lava's step less the block's
    latency. As netx delays the reset of each block by a step more, in its own time all are reset at the same steps.

    Attributes:
        timesteps: Steps of a sample.
        reset_interval: As netx takes it: u and v are cleared once in so many steps; None: never.
        reset_offset: As netx takes it: the first block is reset at Lava's step 1 + offset, and so on.
        first_latency: The first block's latency, 0 or 1.
    """

    timesteps: int
    reset_interval: int | None
    reset_offset: int
    first_latency: int

    @classmethod
    def of(
        cls,
        network: NetxNetwork,
        timesteps: int | None,
        *,
        reset_interval: int | None = None,
        reset_offset: int | None = None,
    ) -> NetxSchedule:
        """Return the schedule that options ask for.

        Args:
            network: The network.
            timesteps: Steps of a sample; None: what the file says.
            reset_interval: Reset once in so many steps; 0: never; None: each block as a sample reaches it.
            reset_offset: netx's; None: what resets each block with the first step of input that reaches it.

        Raises:
            OptionError: A number is too small, or the file does not say how many steps a sample has.
        """
        if timesteps is None and network.timesteps is None:
            raise OptionError(
                "is missing",
                where="timesteps",
                expected="steps of a sample, since the file does not say",
                advice="give T",
            )
        steps = network.timesteps if timesteps is None else timesteps
        assert steps is not None
        interval = steps if reset_interval is None else reset_interval
        for name, value, least in (
            ("timesteps", steps, 1),
            ("reset interval", interval, 0),
            ("reset offset", reset_offset, 0),
        ):
            if value is not None and value < least:
                raise OptionError("is too small", where=name, expected=f"at least {least}", found=str(value))
        offset = network.first_latency if reset_offset is None else reset_offset
        return cls(steps, interval or None, offset, network.first_latency)

    @property
    def separates_samples(self) -> bool:
        """Whether each sample finds all neurons reset as it reaches them."""
        return self.reset_interval == self.timesteps and self.reset_offset == self.first_latency

    def latency(self, index: int) -> int:
        """Return Lava's step in which a block's own time is 0."""
        return index + self.first_latency

    def resets(self, first: int, steps: int) -> NDArray[np.bool_]:
        """Return whether a block is reset in each of some steps of its own time, (steps,).

        Args:
            first: The first of them; 1 is when the first input reaches the block, what is before has numbers below.
            steps: How many.
        """
        if self.reset_interval is None:
            return np.zeros(steps, bool)
        phase = 1 + self.reset_offset - self.first_latency
        resets: NDArray[np.bool_] = (np.arange(first, first + steps) - phase) % self.reset_interval == 0
        return resets
