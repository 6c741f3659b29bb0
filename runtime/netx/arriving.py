"""What arrives at a network, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.netx import NetxNetwork
from snnc.errors import DataError, OptionError
from snnc.runtime.netx.schedule import NetxSchedule

# Lava keeps messages in 24 bits with a sign; larger ones would leave its sums.
MESSAGE_BITS_MAXIMUM = 23


def checked_values(
    network: NetxNetwork, values: NDArray[np.integer[Any]], schedule: NetxSchedule, input_bits: int
) -> NDArray[np.integer[Any]]:
    """What arrives, if the network can take it: spikes as 0 and 1.

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
