"""Long runs keep neither memory nor processes, threads or file handles."""

from __future__ import annotations

import gc
import multiprocessing
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.branching import branching
from support.programs import levels_for

from snnc.runtime.lava import run_lava
from snnc.runtime.options import LavaOptions
from snnc.runtime.resumable import ResumableRun
from snnc.runtime.simulator import Simulator

pytestmark = [pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"), pytest.mark.timeout(280)]
LONG = [pytest.mark.reliability, pytest.mark.timeout(3600)]
# Memory that a process may take more at the end than after its first runs, whatever it ran: what allocators keep.
SLACK = 24 << 20


@dataclass(frozen=True)
class Held:
    """What a process holds."""

    children: int
    threads: int
    handles: int
    memory: int

    @classmethod
    def now(cls) -> Held:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        handles = len(list(Path("/proc/self/fd").iterdir()))
        return cls(len(multiprocessing.active_children()), threading.active_count(), handles, 4096 * pages)

    def assert_no_more_than(self, before: Held) -> None:
        assert (self.children, self.threads, self.handles) == (before.children, before.threads, before.handles)
        assert self.memory - before.memory < SLACK, f"{(self.memory - before.memory) >> 20} MiB more"


@pytest.mark.parametrize("images", [pytest.param(300), pytest.param(10_000, marks=LONG)])
def test_the_simulator_keeps_nothing_of_what_it_ran(images: int, tmp_path: Path) -> None:
    program = branching()
    levels = np.resize(levels_for(program, 50), (images, *program.coding.shape))
    simulator = Simulator(program)
    size = images // 10
    simulator.run(levels[:size])
    before = Held.now()
    for start in range(0, images, size):
        with ResumableRun(tmp_path / "kept") as resumable:
            resumable.run(levels[start : start + size], lambda piece, *_: simulator.run(piece), identity=dict)
            resumable.finish()
    # One by one, as a server would.
    for index in range(images // 10):
        Simulator(program).run(levels[index : index + 1])
    Held.now().assert_no_more_than(before)


@pytest.mark.lava
@pytest.mark.parametrize(
    ("models", "images", "networks"),
    [
        ("fast", 20, 4),
        ("stock", 4, 2),
        pytest.param("fast", 500, 25, marks=LONG),
        pytest.param("stock", 500, 25, marks=LONG),
    ],
)
def test_lava_keeps_nothing_of_what_it_ran(models: str, images: int, networks: int) -> None:
    program = branching()
    levels = np.resize(levels_for(program, 50), (images, *program.coding.shape))
    size = images // networks
    run_lava(program, levels[:size], LavaOptions(lava_models=models))
    before = Held.now()
    for start in range(0, images, size):
        run_lava(program, levels[start : start + size], LavaOptions(lava_models=models))
    Held.now().assert_no_more_than(before)
