"""Whatever the batch, chunks, threads, code or number of processes: the same bits, and no more work than needed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Barrier, Thread

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.programs import LIMIT, levels_for, programs, weights
from support.reference import arriving, reference

from snnc.api.runs import run_shared
from snnc.common.errors import OptionError
from snnc.compiler.parallel import Processes
from snnc.program import Gate, InputCoding, Layer, Membrane, Program, Provenance, Scaled, Synapse
from snnc.program.connections import window_output
from snnc.runtime.result import RunResult
from snnc.runtime.simulator import Simulator
from snnc.runtime.simulator import integer_convolution as integers
from snnc.runtime.simulator.chunks import GAPS, Chunks, Demand, halved, plan
from snnc.runtime.simulator.connection import block_shape, connect
from snnc.runtime.simulator.simulator import run_side_by_side
from snnc.runtime.simulator.steps import input_steps
from snnc.runtime.simulator.window_product import LARGEST_INPUT, WindowProduct, integer_products_work

CPU = torch.device("cpu")


def assert_same_run(found: RunResult, expected: RunResult) -> None:
    assert np.array_equal(found.readout, expected.readout)
    assert np.array_equal(found.input_counts, expected.input_counts)
    assert found.wraps == expected.wraps
    assert all(map(np.array_equal, found.spike_counts, expected.spike_counts))
    assert (found.spikes is None) == (expected.spikes is None)
    assert all(map(np.array_equal, found.spikes or (), expected.spikes or ()))
    assert list(found.earlier) == list(expected.earlier)
    for steps, result in expected.earlier.items():
        assert_same_run(found.earlier[steps], result)


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def least_memory(simulator: Simulator) -> int:
    return simulator._demand.sample + simulator._demand.step


@given(programs(leads=True), st.integers(1, 7), st.data())
def test_every_way_gives_the_same(program: Program, samples: int, data: st.DataObject) -> None:
    levels = levels_for(program, samples)
    stops = set() if program.lead else data.draw(st.sets(st.integers(1, program.timesteps), max_size=3))
    plain = Simulator(program)
    expected = plain.run(levels, record=True, batch_size=samples, stop_at=stops)
    steps = data.draw(st.integers(1, program.timesteps + program.lead))
    memory = plain._demand.sample + steps * plain._demand.step
    native = data.draw(st.booleans())
    count = data.draw(st.sampled_from([1, 2, 3]))
    with threads(count):
        other = Simulator(
            program, memory=3 * max(memory, least_memory(Simulator(program, native=native))), native=native
        )
        found = other.run(levels, record=True, stop_at=stops)
        assert torch.get_num_threads() == count
    assert_same_run(found, expected)
    assert other.ranges == plain.ranges and other.proven == plain.proven


@given(programs(), st.integers(1, 3), st.data())
def test_a_stop_is_what_the_definition_gives_after_so_many_steps(
    program: Program, samples: int, data: st.DataObject
) -> None:
    stop = data.draw(st.integers(1, program.timesteps))
    levels = levels_for(program, samples)
    spikes, readout, ranges = reference(replace(program, timesteps=stop), levels)
    result = Simulator(program).run(levels, record=True, stop_at=[stop])
    if any(low <= -LIMIT or high >= LIMIT for low, high in ranges):
        return
    found = result if stop == program.timesteps else result.earlier[stop]
    assert np.array_equal(found.readout, readout)
    assert all(map(np.array_equal, found.spikes, spikes))
    assert all(
        np.array_equal(counts, each.sum((0, 1))) for counts, each in zip(found.spike_counts, spikes, strict=True)
    )
    assert np.array_equal(found.predictions, readout.reshape(samples, -1).argmax(1))
    assert sorted(result.earlier) == [stop] * (stop < program.timesteps)


@pytest.mark.parametrize("stop", [0, 17])
def test_a_stop_outside_the_run_is_refused(stop: int) -> None:
    program = small_program(timesteps=16)
    with pytest.raises(OptionError, match="from 1 to 16"):
        Simulator(program).run(levels_for(program, 1), stop_at=[4, stop])


@given(programs(leads=True), st.integers(1, 6), st.integers(2, 4))
def test_processes_give_what_one_gives(program: Program, samples: int, count: int) -> None:
    levels = levels_for(program, samples)
    stops = [1, program.timesteps] if not program.lead else []

    def run(share: np.ndarray) -> RunResult:
        assert len(share) <= -(-samples // count)
        return Simulator(program).run(share, record=True, stop_at=stops)

    expected = Simulator(program).run(levels, record=True, stop_at=stops)
    for found in side_by_side(count, lambda processes: run_shared(levels, processes, run)):
        assert_same_run(found, expected)


def side_by_side(count: int, work) -> list:
    """What ``work`` gives in each of several processes, which are threads here and add up through shared memory."""
    barrier, arrays, results = Barrier(count), [None] * count, [None] * count

    class Threads(Processes):
        def add_up(self, array: np.ndarray) -> None:
            arrays[self.rank] = array.copy()
            barrier.wait()
            array[...] = np.sum(arrays, axis=0, dtype=array.dtype)
            barrier.wait()

    def process(rank: int) -> None:
        results[rank] = work(Threads(rank, count))

    running = [Thread(target=process, args=(rank,)) for rank in range(count)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    return results


def test_where_a_thread_fails_the_rest_is_dropped_and_the_error_passed_on() -> None:
    begun: list[int] = []

    def task(index: int) -> None:
        begun.append(index)
        assert torch.get_num_threads() == 1
        if index == 3:
            raise OptionError("stop")

    with threads(3):
        with pytest.raises(OptionError, match="stop"):
            run_side_by_side((partial(task, index) for index in range(1000)), 2)
        assert torch.get_num_threads() == 3
    assert {0, 1, 2, 3} <= set(begun) and len(begun) < 20


@given(st.integers(0, 50), st.integers(1, 9))
def test_parts_of_the_samples_are_nearly_equal_and_in_order(samples: int, count: int) -> None:
    parts = [Processes(rank, count).part(samples) for rank in range(count)]
    assert np.concatenate([np.arange(samples)[each] for each in parts]).tolist() == list(range(samples))
    sizes = [each.stop - each.start for each in parts]
    assert max(sizes) - min(sizes) <= 1


@given(st.data())
def test_products_of_8_bits_and_of_windows_are_those_of_the_definition(data: st.DataObject) -> None:
    """Convolutions of every form that fits, with the largest weights and payloads that are allowed."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**20)))
    groups = data.draw(st.sampled_from([1, 1, 2, 3]))
    source = (groups * data.draw(st.integers(1, 6)), data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7)))
    kernel, stride, dilation, padding = (
        tuple(data.draw(st.integers(low, high)) for _ in range(2)) for low, high in ((1, 4), (1, 3), (1, 2), (0, 3))
    )
    spans = [step * (size - 1) + 1 for step, size in zip(dilation, kernel, strict=True)]
    if any(span > size + 2 * pad for span, size, pad in zip(spans, source[1:], padding, strict=True)):
        return
    extremes = rng.random((groups * data.draw(st.integers(1, 5)), source[0] // groups, *kernel)) < 0.3
    weight = np.where(extremes, -256, 2 * rng.integers(-128, 128, extremes.shape)).astype(np.int16)
    synapse = Synapse(-1, "conv", weight, stride, padding, dilation, groups, data.draw(st.integers(0, 2)))
    check_products(synapse, source, rng, data.draw(st.sampled_from([1, integers.LARGEST_INPUT])))


@given(st.integers(0, 2**20), st.integers(1, 40), st.integers(1, 9), st.sampled_from([(7,), (3, 2, 4), (2, 1, 1)]))
def test_dense_products_are_those_of_the_definition(
    seed: int, scale: int, outputs: int, source: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(seed)
    weight = 2 * rng.integers(-128, 128, (outputs, int(np.prod(source)))).astype(np.int16)
    check_products(Synapse(-1, "dense", weight, exponent=scale % 3), source, rng, 1 + scale)


def check_products(synapse: Synapse, source: tuple[int, ...], rng: np.random.Generator, largest: int) -> None:
    values = rng.integers(0, largest + 1, (2, *source)).astype(np.uint8)
    shape = output_shape(synapse, source)
    expected = np.stack([arriving(each.astype(np.int64), synapse, shape) for each in values])
    given_values = torch.from_numpy(values)
    eight_bits = integer_products_work(CPU) and largest <= LARGEST_INPUT
    numbers = [torch.float32, torch.float64] + [torch.int8] * eight_bits
    ways = [
        WindowProduct(synapse, expected[0].size, number=number, dtype=torch.float32, device=CPU) for number in numbers
    ]
    if integers.IntegerProduct.suits(synapse, source, largest):
        ways.append(integers.IntegerProduct(synapse, source))
    for way in ways:
        found = way(given_values)
        assert found.dtype == torch.float32 and np.array_equal(found.numpy().reshape(expected.shape), expected)


@given(st.integers(0, 2**20), st.tuples(st.integers(1, 3), st.integers(1, 3)), st.booleans(), st.data())
def test_pooling_in_a_kernel_is_computed_as_sums_of_blocks(
    seed: int, block: tuple[int, int], native: bool, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    blocks = [data.draw(st.integers(1, 4)) for _ in range(2)]
    kernel = [data.draw(st.integers(1, size)) for size in blocks]
    channels, groups = data.draw(st.sampled_from([(2, 1), (2, 2), (3, 1)]))
    weight = weights(rng, (2 * groups, channels // groups, *kernel), limit=40)
    stride, padding = ([each * data.draw(st.integers(low, 2)) for each in block] for low in (1, 0))
    synapse = Synapse(
        0, "conv", weight.repeat(block[0], 2).repeat(block[1], 3), tuple(stride), tuple(padding), groups=groups
    )
    source = (channels, *(size * each for size, each in zip(blocks, block, strict=True)))
    found = block_shape(synapse, source, 1)
    assert all(each % wanted == 0 for each, wanted in zip(found, block, strict=True))
    shape = output_shape(synapse, source)
    connection = connect(
        synapse, source, shape, largest=1, largest_sum=9999, dtype=torch.float32, device=CPU, native=native
    )
    values = rng.integers(0, 2, (2, *source)).astype(np.uint8)
    expected = [arriving(each.astype(np.int64), synapse, shape) for each in values]
    assert np.array_equal(connection(torch.from_numpy(values)).numpy(), expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (2, 2)),
        ({"stride": (1, 2)}, (1, 2)),
        ({"padding": (2, 3)}, (2, 1)),
        ({"dilation": (2, 1)}, (1, 1)),
        ({"source": (1, 7, 8)}, (1, 2)),
        ({"largest": 100}, (1, 2)),
        ({"largest": 200}, (1, 1)),
    ],
    ids=str,
)
def test_only_whole_blocks_are_added_up(changes: dict, expected: tuple[int, int]) -> None:
    weight = np.arange(2, 10, 2, dtype=np.int16).reshape(1, 1, 2, 2).repeat(2, 2).repeat(2, 3)
    options = {"stride": (2, 2), "padding": (2, 2), "dilation": (1, 1), "source": (1, 8, 8), "largest": 1, **changes}
    source, largest = options.pop("source"), options.pop("largest")
    assert block_shape(Synapse(0, "conv", weight, **options), source, largest) == expected


def output_shape(synapse: Synapse, source: tuple[int, ...]) -> tuple[int, ...]:
    if synapse.kind == "dense":
        return (len(synapse.weight),)
    options = zip(source[1:], synapse.weight.shape[2:], synapse.stride, synapse.padding, synapse.dilation, strict=True)
    return (len(synapse.weight), *(window_output(*each) for each in options))


def test_half_precision_is_exact_while_sums_stay_below_its_limit() -> None:
    weight = np.full((1, 16), 128, np.int16)
    synapse = Synapse(-1, "dense", weight)
    way = WindowProduct(synapse, 1, number=torch.half, dtype=torch.float32, device=CPU)
    assert way(torch.ones((1, 16), dtype=torch.uint8)).tolist() == [[2048.0]]


@pytest.mark.parametrize(("weight", "largest"), [(3, 1), (256, 1), (-258, 1), (2, integers.LARGEST_INPUT + 1)], ids=str)
def test_what_8_bits_do_not_hold_is_left_to_floating_point(weight: int, largest: int) -> None:
    synapse = Synapse(-1, "dense", np.array([[weight]], np.int16))
    assert not integers.IntegerProduct.suits(synapse, (1,), largest)
    connection = connect(
        synapse, (1,), (1,), largest=largest, largest_sum=70_000, dtype=torch.float32, device=CPU, native=True
    )
    assert connection(torch.full((1, 1), largest, dtype=torch.uint8)).tolist() == [[weight * largest]]


def test_a_product_of_8_bits_that_is_wrong_is_not_used(monkeypatch) -> None:
    synapse = Synapse(-1, "dense", np.array([[4, -6]], np.int16))
    monkeypatch.setattr(integers.IntegerProduct, "suits", lambda *_: True)
    monkeypatch.setattr(integers.IntegerProduct, "__call__", lambda self, values: values.float().sum(1, keepdim=True))
    connection = connect(synapse, (2,), (1,), largest=1, largest_sum=10, dtype=torch.float32, device=CPU, native=True)
    assert connection(torch.tensor([[1, 1]], dtype=torch.uint8)).tolist() == [[-2.0]]


# Operation counts: what is handed to the connections, whoever computes it.


def small_program(*, timesteps: int, divisor: int = 1) -> Program:
    """Input of 2 x 4 x 4, two convolutions and a readout."""
    rng = np.random.default_rng(0)
    ones = np.ones(2)
    coding = InputCoding("graded", (2, 4, 4), ones, 0 * ones, ones, 0 * ones, divisor)

    def layer(index: int, synapse: Synapse, shape: tuple[int, ...]) -> Layer:
        last = len(shape) == 1
        return Layer(
            name=f"layer{index}",
            modules=(),
            shape=shape,
            synapses=(synapse,),
            bias=np.zeros((shape[0], *(1,) * (len(shape) - 1)), np.int32),
            threshold=None if last else Scaled(200, 0),
            initial_potential=0,
            gate=None if last else Gate(Scaled(255, 7), 1),
            scale=np.ones(shape[0]),
            membrane=Membrane((0, 0)),
        )

    def convolution(source: int, channels: int) -> Synapse:
        return Synapse(source, "conv", weights(rng, (3, channels, 3, 3), limit=20), padding=(1, 1))

    layers = (
        layer(0, convolution(-1, 2), (3, 4, 4)),
        layer(1, convolution(0, 3), (3, 4, 4)),
        layer(2, Synapse(1, "dense", weights(rng, (5, 48))), (5,)),
    )
    return Program("loihi2", timesteps, coding, layers, (), Provenance("", "", "", 0))


MACS = (16 * 3 * 2 * 9, 16 * 3 * 3 * 9, 48 * 5)


def macs_of_a_run(program: Program, samples: int, **options: object) -> tuple[int, ...]:
    """Multiply-accumulates that each layer's products are given."""
    simulator = Simulator(program)
    rows = [0] * len(program.layers)
    for index, kernel in enumerate(simulator._kernels):

        def counted(values: torch.Tensor, index: int = index, connection=kernel._connections[0]) -> torch.Tensor:
            rows[index] += len(values)
            return connection(values)

        kernel._connections = [counted]
    simulator.run(levels_for(program, samples), **options)
    return tuple(count * macs for count, macs in zip(rows, MACS, strict=True))


@pytest.mark.parametrize("options", [{}, {"batch_size": 2}, {"stop_at": ()}, {"record": True}], ids=str)
@pytest.mark.parametrize(("divisor", "period"), [(1, 1), (4, 4), (256, 16)])
def test_nothing_is_multiplied_twice_and_the_first_layer_once_for_each_period(
    divisor: int, period: int, options: dict[str, object]
) -> None:
    macs = macs_of_a_run(small_program(timesteps=16, divisor=divisor), 5, **options)
    assert macs == (5 * period * MACS[0], 5 * 16 * MACS[1], 5 * 16 * MACS[2])


def test_stops_cost_no_multiplication_but_of_the_first_layer() -> None:
    program = small_program(timesteps=16)
    plain, stopped = macs_of_a_run(program, 3), macs_of_a_run(program, 3, stop_at=[1, 4])
    assert stopped[1:] == plain[1:] and stopped[0] == 3 * plain[0]


@given(programs(), st.integers(1, 16), st.integers(0, 16))
def test_a_period_of_the_input_stands_for_all_of_it(program: Program, steps: int, first: int) -> None:
    levels = levels_for(program, 2)
    whole = program.coding.spikes(levels, first + steps)[:, first:].swapaxes(0, 1)
    found = input_steps(program.coding, levels, first, steps, CPU)
    assert len(found.values) == min(steps, program.coding.period)
    assert np.array_equal(found.values.numpy()[np.arange(steps) % len(found.values)], whole)
    assert np.array_equal(found.counts, (whole != 0).sum((0, 1)))


# Memory.


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 1024), st.integers(1, 10**6), st.integers(1, 9))
def test_a_plan_stays_within_the_budget_and_wastes_none(
    sample: int, step: int, timesteps: int, memory: int, batch: int
) -> None:
    needed = Demand(sample, step)
    for batch_size in (None, batch):
        least = (batch_size or 1) * (sample + step)
        if memory < least:
            with pytest.raises(OptionError, match="memory: is too small"):
                plan(needed, timesteps, memory, batch_size)
            continue
        chunks = plan(needed, timesteps, memory, batch_size)
        assert 1 <= chunks.steps <= timesteps and chunks.samples == (batch_size or chunks.samples)
        taken = chunks.samples * (sample + chunks.steps * step)
        assert taken <= memory
        if chunks.steps < timesteps:
            assert taken + chunks.samples * step > memory
        elif batch_size is None:
            assert (chunks.samples + 1) * (sample + timesteps * step) > memory


@given(st.integers(1, 20), st.sets(st.integers(1, 64), min_size=1, max_size=5))
def test_parts_of_a_run_end_at_each_stop(steps: int, stops: set[int]) -> None:
    parts = Chunks(1, steps).edges(sorted(stops))
    assert [first for first, _ in parts] == [0, *(end for _, end in parts[:-1])]
    assert stops <= {end for _, end in parts} and parts[-1][1] == max(stops)
    assert all(0 < end - first <= steps for first, end in parts)


def test_too_little_memory_is_refused_before_the_run() -> None:
    with pytest.raises(OptionError, match=r"memory: is too small \(expected at least 1 MiB for a step of 1 sample"):
        Simulator(small_program(timesteps=4), memory=100)


def test_a_batch_that_does_not_fit_is_halved() -> None:
    program = small_program(timesteps=4)
    levels = levels_for(program, 50)
    parts: list[int] = []
    found = Simulator(program, memory=2000).run(levels, batch_size=50, advance=parts.append)
    assert_same_run(found, Simulator(program).run(levels))
    assert parts[0] in (25, 12, 6, 3, 1)


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 10**6), st.integers(1, 999))
def test_a_batch_is_halved_no_more_often_than_it_has_to(sample: int, step: int, memory: int, batch: int) -> None:
    found = halved(batch, Demand(sample, step), memory)
    halves = [batch >> times for times in range(batch.bit_length())]
    fitting = [each for each in halves if each * (sample + step) <= memory]
    assert found == (fitting[0] if fitting else 1)


def test_what_memory_does_not_hold_is_refused_before_the_run(monkeypatch) -> None:
    program = small_program(timesteps=4)
    simulator = Simulator(program)
    monkeypatch.setattr("snnc.common.memory.available_memory", lambda device: 1000)
    with pytest.raises(OptionError, match=r"the result of 50 samples: would take more memory .* spikes recorded"):
        simulator.run(levels_for(program, 50), record=True)


def test_without_a_limit_of_the_users_a_batch_takes_what_is_free(monkeypatch) -> None:
    program = small_program(timesteps=4)
    levels = levels_for(program, 50)
    expected = Simulator(program).run(levels)
    monkeypatch.setattr("snnc.runtime.simulator.simulator.available_memory", lambda device: 4000)
    parts: list[int] = []
    assert_same_run(Simulator(program).run(levels, batch_size=50, advance=parts.append), expected)
    assert parts[0] < 50


def test_a_batch_that_is_wanted_is_computed_with_little_memory_as_well_as_with_much(monkeypatch) -> None:
    program = small_program(timesteps=4)
    levels = levels_for(program, 50)
    expected = Simulator(program).run(levels)
    monkeypatch.setattr("snnc.runtime.simulator.simulator.default_memory", lambda device: 1)
    parts: list[int] = []
    for memory in (None, 1 << 30):
        assert_same_run(Simulator(program, memory=memory).run(levels, batch_size=25, advance=parts.append), expected)
    assert parts == [25, 50] * 2


@given(programs())
def test_tensors_of_a_step_fit_into_what_was_planned(program: Program) -> None:
    """The bytes of drives and spikes of each layer, and of what waits for a later one."""
    simulator = Simulator(program)
    needed = simulator._demand.step
    for kernel in simulator._kernels:
        inputs = [
            torch.zeros((1, 1, *program.source_shape(each.source)), dtype=torch.uint8) for each in kernel.layer.synapses
        ]
        drive, output = kernel.drive(inputs, 1), kernel.run(inputs, 1)
        sources = {each.source: math.prod(program.source_shape(each.source)) for each in kernel.layer.synapses}
        held = drive.numel() * drive.element_size() + output.spikes.numel() + sum(sources.values())
        assert GAPS * held <= needed + 1
