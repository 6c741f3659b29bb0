"""The staircase is the neuron's, and the same for numpy and torch."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnc.common.arrays import per_channel
from snnc.common.staircase import spike_counts

numbers = st.floats(-4, 4, width=32)


@given(st.lists(numbers, min_size=1, max_size=20), st.floats(0.1, 3), st.floats(0, 1), st.integers(1, 20))
def test_it_counts_the_spikes_of_a_neuron_that_receives_the_same_at_each_step(
    values: list[float], threshold: float, share: float, timesteps: int
) -> None:
    found = spike_counts(np.array(values), threshold, share * threshold, timesteps)
    tensors = spike_counts(torch.tensor(values, dtype=torch.float64), threshold, share * threshold, timesteps)
    assert np.array_equal(found, tensors.numpy())
    for value, count in zip(values, found, strict=True):
        total = timesteps * value + share * threshold
        assert 0 <= count <= timesteps
        # As often as the threshold fits into the sum, where that is no matter of rounding.
        whole = total / threshold
        if abs(whole - round(whole)) > 1e-9:
            assert count == min(max(int(np.floor(whole)), 0), timesteps)


def test_numbers_of_channels_are_shaped_alike() -> None:
    values = np.arange(3.0)
    assert per_channel(values, 3).shape == tuple(per_channel(torch.tensor(values), 3).shape) == (3, 1, 1)
    assert per_channel(values, 1).shape == (3,)
