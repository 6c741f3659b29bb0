"""``snnc run --resume``: an interrupted run goes on where it was, and gives what an uninterrupted one does."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.branching import branching
from support.programs import levels_for, programs
from support.progress import Heard
from support.runs import assert_same_run

import snnc
from snnc.cli import main
from snnc.common.errors import OutputError
from snnc.program import Program
from snnc.runtime.lava import lava_available
from snnc.runtime.result import RunResult, join_results
from snnc.runtime.resumable import ResumableRun
from snnc.runtime.resumable import run as form
from snnc.runtime.resumable import run as resumable_run
from snnc.runtime.resumable.journal import MAGIC, Journal
from snnc.runtime.resumable.run import GROWTH, SECONDS, next_size
from snnc.runtime.simulator import Simulator

IDENTITY = {"network": "one", "samples": 3}
DATA = Path(__file__).parents[1] / "data"


# The file.


@given(st.lists(st.binary(max_size=50)), st.integers(0, 10**6))
def test_what_a_killed_process_left_is_read_up_to_its_last_whole_record(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], cut: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal"
    with Journal(path, IDENTITY) as journal:
        for each in contents:
            journal.append(each)
        ends = path.read_bytes()
    # Cut off anywhere, as by a kill in the middle of a write.
    path.write_bytes(ends[: cut % (len(ends) + 1)])
    with Journal(path, IDENTITY) as journal:
        left = list(journal.records)
        assert left == contents[: len(left)]
        if cut % (len(ends) + 1) == len(ends):
            assert left == contents
        journal.append(b"more")
        assert path.exists()
    with Journal(path, IDENTITY) as journal:
        assert journal.records == [*left, b"more"]
        journal.remove()
    assert not path.exists()


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5), st.data())
def test_a_damaged_record_and_those_behind_it_are_dropped(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal"
    with Journal(path, IDENTITY) as journal:
        begin = len(path.read_bytes())
        for each in contents:
            journal.append(each)
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(begin, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    with Journal(path, IDENTITY) as journal:
        assert journal.records == contents[: len(journal.records)]
        assert len(journal.records) < len(contents)


def test_a_file_that_holds_nothing_is_not_left_behind(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", IDENTITY):
        assert (tmp_path / "journal").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_run_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, IDENTITY) as journal:
        journal.append(b"one")
    content = path.read_bytes()
    with pytest.raises(OutputError, match=r"holds another run .*expected network two, samples 4, found network one"):
        Journal(path, {"network": "two", "samples": 4})
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 somebody's data", "exists and is no unfinished run"),
        (MAGIC + b"\x05" * 40, "is damaged"),
    ],
)
def test_a_file_that_is_none_of_ours_is_left_as_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "journal"
    path.write_bytes(content)
    with pytest.raises(OutputError, match=message):
        Journal(path, IDENTITY)
    assert path.read_bytes() == content


def test_two_runs_at_once_do_not_share_a_file(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", IDENTITY) as journal:
        journal.append(b"one")
        with pytest.raises(OutputError, match="is in use by another run"):
            Journal(tmp_path / "journal", IDENTITY)
        journal.append(b"two")
    with Journal(tmp_path / "journal", IDENTITY) as journal:
        assert journal.records == [b"one", b"two"]


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    with Journal(path, IDENTITY) as journal:
        journal.append(b"one")

        def full(_number: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(OutputError, match="cannot be written"):
                journal.append(b"two")
        journal.append(b"three")
    with Journal(path, IDENTITY) as journal:
        assert journal.records == [b"one", b"three"]


# Results.


@given(programs(), st.data())
def test_a_result_is_kept_as_it_is_and_joined_to_the_whole(program: Program, data: st.DataObject) -> None:
    levels = levels_for(program, data.draw(st.integers(1, 6)))
    stops = data.draw(st.sets(st.integers(1, program.timesteps))) if not program.lead else ()
    record = data.draw(st.booleans())
    cuts = sorted(data.draw(st.sets(st.integers(1, len(levels) - 1)))) if len(levels) > 1 else []
    simulator = Simulator(program)
    parts = [
        form.from_bytes(form.to_bytes(simulator.run(levels[first:end], record=record, stop_at=sorted(stops))))
        for first, end in zip([0, *cuts], [*cuts, len(levels)], strict=True)
    ]
    assert_same_run(join_results(parts), simulator.run(levels, record=record, stop_at=sorted(stops)))


class InterruptionError(Exception):
    """Stands for whatever ends a run."""


@given(st.lists(st.integers(0, 5), max_size=5), st.floats(0, 1e-3))
def test_a_run_that_is_interrupted_several_times_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, interruptions: list[int], seconds: float
) -> None:
    path = tmp_path_factory.mktemp("run") / "unfinished"
    program = branching()
    levels = levels_for(program, 15)
    simulator = Simulator(program)
    computed: list[int] = []

    def attempt(pieces: int | None) -> RunResult:
        def run(piece: np.ndarray, *_: object) -> RunResult:
            nonlocal pieces
            if pieces is not None:
                if pieces == 0:
                    raise InterruptionError
                pieces -= 1
            computed.append(len(piece))
            return simulator.run(piece, stop_at=(2,))

        with pytest.MonkeyPatch.context() as patched, ResumableRun(path) as resumable:
            patched.setattr(resumable_run, "SECONDS", seconds)
            result = resumable.run(levels, run, identity=lambda: IDENTITY)
            resumable.finish()
            return result

    for pieces in interruptions:
        try:
            attempt(pieces)
        except InterruptionError:
            continue
        computed.clear()
    assert_same_run(attempt(None), simulator.run(levels, stop_at=(2,)))
    # No sample is computed twice.
    assert sum(computed) == len(levels)
    assert not path.exists()


@given(st.integers(1, 10**6), st.floats(0, 1e6))
def test_a_piece_takes_about_as_long_as_it_should(size: int, seconds: float) -> None:
    found = next_size(size, seconds)
    assert 1 <= found <= GROWTH * size
    if 1 < found < GROWTH * size:
        assert SECONDS * (1 - 1 / found) - 1 <= seconds / size * found <= SECONDS + 1e-6


# The command.


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("net") / "lenet.net"
    snnc.compile(DATA / "lenet.pt", str(DATA / "mnist.npz"), timesteps=2).save(path)
    return path


@pytest.fixture
def run(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lenet.net").write_bytes(net.read_bytes())
    # Short pieces, so that a run has several.
    monkeypatch.setattr(resumable_run, "SECONDS", 0.0)

    def call(*options: object, code: int = 0) -> str:
        capsys.readouterr()
        assert main(["run", "lenet.net", "--data", str(DATA / "mnist.npz"), *map(str, options)]) == code
        out, err = capsys.readouterr()
        return err if code else out

    return call


def interrupt_after(pieces: int, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The simulator runs so many pieces and is then interrupted."""
    whole, left = Simulator.run, [pieces]

    def run(self: Simulator, levels: np.ndarray, **options: object) -> RunResult:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return whole(self, levels, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Simulator, "run", run)
    return monkeypatch


@pytest.mark.parametrize("options", [["--json"], [], ["--json", "--stop-at", "1"]], ids=" ".join)
def test_an_interrupted_run_prints_what_one_in_one_go_does(
    run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    options = ["--samples", "16", *options]
    expected = run(*options)
    with monkeypatch.context() as patched:
        interrupt_after(5, patched)
        assert run(*options, "--resume", code=130) == "error: interrupted\n"
    assert (tmp_path / "lenet.net.unfinished").exists()
    # Nothing else is begun over it, and a run without --resume does not touch it.
    assert "holds another run that is not finished (expected" in run("--samples", "17", "--resume", code=2)
    assert run(*options) == expected
    with monkeypatch.context() as patched:
        interrupt_after(11, patched)
        # How it is computed may change.
        assert run(*options, "--resume", "--batch-size", "3", "--memory", "1G") == expected
    assert [each.name for each in tmp_path.iterdir()] == ["lenet.net"]


def test_a_result_that_cannot_be_printed_is_not_lost(
    run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the kept samples were removed before the result had got anywhere."""
    expected = run("--samples", "5", "--json")

    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(json, "dumps", lambda *a, _dumps=json.dumps, **k: full() if "indent" in k else _dumps(*a, **k))
        patched.setattr("snnc.cli.entry._drop_output", lambda: None)
        message = run("--samples", "5", "--json", "--resume", code=2)
    assert message == "error: the output cannot be written (no space left on device)\n"
    with monkeypatch.context() as patched:
        interrupt_after(0, patched)
        assert run("--samples", "5", "--json", "--resume") == expected
    assert not (tmp_path / "lenet.net.unfinished").exists()


def test_the_same_in_python(net: Path, tmp_path: Path) -> None:
    program = snnc.load(net)
    levels = np.random.default_rng(0).integers(0, 256, (9, *program.coding.shape)).astype(np.uint8)
    heard = Heard()
    found = snnc.run(program, levels, record=True, resume=tmp_path / "kept", progress=heard)
    assert_same_run(found, snnc.run(program, levels, record=True))
    assert heard.begun == [("running on sim", 9)]
    assert heard.done == sorted(heard.done) and heard.done[-1] == 9
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="cannot be written"):
        snnc.run(program, levels, resume=tmp_path / "missing" / "kept")


@pytest.mark.lava
def test_lava_goes_on_too(run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert lava_available() is None
    options = ["--backend", "lava", "--samples", "4", "--json"]
    expected = run(*options)
    import snnc.runtime.lava.stream as lava_stream

    whole, left = lava_stream.run_stream, [2]

    def stream(*arguments: object, **options: object) -> RunResult:
        left[0] -= 1
        if left[0] == -1:
            raise KeyboardInterrupt
        return whole(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(lava_stream, "run_stream", stream)
    run(*options, "--resume", code=130)
    assert run(*options, "--resume") == expected


def test_results_that_differ_in_form_are_no_accident() -> None:
    """Wraps are summed where the backend sees them, and stay unknown where it does not."""
    program = branching()
    result = Simulator(program).run(levels_for(program, 2))
    wrapped = replace(result, wraps=(1,) * len(program.layers))
    assert join_results([wrapped, wrapped]).wraps == (2,) * len(program.layers)
    unseen = replace(result, wraps=None)
    assert join_results([unseen, unseen]).wraps is None
