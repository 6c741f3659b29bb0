"""A bundle runs where there is no snnc, on Lava's CPU simulator, and fires every spike of snnc's simulator."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.branching import branching
from support.laboratory import WITH_STAND_INS, bundled, command, environment, run_lab, unpacked
from support.programs import levels_for
from support.residual import residual

from snnc.cli import main
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import compile_module

NET = Path(__file__).parents[1] / "data" / "portable.net"


@pytest.mark.lava
@pytest.mark.timeout(280)
def test_the_whole_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = tmp_path / "lab.tar.gz"
    assert main(["bundle", str(NET), "--data", "digits", "--samples", "5", "-o", str(bundle)]) == 0
    done, result = run_lab(unpacked(bundle, tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all as expected\n") and done.stderr == ""
    assert result["passed"] and result["samples"] == 5
    assert sum(each["expected"] for each in result["layers"]) > 100
    assert all(each["found"] == each["expected"] and each["different"] == 0 for each in result["layers"])
    assert result["labels"]["found_right"] == result["labels"]["expected_right"]
    capsys.readouterr()
    assert main(["report", "--lab", str(tmp_path / "result.json")]) == 0
    text = capsys.readouterr().out
    assert "all as expected" in text and "estimate by loihi1" in text and "lava-nc 0." in text
    assert main(["report", "--lab", str(tmp_path / "result.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True


@pytest.mark.lava
@pytest.mark.timeout(280)
def test_a_residual_network_with_lead(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (16, 2, 8, 8)).astype(np.uint8)
    options = CompileOptions(timesteps=5, lead=2, max_pool="or")
    program = compile_module(residual(), levels / 255, options, unit=1 / 255).program
    done, result = run_lab(bundled(program, program.coding.levels(levels[:3] / 255), tmp_path), "--samples", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert result["passed"] and result["samples"] == 2
    assert sum(each["found"] for each in result["layers"]) > 100
    assert result["labels"] is None and result["chip"] is None


@pytest.mark.lava
@pytest.mark.timeout(280)
def test_a_tampered_expectation_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = bundled(branching(), levels_for(branching(), 3), tmp_path)
    arrays = dict(np.load(folder / "samples.npz"))
    arrays["spikes.1"][1, 3] ^= 0b01010000
    arrays["readout"][2, 0] += 1
    np.savez(folder / "samples.npz", **arrays)
    done, result = run_lab(folder)
    assert done.returncode == 1 and done.stderr == ""
    assert done.stdout.endswith("NOT as expected\n")
    assert [(each["name"], each["different"]) for each in result["layers"]] == [
        ("first", 0), ("second", 2), ("pool", 0), ("meeting", 0)
    ]  # fmt: skip
    assert result["readouts"]["different"] == 1
    assert main(["report", "--lab", str(tmp_path / "result.json")]) == 1
    assert "not as expected" in capsys.readouterr().out


@pytest.mark.lava
@pytest.mark.timeout(280)
def test_what_drives_a_board_runs_with_stand_ins(tmp_path: Path) -> None:
    program = replace(branching(), timesteps=3)
    folder = bundled(program, levels_for(program, 3), tmp_path)
    done, result = run_lab(folder, "--backend", "loihi2", before=WITH_STAND_INS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [each["different"] for each in result["layers"]] == [0, 0, 0, 0]
    assert sum(each["found"] for each in result["layers"]) > 100
    chip = result["chip"]
    assert chip["seconds"] == pytest.approx(0.01) and chip["joules"] == 0.5 and chip["static_joules"] is None
    assert "static_energy: RuntimeError: not on this board" in chip["notes"]
    assert main(["report", "--lab", str(tmp_path / "result.json")]) == 0


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_without_the_extension_a_board_is_refused(tmp_path: Path) -> None:
    done, result = run_lab(bundled(branching(), levels_for(branching(), 1), tmp_path), "--backend", "loihi2")
    assert (done.returncode, result) == (2, None)
    assert done.stderr.splitlines()[-1].startswith("error: Intel's lava-loihi is not installed")


@pytest.mark.lava
@pytest.mark.timeout(280)
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_an_interrupt_leaves_no_process(tmp_path: Path) -> None:
    folder = bundled(branching(), levels_for(branching(), 2).repeat(2000, 0), tmp_path)
    running = subprocess.Popen(
        command(folder), stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment(), start_new_session=True
    )
    try:
        started = children(running.pid)
        while len(started) < 20 and running.poll() is None:
            time.sleep(0.2)
            started = children(running.pid)
        # As a terminal does, to all of them.
        os.killpg(running.pid, signal.SIGINT)
        _, err = running.communicate(timeout=100)
        # Python says what it dropped while it started a process.
        assert running.returncode == 130 and "error: interrupted\n" in err, err
        # The last to end is the one that watches over shared memory, once it hears nothing more from us.
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and any(Path(f"/proc/{each}").exists() for each in started):
            time.sleep(0.2)
        assert not [each for each in started if Path(f"/proc/{each}").exists()]
        assert not (tmp_path / "result.json").exists()
    finally:
        running.kill()


def children(process: int) -> list[str]:
    """Processes below one."""
    try:
        return Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []
