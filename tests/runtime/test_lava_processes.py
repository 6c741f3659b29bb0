"""Which processes of the operating system a Lava run has, and that none is left of them."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from joblib import Parallel, delayed
from support.branching import branching
from support.programs import levels_for
from support.progress import Heard
from support.runs import assert_equal_results

from snnc.runtime.lava import run_lava
from snnc.runtime.lava.network import LavaNetwork, open_network
from snnc.runtime.lava.workers import joblib_backend
from snnc.runtime.options import LavaOptions

ROOT = Path(__file__).resolve().parents[2]
# Time in which a command on a busy machine gets to its first sample, and in which it has to end.
PATIENCE = 100

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def count_children() -> int:
    return len(multiprocessing.active_children())


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_fast_models_need_no_process_of_their_own() -> None:
    before = count_children()
    program = branching()
    with open_network(program, levels_for(program, 1), "fast") as network:
        network.run(network.schedule.steps)
        assert count_children() == before


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_stock_models_take_as_few_processes_as_there_are_synapses_and_populations() -> None:
    before = count_children()
    program = branching()
    synapses = sum(len(layer.synapses) for layer in program.layers)
    inhibitions = sum(layer.threshold is not None and not layer.memoryless for layer in program.layers)
    gates = sum(layer.gate is not None for layer in program.layers)
    # At most two for the parts of a bias; always-on and clock neurons, input, recorder, readout.
    most = len(program.layers) + synapses + inhibitions + gates + 2 * len(program.layers) + 5
    with open_network(program, levels_for(program, 1), "stock") as network:
        network.run(1)
        # Lava's own service, and what manages its memory.
        assert len(program.layers) + synapses < count_children() - before <= most + 2
    assert count_children() == before


@pytest.mark.lava
@pytest.mark.timeout(120)
@pytest.mark.parametrize("models", ["fast", "stock"])
def test_a_network_that_has_ended_is_not_kept(models: str) -> None:
    program = branching()
    network = LavaNetwork(program, levels_for(program, 1), models)
    source = weakref.ref(network._assembly.populations[-1].process)
    try:
        network.run(2)
    finally:
        network.stop()
    assert source() is not None
    del network
    gc.collect()
    assert source() is None


@pytest.mark.lava
@pytest.mark.timeout(200)
@pytest.mark.parametrize("models", ["fast", "stock"])
def test_workers_give_what_one_network_gives(monkeypatch: pytest.MonkeyPatch, models: str) -> None:
    # Nobody waits long, and all are to be told.
    monkeypatch.setattr("snnc.common.progress.SECONDS_TO_TELL", 1e-9)
    program = branching()
    levels = levels_for(program, 5)
    heard = Heard()
    found = run_lava(program, levels, LavaOptions(lava_models=models, workers=2), progress=heard)
    assert_equal_results(run_lava(program, levels), found)
    assert heard.done == sorted(heard.done) and heard.done[:2] == [1, 2] and heard.done[-1] == 5
    assert [text is not None and "for 5 samples" in text for text in heard.said] == [True]


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_more_workers_than_samples() -> None:
    program = branching()
    levels = levels_for(program, 1)
    assert_equal_results(run_lava(program, levels), run_lava(program, levels, LavaOptions(workers=2)))


def descendants(pid: int) -> dict[int, str]:
    """Processes below one that live (a zombie does not), with their states."""
    parents: dict[int, list[int]] = {}
    states = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        states[int(folder.name)] = fields[0]
        parents.setdefault(int(fields[1]), []).append(int(folder.name))
    found, waiting = {}, [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            waiting.append(child)
            if states[child] != "Z":
                found[child] = states[child]
    return found


def alive(pids: list[int]) -> list[int]:
    living = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            living.append(pid)
    return living


@linux
@pytest.mark.lava
@pytest.mark.timeout(280)
@pytest.mark.parametrize(
    ("options", "number", "is_group", "code", "message"),
    [
        (["--lava-models", "stock"], signal.SIGINT, True, 130, "interrupted"),
        (["--lava-models", "stock"], signal.SIGTERM, False, 143, "terminated"),
        (["--lava-models", "stock"], signal.SIGKILL, False, -9, ""),
        (["--lava-models", "fast"], signal.SIGINT, True, 130, "interrupted"),
        (["--lava-models", "fast", "--workers", "2"], signal.SIGINT, True, 130, "interrupted"),
        (["--lava-models", "fast", "--workers", "2"], signal.SIGTERM, False, 143, "terminated"),
        (["--lava-models", "stock", "--workers", "2"], signal.SIGINT, False, 130, "interrupted"),
    ],
)
def test_nothing_is_left_of_a_run_that_is_interrupted(
    tmp_path: Path, options: list[str], number: signal.Signals, is_group: bool, code: int, message: str
) -> None:
    program = branching()
    program.save(tmp_path / "branching.net")
    # So many samples that no backend is through with them before it is interrupted.
    raw = levels_for(program, 1).repeat(200_000, axis=0)
    np.savez(tmp_path / "data.npz", x=raw, y=np.zeros(len(raw), np.int64))
    # A test runner in the background has its children ignore Ctrl-C.
    start = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from snnc.cli import main; "
    command = [sys.executable, "-c", f"{start}sys.exit(main(sys.argv[1:]))", "run", "branching.net"]
    process = subprocess.Popen(
        [*command, "--data", "data.npz", "--backend", "lava", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    # An estimate is told once the first samples are through: then all is running.
    assert process.stderr is not None
    children: list[int] = []
    try:
        assert "for 200,000 samples" in process.stderr.readline()
        children = list(descendants(process.pid))
        assert bool(children) == (options != ["--lava-models", "fast"])
        (os.killpg if is_group else os.kill)(process.pid, number)
        try:
            output, errors = process.communicate(timeout=PATIENCE / 2)
        except subprocess.TimeoutExpired:
            # Python drops an exception that a signal raises while it runs a callback of a weak reference.
            os.kill(process.pid, number)
            output, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == code, errors
        assert output == ""
        if message:
            assert errors.splitlines().count(f"error: {message}") == 1
            assert "Traceback" not in errors or "Exception ignored" in errors
        deadline = time.monotonic() + PATIENCE
        while alive(children) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert alive(children) == []
    finally:
        for pid in [process.pid, *children]:
            if alive([pid]):
                os.kill(pid, signal.SIGKILL)
        process.wait()


@pytest.mark.timeout(120)
def test_workers_leave_ctrl_c_to_whoever_started_them_between_shares_too() -> None:
    """Regression: a worker that was interrupted between two shares told so by a traceback."""
    with joblib_backend(None):
        found = Parallel(n_jobs=2)(delayed(signal.getsignal)(signal.SIGINT) for _ in range(4))
    assert found == [signal.SIG_IGN] * 4
