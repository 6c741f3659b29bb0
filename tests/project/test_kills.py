"""Commands that are killed at any moment: nothing is half-written, a rerun succeeds, and what was done is not lost."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest
import torch
from support.children import Limits, files, kill_after, seconds_of, succeed
from support.digits import save_digits, trained_on_digits
from torch import nn

from snnc.program.net import load

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="starts processes by a server of Linux"),
    pytest.mark.timeout(280),
]
# How often each command is killed: in the suite, and for `make reliability`.
KILLS = [pytest.param(4), pytest.param(100, marks=[pytest.mark.reliability, pytest.mark.timeout(3600)])]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network, its .net file and data."""
    folder = tmp_path_factory.mktemp("made")
    save_digits(folder / "data.npz", 300, 200)
    torch.save(trained_on_digits(epochs=2, samples=300), folder / "cnn.pt")
    torch.manual_seed(0)
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10)), folder / "plain.pt")
    return folder


def moments(seconds: float, kills: int) -> list[float]:
    """When to kill: anywhere in a run that takes so long, a little behind its end too."""
    drawn = random.Random(kills)
    return [drawn.uniform(0, 1.05 * seconds) for _ in range(kills)]


@pytest.mark.parametrize("kills", KILLS)
def test_compile_that_is_killed_leaves_the_file_before_or_the_new_one(made: Path, tmp_path: Path, kills: int) -> None:
    command = ("compile", made / "cnn.pt", "--calib", made / "data.npz", "-o", "out.net", "--report", "out.html")
    before = ("compile", made / "cnn.pt", "--calib", made / "data.npz", "-o", "out.net", "-T", "2")
    succeed(tmp_path, *before)
    old = (tmp_path / "out.net").read_bytes()
    seconds = seconds_of(tmp_path, *command)
    new, page = (tmp_path / "out.net").read_bytes(), (tmp_path / "out.html").read_bytes()
    assert new != old
    killed = 0
    for moment in moments(seconds, kills):
        (tmp_path / "out.net").write_bytes(old)
        (tmp_path / "out.html").unlink()
        killed += kill_after(moment, tmp_path, *command)
        assert (tmp_path / "out.net").read_bytes() in (old, new)
        assert files(tmp_path) <= {"out.net", "out.html"}
        if (tmp_path / "out.html").exists():
            assert (tmp_path / "out.html").read_text().rstrip().endswith("</html>")
        (tmp_path / "out.html").touch()
    assert killed > kills // 2
    succeed(tmp_path, *command)
    assert (tmp_path / "out.net").read_bytes() == new
    assert len((tmp_path / "out.html").read_bytes()) > len(page) // 2


@pytest.mark.parametrize("kills", KILLS)
def test_finetune_that_is_killed_goes_on_from_its_checkpoint(made: Path, tmp_path: Path, kills: int) -> None:
    command = ("finetune", made / "plain.pt", "--data", made / "data.npz", "-T", "2", "--epochs", "30", "-o", "out.pt")
    (tmp_path / "whole").mkdir()
    whole = seconds_of(tmp_path / "whole", *command, "--threads", "1")
    expected = torch.load(tmp_path / "whole" / "out.pt", weights_only=False).state_dict()
    # What is left of a run that has nothing left to train.
    least = min(whole, seconds_of(tmp_path / "whole", *command, "--threads", "1", "--resume"))
    killed = epochs = 0
    for share in moments(1, kills):
        moment = share * (least + (whole - least) * (1 - epochs / 30))
        killed += kill_after(moment, tmp_path, *command, "--threads", "1", "--resume")
        assert files(tmp_path) <= {"whole", "out.pt", "out.checkpoint", "out.json"}
        if (tmp_path / "out.checkpoint").exists():
            done = len(torch.load(tmp_path / "out.checkpoint", weights_only=True)["epochs"])
            assert done >= epochs
            epochs = done
        if (tmp_path / "out.json").exists():
            # Written behind the checkpoint.
            assert epochs - 1 <= len(json.loads((tmp_path / "out.json").read_text())["epochs"]) <= epochs
        if (tmp_path / "out.pt").exists():
            torch.load(tmp_path / "out.pt", weights_only=False)
        if epochs == 30:
            for name in ("out.pt", "out.checkpoint", "out.json"):
                (tmp_path / name).unlink(missing_ok=True)
            epochs = 0
    # Less surely than of compile: how long the rest takes is a guess.
    assert killed > kills // 4
    succeed(tmp_path, *command, "--threads", "1", "--resume")
    found = torch.load(tmp_path / "out.pt", weights_only=False).state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("kills", KILLS)
def test_a_run_that_is_killed_goes_on_where_it_was(made: Path, tmp_path: Path, kills: int) -> None:
    net = tmp_path / "cnn.net"
    succeed(tmp_path, "compile", made / "cnn.pt", "--calib", made / "data.npz", "-o", net)
    # Pieces of which some are done before a command is killed.
    limits = Limits(settings={"snnc.runtime.resumable.run.SECONDS": 0.01})
    command = ("run", net, "--data", made / "data.npz", "--stop-at", "2,4", "--json")
    expected = succeed(tmp_path, *command)
    seconds = seconds_of(tmp_path, *command, "--resume", limits=limits)
    killed = left = 0
    for moment in moments(seconds, kills):
        killed += kill_after(moment, tmp_path, *command, "--resume", limits=limits)
        assert load(net) is not None
        assert files(tmp_path) <= {"cnn.net", "cnn.net.unfinished"}
        left += "cnn.net.unfinished" in files(tmp_path)
        assert not (text := (tmp_path / "out").read_text()) or text == expected
    # Less surely than of compile: what is left of a run that goes on takes less time.
    assert killed > kills // 4
    assert succeed(tmp_path, *command, "--resume", limits=limits) == expected
    assert files(tmp_path) == {"cnn.net"}
