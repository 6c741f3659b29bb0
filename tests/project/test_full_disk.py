"""Full disks and folders that cannot be written to: one line says so, and the file that was there before stays."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from support.children import Limits, files, run, start, succeed
from support.digits import save_digits
from torch import nn

from snnc.common.atomic_write import write_whole

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="starts processes by a server of Linux"),
    pytest.mark.timeout(280),
]
# A disk on which 4000 bytes of each file fit.
FULL = Limits(file_size=4000)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    save_digits(folder / "data.npz", 100, 50)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))
    torch.save(network, folder / "plain.pt")
    succeed(folder, "compile", "plain.pt", "--calib", "data.npz", "-o", "plain.net")
    # numba keeps what it compiles in files too: they have to be there before the disk is full.
    succeed(folder, "finetune", "plain.pt", "--data", "data.npz", "--epochs", "1", "-o", "warm.pt", "--threads", "1")
    return folder


def commands(made: Path) -> dict[str, tuple[object, ...]]:
    """Each command that writes files, and what it writes."""
    net, model, data = made / "plain.net", made / "plain.pt", made / "data.npz"
    return {
        "compile": ("compile", model, "--calib", data, "-o", "out.net"),
        "report": ("compile", model, "--calib", data, "-o", "other.net", "--report", "out.html"),
        "finetune": ("finetune", model, "--data", data, "--epochs", "1", "-o", "out.pt", "--threads", "1"),
        "bundle": ("bundle", net, "--data", data, "--samples", "5", "-o", "out.tar.gz"),
        "picture": ("inspect", net, "--plot", "out.png"),
        "thresholds": ("thresholds", model, "--calib", data, "--plot", "out.pdf"),
    }


@pytest.mark.parametrize("name", ["compile", "report", "finetune", "bundle", "picture", "thresholds"])
def test_a_full_disk_keeps_the_file_before(made: Path, tmp_path: Path, name: str) -> None:
    command = commands(made)[name]
    written = str(command[-3] if name == "finetune" else command[-1])
    (tmp_path / written).write_bytes(b"before")
    code, out, err = run(tmp_path, *command, limits=FULL)
    assert code == 2, err
    assert err.startswith("error: ") and err.count("\n") == 1 and "cannot be written (found file too large)" in err
    assert "wrote" not in out
    assert (tmp_path / written).read_bytes() == b"before"
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]
    # What was written of several files is whole.
    assert files(tmp_path) <= {written, "other.net"}
    succeed(tmp_path, *command)
    assert (tmp_path / written).read_bytes() != b"before"


def test_a_run_that_fills_the_disk_keeps_the_samples_before(made: Path, tmp_path: Path) -> None:
    (tmp_path / "plain.net").write_bytes((made / "plain.net").read_bytes())
    command = ("run", "plain.net", "--data", made / "data.npz", "--json")
    short = {"snnc.runtime.resumable.run.SECONDS": 0.0}
    code, _, err = run(tmp_path, *command, "--resume", limits=Limits(file_size=10_000, settings=short))
    assert code == 2 and "plain.net.unfinished: cannot be written (found file too large)" in err
    assert 1000 < (tmp_path / "plain.net.unfinished").stat().st_size <= 10_000
    assert succeed(tmp_path, *command, "--resume") == succeed(tmp_path, *command)
    assert files(tmp_path) == {"plain.net"}


@pytest.mark.parametrize("arguments", [["--help"], ["inspect", "plain.net"], ["inspect", "plain.net", "--json"]])
def test_output_that_goes_to_a_full_disk_is_missed(made: Path, arguments: list[str]) -> None:
    """Regression: an OSError was called a bug in snnc."""
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "snnc", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=made, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: the output cannot be written (no space left on device)\n"


@pytest.mark.parametrize("name", ["compile", "finetune", "bundle", "picture", "run"])
def test_a_folder_that_cannot_be_written_to_is_told_before_any_work(made: Path, tmp_path: Path, name: str) -> None:
    for each in ("plain.pt", "plain.net", "data.npz"):
        (tmp_path / each).write_bytes((made / each).read_bytes())
    for each in ("out", "err"):
        (tmp_path / each).touch()
    here = {**commands(Path()), "run": ("run", "plain.net", "--data", "data.npz", "--resume")}
    before = {each.name for each in tmp_path.iterdir()}
    tmp_path.chmod(0o555)
    code, _, err = run(tmp_path, *here[name], limits=Limits(as_owner=True))
    tmp_path.chmod(0o755)
    assert code == 2, err
    assert err.startswith("error: ") and err.count("\n") == 1
    assert "cannot be written (found permission denied)" in err
    assert {each.name for each in tmp_path.iterdir()} == before


def test_two_runs_at_once_in_a_folder_do_not_hurt_each_other(made: Path, tmp_path: Path) -> None:
    """The same file even: both write it whole, and what one gave replaces what the other did."""
    command = ("compile", made / "plain.pt", "--calib", made / "data.npz", "-o", "out.net")
    first, second = start(tmp_path, *command), start(tmp_path, *command)
    for each in (first, second):
        each.join(200)
        assert each.exitcode == 0
    assert (tmp_path / "out.net").read_bytes() == (made / "plain.net").read_bytes()
    assert files(tmp_path) == {"out.net"}


def test_what_a_killed_writer_left_is_removed_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left, other = tmp_path / ".out.net.abc.part", tmp_path / ".another.net.abc.part"
    for each in (left, other):
        each.write_bytes(b"half")
    write_whole(tmp_path / "out.net", b"one")
    # It may be of a run that is still writing.
    assert left.exists()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 4000)
    write_whole(tmp_path / "out.net", b"two")
    assert not left.exists() and other.exists()
    assert (tmp_path / "out.net").read_bytes() == b"two"
