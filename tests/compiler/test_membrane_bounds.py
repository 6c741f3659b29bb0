"""Bounds of a membrane: sound for every input, and not much wider than what inputs can cause."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.programs import pairs, weights
from support.reference import convolve

from snnc.program import Synapse
from snnc.program.bounds import drive_bounds, window

drives = st.integers(-50, 50)
neurons = st.integers(1, 40).flatmap(lambda theta: st.tuples(st.just(theta), st.integers(0, theta - 1)))


def potentials(theta: float, firing: float, inputs: list[int]) -> tuple[list[float], float]:
    """The potential before and after every reset, and at the end."""
    u, seen = 0.0, [0.0]
    for each in inputs:
        u += each
        seen.append(u)
        if u >= firing:
            u -= theta
            seen.append(u)
    return seen, u


@given(st.tuples(drives, drives).map(sorted), neurons, st.lists(st.floats(0, 1), min_size=1, max_size=24))
def test_no_input_takes_the_potential_out_of_its_bounds(drive, neuron, shares: list[float]) -> None:
    (low, high), (theta, potential) = drive, neuron
    inputs = [round(low + share * (high - low)) for share in shares]
    bounds = window(low, high, theta, theta - potential, len(inputs))
    seen, end = potentials(theta, theta - potential, inputs)
    assert bounds.low <= min(seen) and max(seen) <= bounds.high
    assert end <= bounds.end


@given(st.tuples(drives, drives).map(sorted), st.lists(st.floats(0, 1), min_size=1, max_size=24))
def test_a_neuron_that_never_fires_stays_within_its_bounds(drive, shares: list[float]) -> None:
    low, high = drive
    inputs = [round(low + share * (high - low)) for share in shares]
    bounds = window(low, high, math.inf, math.inf, len(inputs))
    seen, end = potentials(math.inf, math.inf, inputs)
    assert bounds.low <= min(seen) and max(seen) <= bounds.high and end <= bounds.end
    assert bounds.low == len(inputs) * min(0, low) and bounds.high == max(0, len(inputs) * high)


@given(st.integers(-12, 12), st.integers(-12, 12), st.integers(1, 9), st.data())
def test_bounds_are_reached_to_within_a_threshold_and_a_step(
    low: int, high: int, theta: int, data: st.DataObject
) -> None:
    low, high = sorted((low, high))
    potential = data.draw(st.integers(0, theta - 1))
    firing, steps = theta - potential, data.draw(st.integers(1, 6))
    # Every potential that some integer input can cause, step by step.
    reachable, seen = {0}, {0}
    for _ in range(steps):
        before = {u + each for u in reachable for each in range(low, high + 1)}
        reachable = {u - theta if u >= firing else u for u in before}
        seen |= before | reachable
    bounds = window(low, high, theta, firing, steps)
    assert bounds.low <= min(seen) and max(seen) <= bounds.high and max(reachable) <= bounds.end
    assert min(seen) - bounds.low <= potential + max(0, -low)
    assert bounds.high - max(seen) <= theta * steps if high > theta else bounds.high - max(seen) <= max(0, high) + theta


@given(st.integers(1, 300), neurons, st.integers(1, 40))
def test_the_largest_input_at_every_step_reaches_the_upper_bound(high: int, neuron, steps: int) -> None:
    theta, potential = neuron
    seen, _ = potentials(theta, theta - potential, [high] * steps)
    bounds = window(0, high, theta, theta - potential, steps)
    # Just below the firing level before a step is the worst; the largest input alone may miss it by a threshold.
    assert max(seen) <= bounds.high <= max(seen) + theta


@given(st.integers(-300, -1), neurons, st.integers(1, 40))
def test_the_smallest_input_at_every_step_reaches_the_lower_bound(low: int, neuron, steps: int) -> None:
    theta, potential = neuron
    seen, _ = potentials(theta, theta - potential, [low] * steps)
    bounds = window(low, 0, theta, theta - potential, steps)
    assert bounds.low <= min(seen) and min(seen) - bounds.low <= potential


@given(st.integers(0, 2**20), st.sampled_from([1, 255]), st.booleans(), pairs(1, 2), pairs(0, 2))
def test_the_bounds_of_a_step_are_what_the_worst_inputs_cause(seed, largest, dense, stride, padding) -> None:
    rng = np.random.default_rng(seed)
    shape = (2, 4, 5)
    if dense:
        synapse = Synapse(-1, "dense", weights(rng, (3, 40)))
        layer: tuple[int, ...] = (3,)
    else:
        synapse = Synapse(-1, "conv", weights(rng, (4, 1, 3, 2)), stride, padding, groups=2)
        layer = (4, (4 + 2 * padding[0] - 3) // stride[0] + 1, (5 + 2 * padding[1] - 2) // stride[1] + 1)
    low, high = drive_bounds(layer, (synapse, synapse), ((shape, largest), (shape, 1)))
    assert low.dtype == high.dtype == np.int64

    def applied(x: np.ndarray) -> np.ndarray:
        return synapse.weight.astype(np.int64) @ x.ravel() if dense else convolve(x, synapse)

    # The worst input for one neuron: everything where its weight is positive, or negative.
    neuron = tuple(rng.integers(0, size) for size in layer)
    unit = np.eye(40, dtype=np.int64).reshape(40, *shape)
    effect = np.array([applied(each)[neuron] for each in unit])
    assert high[neuron] == (largest + 1) * np.maximum(effect, 0).sum()
    assert low[neuron] == (largest + 1) * np.minimum(effect, 0).sum()
    x = rng.integers(0, largest + 1, shape)
    total = applied(x) + applied(rng.integers(0, 2, shape))
    assert (low <= total).all() and (total <= high).all()
