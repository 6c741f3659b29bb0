"""Lava processes that end or hang: the run ends soon, says so, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from support.branching import branching
from support.children import handles
from support.programs import levels_for

from snnc.cli import main
from snnc.common.errors import BackendError, OptionError
from snnc.common.progress import Unheard
from snnc.runtime.lava import run_lava, workers
from snnc.runtime.lava.network import LavaNetwork, open_network
from snnc.runtime.options import LavaOptions

pytestmark = [pytest.mark.lava, pytest.mark.timeout(280)]
# How often each is tried: in the suite, and for `make reliability`.
TRIES = [pytest.param(1), pytest.param(25, marks=[pytest.mark.reliability, pytest.mark.timeout(3600)])]
# Seconds after which Lava counts as hung, and within which that has to be noticed on a busy machine.
TIMEOUT, PATIENCE = 3.0, 40.0


def children() -> list[int]:
    return sorted(each.pid for each in multiprocessing.active_children() if each.pid is not None)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """No process, thread or file handle is left of what a test did."""
    # What Lava opens once for all networks is opened.
    program = branching()
    run_lava(program, levels_for(program, 1), LavaOptions(lava_models="stock"))
    before = (children(), threading.active_count(), handles())
    yield
    assert (children(), threading.active_count(), handles()) == before


def strike(number: signal.Signals, victim: int, network: LavaNetwork, steps: int) -> BackendError:
    """Sends a signal to one of a network's processes while it runs; what the run says."""
    running = children()
    # The first one is what manages Lava's shared memory.
    threading.Timer(0.1, os.kill, (running[1 + victim % (len(running) - 1)], number)).start()
    began = time.monotonic()
    with pytest.raises(BackendError) as caught:
        while True:
            network.run(steps)
            network.readout()
    assert time.monotonic() - began < PATIENCE
    return caught.value


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("tries", TRIES)
@pytest.mark.parametrize(
    ("number", "message"),
    [
        (signal.SIGKILL, "a process of Lava's has ended: .*, killed by SIGKILL; if memory ran out"),
        (signal.SIGSTOP, "Lava has not answered for 3 s: one of its processes hangs"),
    ],
)
def test_a_process_that_dies_or_hangs_while_it_runs_is_noticed(
    number: signal.Signals, message: str, tries: int
) -> None:
    program = branching()
    for victim in range(7, 7 + tries):
        with open_network(program, levels_for(program, 1).repeat(1000, axis=0), "stock", TIMEOUT) as network:
            network.run(1)
            error = strike(number, victim, network, network.schedule.interval)
        assert re.search(message, str(error)), error


@pytest.mark.usefixtures("nothing_left")
def test_a_process_that_dies_before_all_have_started_is_noticed() -> None:
    program = branching()

    before = set(children())

    def kill_the_first() -> None:
        while len(found := [each for each in children() if each not in before]) < 4:
            time.sleep(0.01)
        os.kill(found[2], signal.SIGKILL)

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    with (
        pytest.raises(BackendError, match="a process of Lava's has ended"),
        open_network(program, levels_for(program, 1), "stock") as network,
    ):
        network.run(network.schedule.steps)
        network.readout()
        # It may have been ready just before: then the next answer is missed.
        network.run(1)
    killer.join()


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_process_that_manages_memory_cannot_keep_a_run_from_ending(number: signal.Signals) -> None:
    program = branching()
    with open_network(program, levels_for(program, 2), "stock") as network:
        network.run(network.schedule.steps)
        runtime = network._read.runtime
        shared = [Path("/dev/shm") / each.name for each in runtime._messaging_infrastructure.smm._shared_memory_handles]
        assert shared and all(each.exists() for each in shared)
        os.kill(children()[0], number)
        network.readout()
    assert not any(each.exists() for each in shared)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    program = branching()
    program.save(tmp_path / "branching.net")
    np.savez(tmp_path / "data.npz", x=levels_for(program, 1).repeat(100_000, axis=0))
    monkeypatch.chdir(tmp_path)

    def run(*options: object) -> str:
        code = main(["run", "branching.net", "--data", "data.npz", "--backend", "lava", *map(str, options)])
        out, err = capsys.readouterr()
        assert (code, out) == (2, "")
        return err

    return run


def workers_of_this_process() -> list[int]:
    """The processes that joblib started, which are no children of multiprocessing's."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"loky.backend.popen" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return sorted(found)


@pytest.mark.parametrize(
    ("number", "wait", "message"),
    [
        (signal.SIGKILL, 0.0, "a worker failed: TerminatedWorkerError: "),
        # One that hangs while it has nothing to do keeps nobody from anything: by then both work.
        pytest.param(signal.SIGSTOP, 5.0, "a worker has not run its samples within ", marks=[pytest.mark.reliability]),
    ],
)
def test_a_worker_that_dies_or_hangs_is_noticed(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals, wait: float, message: str
) -> None:
    program = branching()
    levels = levels_for(program, 1).repeat(100_000, axis=0)
    struck: list[int] = []

    def strike_one() -> None:
        struck.append(workers_of_this_process()[-1])
        os.kill(struck[0], number)

    # So that what a share takes does not count, which is hours.
    monkeypatch.setattr(workers, "SLOWDOWN", 1e-6)

    class Strikes(Unheard):
        """Once it is said how long the others take, all are at work."""

        def say(self, text: str | None) -> None:
            threading.Timer(wait, strike_one).start()

    with pytest.raises(BackendError, match=message):
        run_lava(program, levels, LavaOptions(workers=2, lava_timeout=90), progress=Strikes())
    deadline = time.monotonic() + PATIENCE
    while (left := workers_of_this_process()) and struck[0] in left and time.monotonic() < deadline:
        time.sleep(0.1)
    assert struck[0] not in left
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


def test_the_command_says_in_a_line_what_happened(command: Callable[..., str]) -> None:
    def kill_one() -> None:
        while len(found := children()) < 25:
            time.sleep(0.05)
        time.sleep(3)
        os.kill(found[9], signal.SIGKILL)

    threading.Thread(target=kill_one, daemon=True).start()
    lines = command("--lava-models", "stock").splitlines()
    assert lines[-1].startswith("error: a process of Lava's has ended: ")
    assert len([line for line in lines if line.startswith("error")]) == 1
    assert children() == []


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_timeout_has_to_be_positive(seconds: float) -> None:
    program = branching()
    with pytest.raises(OptionError, match="lava timeout: is out of range"):
        run_lava(program, levels_for(program, 1), LavaOptions(lava_timeout=seconds))
