"""How Lava runs are dealt out, estimated, and asked for; nothing here starts Lava but what is marked so."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib.externals.loky import get_reusable_executor
from support.branching import branching
from support.programs import levels_for
from support.runs import assert_equal_results

import snnc
from snnc.cli import main
from snnc.cli.entry import Terminated
from snnc.common.errors import BackendError, OptionError
from snnc.common.progress import Unheard, about, long_run
from snnc.runtime.lava import run_lava
from snnc.runtime.lava.stream import Pace, mean_pace, piece_size
from snnc.runtime.lava.workers import no_complaints_when_interrupted
from snnc.runtime.options import LavaOptions
from snnc.runtime.result import join_results, pieces
from snnc.runtime.simulator import Simulator

DATA = Path(__file__).parents[1] / "data"
PORTABLE = str(DATA / "portable.net")


@given(st.integers(0, 500), st.integers(1, 60))
def test_pieces_hold_every_sample_once(samples: int, size: int) -> None:
    found = [index for piece in pieces(samples, size) for index in range(samples)[piece]]
    assert found == list(range(samples))
    assert all(piece.stop - piece.start <= size for piece in pieces(samples, size))


@given(st.integers(0, 10_000), st.integers(1, 64), st.floats(0, 100), st.floats(0, 100))
def test_no_worker_is_left_without_work(samples: int, workers: int, start: float, sample: float) -> None:
    size = piece_size(samples, workers, start, sample)
    assert size >= 1
    if samples >= workers:
        assert len(pieces(samples, size)) >= min(workers, -(-samples // -(-samples // workers)))


def test_pieces_are_large_where_starting_takes_long() -> None:
    assert piece_size(10_000, 2, start=6.0, sample=1.0) == 120
    assert piece_size(10_000, 2, start=0.0, sample=1.0) == 10
    assert piece_size(100, 2, start=6.0, sample=0.01) == 50


@given(st.data())
def test_results_of_pieces_joined_are_the_result_of_all(data: st.DataObject) -> None:
    program = branching()
    levels = levels_for(program, 7)
    simulator = Simulator(program)
    record = data.draw(st.booleans())
    parts = [simulator.run(levels[each], record=record) for each in pieces(7, data.draw(st.integers(1, 7)))]
    assert_equal_results(simulator.run(levels, record=record), join_results(parts))


def test_a_pace_tells_what_steps_and_networks_take() -> None:
    pace = mean_pace([Pace(start=1.0, step=0.25), Pace(start=3.0, step=0.75)])
    assert pace == Pace(start=2.0, step=0.5)
    assert pace.seconds(10) == 5.0
    assert pace.seconds(10, networks=2) == 9.0


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_the_estimate_comes_once_and_before_the_second_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    program = branching()
    # Several streams: only the first one is measured.
    monkeypatch.setattr("snnc.runtime.lava.stream.samples_per_stream", lambda _: 2)
    # Nobody waits long, and all are to be told.
    monkeypatch.setattr("snnc.common.progress.SECONDS_TO_TELL", 1e-9)
    happened: list[object] = []

    class Told(Unheard):
        def advance(self, done: int) -> None:
            happened.append(done)

        def say(self, text: str | None) -> None:
            happened.append(text is not None and text.endswith(" for 5 samples, as the first ones went"))

    levels = levels_for(program, 5)
    run = run_lava(program, levels, progress=Told())
    assert happened == [True, 1, 2, 3, 4, 5]
    assert_equal_results(Simulator(program).run(levels, record=True), run)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "about 1 s"), (44.6, "about 45 s"), (89, "about 89 s"), (720, "about 12 min"), (12_700, "about 3.5 h")],
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert about(seconds) == text


def test_only_long_runs_are_told_of() -> None:
    assert long_run(5, 100) is None
    assert long_run(720, 1500) == "about 12 min for 1,500 samples, as the first ones went"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"lava_models": "quick"}, "lava models: unknown models .*fast or stock.*'quick'"),
        ({"workers": 0}, "workers: is too small"),
        ({"cluster": "slurm"}, "cluster: cannot be understood .*dask:ADDRESS"),
        ({"cluster": "dask"}, "cluster: cannot be understood"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object], match: str) -> None:
    program = branching()
    with pytest.raises(OptionError, match=match):
        run_lava(program, levels_for(program, 1), LavaOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(("cluster", "package"), [("dask:tcp://127.0.0.1:1", "distributed"), ("ray", "ray")])
def test_a_cluster_that_cannot_be_used_is_an_error_of_one_line(cluster: str, package: str) -> None:
    if package == "ray" and importlib.util.find_spec("ray"):
        pytest.skip("ray is installed, and would start")
    program = branching()
    missing = importlib.util.find_spec(package) is None
    with pytest.raises(BackendError, match="is not installed" if missing else "does not answer") as caught:
        run_lava(program, levels_for(program, 1), LavaOptions(cluster=cluster))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", [["--workers", "2"], ["--lava-models", "stock"], ["--cluster", "ray"]])
def test_options_for_lava_are_refused_elsewhere(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", PORTABLE, "--data", "digits", "--samples", "2", *option]) == 2
    assert "is for the lava backend only" in capsys.readouterr().err


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_a_worker_that_may_start_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    # As the workers of dask are.
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)  # type: ignore[attr-defined]
    program = branching()
    with pytest.raises(BackendError, match="this worker may not start any; choose the fast models"):
        run_lava(program, levels_for(program, 1), LavaOptions(lava_models="stock"))
    assert run_lava(program, levels_for(program, 1), LavaOptions(lava_models="fast")).samples == 1


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_both_kinds_of_models_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    common = ["run", PORTABLE, "--data", "digits", "--samples", "2", "--json"]
    forms = []
    for options in ([], *(["--backend", "lava", "--lava-models", models] for models in ("fast", "stock"))):
        assert main([*common, *options]) == 0
        forms.append(json.loads(capsys.readouterr().out))
    assert forms[1] == forms[2]
    assert forms[0]["layers"] == forms[1]["layers"]


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_validation_with_models_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def run(program: snnc.Program, levels: np.ndarray, options: LavaOptions, **others: Any) -> snnc.RunResult:
        asked.append(options.lava_models)
        return run_lava(program, levels, options, **others)

    monkeypatch.setattr("snnc.analysis.validation.validate.run_lava", run)
    data = np.load(DATA / "mnist.npz")
    program = snnc.compile(DATA / "lenet.pt", data["x_train"], timesteps=2)
    for models in ("fast", "stock"):
        found = snnc.validate(program, DATA / "lenet.pt", data["x_test"][:2], lava=True, lava_models=models)
        assert found.agreement is not None and found.agreement.complete
    assert asked == ["fast", "stock"]


@pytest.mark.parametrize(
    ("interruption", "name", "is_heard"),
    [
        (KeyboardInterrupt, "ExecutorManagerThread", False),
        (Terminated, "ExecutorManagerThread", False),
        (KeyboardInterrupt, "another", True),
        (ValueError, "ExecutorManagerThread", True),
        (None, "ExecutorManagerThread", True),
    ],
)
def test_the_thread_that_hands_work_out_is_silent_once_interrupted(
    interruption: type[BaseException] | None, name: str, is_heard: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: heard.append(arguments.exc_value))

    def fail() -> None:
        failing = threading.Thread(target={}.__getitem__, args=(2,), name=name)
        failing.start()
        failing.join()

    with contextlib.suppress(interruption or ()), no_complaints_when_interrupted():
        # The interruption has begun, but has not come here yet.
        fail()
        if interruption:
            raise interruption
    assert len(heard) == is_heard
    fail()
    assert len(heard) == 2 * is_heard


def test_joblib_s_thread_has_the_name_that_is_looked_for() -> None:
    with get_reusable_executor(max_workers=1) as executor:
        executor.submit(int).result()
        assert "ExecutorManagerThread" in [thread.name for thread in threading.enumerate()]
