"""Whatever the batch, chunks, threads, code or number of processes: the same bits, and no more work than needed."""

from __future__ import annotations

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
from support.programs import LIMIT, levels_for, programs, small_program
from support.reference import reference
from support.runs import assert_same_run

from snnc.api.run import run_shared
from snnc.common.errors import OptionError
from snnc.compiler.parallel import Processes
from snnc.program import Program
from snnc.runtime.result import RunResult
from snnc.runtime.simulator import Simulator
from snnc.runtime.simulator.simulator import run_side_by_side
from snnc.runtime.simulator.steps import input_steps

CPU = torch.device("cpu")


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
    flat = readout.reshape(samples, -1)
    assert np.array_equal(found.predictions, flat.argmax(1) if flat.shape[1] > 1 else flat[:, 0] > 0)
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


# Operation counts: what is handed to the connections, whoever computes it.


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
