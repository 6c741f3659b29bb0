"""The simulation of netx files against Lava's formulas, written down anew in netx_reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.netx_files import NetxFile, dense, image_input, neuron, random_file
from support.netx_reference import lava_steps

from snnc.common.errors import DataError, OptionError
from snnc.program.netx import NetxNetwork, load_netx
from snnc.runtime.netx import NetxResult, NetxSchedule, NetxSimulator

SEEDS = st.integers(0, 1 << 32)


def inputs_for(
    rng: np.random.Generator, network: NetxNetwork, samples: int, steps: int, *, largest: int = 1
) -> np.ndarray:
    shape = (samples, steps, *network.input_shape)
    return rng.integers(-20, 90, shape) if network.takes_biases else rng.integers(0, largest + 1, shape)


def run(network: NetxNetwork, values: np.ndarray, schedule: NetxSchedule, **options: object) -> NetxResult:
    return NetxSimulator(network).run(values, schedule, record=range(len(network.blocks)), **options)


def assert_as_lava(
    network: NetxNetwork, values: np.ndarray, schedule: NetxSchedule, found: NetxResult, *, is_graded: bool = False
) -> int:
    """All samples as one stream of Lava's: every spike, wrap, clip and potential; gives the number of spikes."""
    timesteps, samples, blocks = schedule.timesteps, len(values), len(network.blocks)
    held = np.broadcast_to(values, (samples, timesteps, *network.input_shape)).reshape(-1, *network.input_shape)
    latency = schedule.latency(blocks - 1)
    spikes = [np.zeros((samples * timesteps, *block.shape), bool) for block in network.blocks]
    potentials = {}
    for step, (fired, states) in enumerate(
        lava_steps(
            network,
            held,
            len(held) + latency,
            reset_interval=schedule.reset_interval,
            reset_offset=schedule.reset_offset,
            is_graded=is_graded,
        ),
        start=1,
    ):
        for index in range(blocks):
            own = step - schedule.latency(index)
            if 1 <= own <= len(held):
                spikes[index][own - 1] = fired[index]
        if (own := step - latency) > 0 and own % timesteps == 0:
            potentials[own // timesteps - 1] = [lif.v for lif in states[-1].neurons]
    for index, expected in enumerate(spikes):
        assert np.array_equal(found.spikes[index], expected.reshape(samples, timesteps, *expected.shape[1:])), index
        assert np.array_equal(found.spike_counts[index], expected.sum(axis=0))
    assert np.array_equal(found.counts, found.spikes[blocks - 1].sum(axis=1))
    assert found.potentials.reshape(samples, -1).tolist() == [potentials[index] for index in range(samples)]
    return int(sum(each.sum() for each in spikes))


@settings(max_examples=12)
@given(SEEDS, st.booleans(), st.integers(1, 7), st.booleans())
def test_samples_from_rest_are_those_of_a_network_that_resets(
    folder: Path, seed: int, block: bool, timesteps: int, held: bool
) -> None:
    rng = np.random.default_rng(seed)
    network = load_netx(random_file(rng, block=block, delays=False).write(folder / "rest.net"))
    values = inputs_for(rng, network, 3, 1 if held else timesteps)
    schedule = NetxSchedule.of(network, timesteps)
    assert schedule.separates_samples
    assert_as_lava(network, values, schedule, run(network, values, schedule))


@settings(max_examples=15)
@given(
    SEEDS,
    st.booleans(),
    st.sampled_from(["", "delays", "returns"]),
    st.integers(0, 6),
    st.integers(0, 6),
    st.booleans(),
)
def test_streams_carry_on_as_on_lava(
    folder: Path, seed: int, block: bool, memory: str, interval: int, offset: int, held: bool
) -> None:
    rng = np.random.default_rng(seed)
    file = random_file(rng, block=block, delays=memory == "delays", returns=memory == "returns")
    network = load_netx(file.write(folder / "stream.net"))
    assert network.remembers == bool(memory)
    values = inputs_for(rng, network, 3, 1 if held else 5)
    schedule = NetxSchedule.of(network, 5, reset_interval=interval, reset_offset=offset)
    if not schedule.separates_samples or not memory:
        assert_as_lava(network, values, schedule, run(network, values, schedule))


@settings(max_examples=8)
@given(SEEDS, st.integers(2, 12))
def test_currents_that_wrap_around(folder: Path, seed: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    network = load_netx(random_file(rng, block=False, delays=False, wide=True).write(folder / "wide.net"))
    values = inputs_for(rng, network, 2, 6, largest=(1 << bits) - 1)
    schedule = NetxSchedule.of(network, 6)
    found = run(network, values, schedule, input_bits=bits)
    assert_as_lava(network, values, schedule, found, is_graded=True)
    # Counted in the samples' own steps, each from rest.
    wraps, clips = np.zeros(len(network.blocks), int), np.zeros(len(network.blocks), int)
    for sample in values:
        steps = lava_steps(network, sample, 6 + 1, reset_interval=6, reset_offset=1, is_graded=True)
        *_, (_, states) = steps
        wraps[0] += sum(lif.wraps for lif in states[0].neurons)
        clips[0] += sum(lif.clips for lif in states[0].neurons)
    assert found.wraps is not None and found.clips is not None
    assert (found.wraps[0], found.clips[0]) == (wraps[0], clips[0])


def test_wraps_and_clips_occur_and_are_counted(folder: Path) -> None:
    rng = np.random.default_rng(5)
    layer = dense(rng, 3, 2, weight=np.full((2, 3), 254.0), bias=np.full(2, 32767.0))
    layer["neuron"] = neuron(rng, iDecay=0, vDecay=0, vThMant=1 << 17)
    network = load_netx(NetxFile([layer]).write(folder / "overflow.net"))
    values = np.full((1, 200, 3), 255)
    schedule = NetxSchedule.of(network, 200)
    found = run(network, values, schedule, input_bits=8)
    assert_as_lava(network, values, schedule, found, is_graded=True)
    assert found.wraps is not None and found.wraps[0] > 0
    assert found.clips is not None and found.clips[0] > 0


@settings(max_examples=10)
@given(SEEDS, st.sampled_from(["", "delays", "returns"]), st.integers(1, 5), st.integers(6, 60))
@example(1, "delays", 1, 6)
def test_neither_batches_nor_memory_change_the_result(
    folder: Path, seed: int, memory: str, batch: int, kibibytes: int
) -> None:
    rng = np.random.default_rng(seed)
    file = random_file(rng, block=bool(seed % 2), delays=memory == "delays", returns=memory == "returns")
    network = load_netx(file.write(folder / "memory.net"))
    values = inputs_for(rng, network, 5, 9)
    for interval in (None, 4):
        schedule = NetxSchedule.of(network, 9, reset_interval=interval)
        whole = run(network, values, schedule)
        parts = NetxSimulator(network, memory=kibibytes << 10).run(values, schedule, record=range(len(network.blocks)))
        try:
            batches = run(network, values, schedule, batch_size=batch)
        except OptionError:
            continue
        for other in (parts, batches):
            assert all(np.array_equal(whole.spikes[index], other.spikes[index]) for index in whole.spikes)
            assert np.array_equal(whole.potentials, other.potentials)
            assert (whole.wraps, whole.clips) == (other.wraps, other.clips)


@pytest.mark.parametrize("bits", [0, 6])
def test_sums_are_shifted_where_lava_cuts_a_scaled_weight(folder: Path, bits: int) -> None:
    rng = np.random.default_rng(9)
    weight = rng.choice([-128.0, -3.0, 0.0], (5, 7))
    weight[0, :3] = [-128, -3, 0]
    network = load_netx(NetxFile([dense(rng, 7, 5, weight=weight)]).write(folder / "shift.net"))
    connections = network.blocks[0].connections
    assert connections is not None and connections.shift == 1 and connections.weight.min() == -255
    assert any("change" in note for note in network.notes)
    values = inputs_for(rng, network, 2, 6, largest=(1 << bits) - 1 or 1)
    schedule = NetxSchedule.of(network, 6)
    found = run(network, values, schedule, input_bits=bits)
    assert_as_lava(network, values, schedule, found, is_graded=bits > 0)
    assert (found.potentials % 128).any()


@settings(max_examples=10)
@given(SEEDS, st.booleans(), st.booleans())
def test_separate_samples_with_spikes_under_way_have_networks_of_their_own(
    folder: Path, seed: int, block: bool, delays: bool
) -> None:
    rng = np.random.default_rng(seed)
    network = load_netx(random_file(rng, block=block, delays=delays, returns=not delays).write(folder / "own.net"))
    values = inputs_for(rng, network, 4, 6)
    schedule = NetxSchedule.of(network, 6)
    together = run(network, values, schedule)
    for index in range(4):
        alone = run(network, values[index : index + 1], schedule)
        assert_as_lava(network, values[index : index + 1], schedule, alone)
        assert np.array_equal(alone.counts[0], together.counts[index])
        assert np.array_equal(alone.potentials[0], together.potentials[index])


def test_what_is_not_zero_is_a_spike_and_bits_make_numbers_of_it(folder: Path) -> None:
    rng = np.random.default_rng(4)
    network = load_netx(NetxFile([dense(rng, 3, 4)]).write(folder / "graded.net"))
    values = rng.integers(0, 9, (2, 5, 3))
    schedule = NetxSchedule.of(network, 5)
    spikes = run(network, values, schedule)
    assert np.array_equal(spikes.potentials, run(network, (values != 0).astype(int), schedule).potentials)
    assert not np.array_equal(spikes.potentials, run(network, values, schedule, input_bits=4).potentials)
    assert spikes.input_counts is not None and np.array_equal(spikes.input_counts, (values != 0).sum((0, 1)))


def test_an_average_adds_up_the_neurons_of_a_class(folder: Path) -> None:
    rng = np.random.default_rng(6)
    last = dense(rng, 3, 6, neuron=neuron(rng, vThMant=5))
    average = {"type": "average", "shape": np.array([2, 1, 1])}
    network = load_netx(NetxFile([last, average]).write(folder / "average.net"))
    found = run(network, rng.integers(0, 2, (4, 8, 3)), NetxSchedule.of(network, 8))
    assert np.array_equal(found.scores(network), found.counts.reshape(4, 2, 3).sum(axis=2))
    assert found.predictions(network).tolist() == found.scores(network).argmax(axis=1).tolist()


def test_neurons_that_never_fire_are_read(folder: Path) -> None:
    rng = np.random.default_rng(7)
    layer = dense(rng, 3, 4)
    del layer["neuron"]
    network = load_netx(NetxFile([layer]).write(folder / "readout.net"))
    found = run(network, rng.integers(0, 2, (4, 8, 3)), NetxSchedule.of(network, 8))
    assert not found.counts.any() and np.array_equal(found.scores(network), found.potentials)


def test_data_that_do_not_fit_are_refused(folder: Path) -> None:
    rng = np.random.default_rng(8)
    network = load_netx(NetxFile([dense(rng, 3, 4)]).write(folder / "data.net"))
    schedule = NetxSchedule.of(network, 5)
    for values, bits, message in (
        (np.zeros((0, 5, 3), int), 0, "do not fit"),
        (np.zeros((1, 4, 3), int), 0, "do not fit"),
        (np.zeros((1, 5, 2), int), 0, "do not fit"),
        (np.full((1, 5, 3), 16), 4, "4 bits"),
    ):
        with pytest.raises(DataError, match=message):
            run(network, values, schedule, input_bits=bits)
    with pytest.raises(OptionError, match=r"0\.\.23"):
        run(network, np.zeros((1, 5, 3), int), schedule, input_bits=24)
    with pytest.raises(OptionError, match="MiB"):
        NetxSimulator(network, memory=10)
    block = load_netx(NetxFile([image_input(rng, (1, 2, 2), block=True)]).write(folder / "block.net"))
    with pytest.raises(DataError, match="16 bits"):
        run(block, np.full((1, 1, 1, 2, 2), 1 << 15), NetxSchedule.of(block, 5))
    with pytest.raises(OptionError, match="input bits"):
        run(block, np.zeros((1, 1, 1, 2, 2), int), NetxSchedule.of(block, 5), input_bits=8)
