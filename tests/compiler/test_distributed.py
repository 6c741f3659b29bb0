"""Several processes compile to the bytes that one compiles to, and run to the numbers that one runs to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from snnc.compiler.parallel import Processes, connected, launched

DATA = Path(__file__).parents[1] / "data"


def compiled(folder: Path, *launcher: str) -> tuple[bytes, str]:
    """The file that ``snnc compile`` writes, and what it prints."""
    command = ["snnc", "compile", DATA / "lenet.pt", "--calib", DATA / "mnist.npz", "-o", folder / "net.net"]
    result = subprocess.run(
        [sys.executable, *launcher, "-m", *map(str, command)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return (folder / "net.net").read_bytes(), result.stdout


@pytest.mark.parametrize("count", [2])
def test_processes_that_torchrun_starts_write_the_file_of_one(tmp_path: Path, count: int) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    alone.mkdir()
    together.mkdir()
    expected, _ = compiled(alone)
    found, printed = compiled(together, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}")
    assert found == expected
    assert printed.count("wrote ") == 1, "every process printed"


def test_processes_that_torchrun_starts_run_to_the_numbers_of_one() -> None:
    def printed(*launcher: str) -> str:
        command = ["snnc", "run", DATA / "portable.net", "--data", "digits", "--samples", 5, "--json"]
        result = subprocess.run(
            [sys.executable, *launcher, "-m", *map(str, command), "--stop-at", "1"],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    expected = printed()
    assert json.loads(expected)["samples"] == 5
    assert printed("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2") == expected


def test_batches_are_shared_out() -> None:
    batches = range(0, 320, 64)
    shares = [Processes(rank, 3).share(batches) for rank in range(3)]
    assert sorted(np.concatenate([list(each) for each in shares]).tolist()) == list(batches)
    assert list(Processes().share(batches)) == list(batches)


def test_without_torchrun_there_is_one_process(monkeypatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert launched() == Processes(0, 1) and launched().is_first
    with connected(launched()):
        pass
