"""``snnc finetune`` on embedded data: from an ANN to a .net file, interrupted, in several processes, with bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from support.digits import trained_on_digits
from torch import nn

import snnc.models.training.session as session
from snnc.cli import main
from snnc.compiler.frontend.files.load import load_model
from snnc.models import digits_cnn
from snnc.models.data import load_data
from snnc.models.spiking import SpikingNetwork
from snnc.program.net import load as load_program

Call = Callable[..., str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two ANNs and a small data set."""
    folder = tmp_path_factory.mktemp("made")
    digits = load_data("digits", split="train").take(400)
    test = load_data("digits", split="test").take(100)
    np.savez(
        folder / "data.npz",
        x_train=digits.images * np.float32(digits.unit), y_train=digits.labels,
        x_test=test.images * np.float32(test.unit), y_test=test.labels,
    )  # fmt: skip
    np.savez(folder / "unlabelled.npz", x=digits.images)
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10))
    for name, network in (("ann", digits_cnn()), ("plain", plain)):
        torch.save(trained_on_digits(network, epochs=10, samples=400), folder / f"{name}.pt")
    return folder


@pytest.fixture
def call(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command in an empty folder; gives what it printed, on stderr where it failed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, code: int = 0) -> str:
        capsys.readouterr()
        assert main([*map(str, arguments)]) == code
        out, err = capsys.readouterr()
        return err if code else out

    return run


def arguments(made: Path, *more: object, model: str = "ann.pt") -> list[object]:
    data = ("--data", made / "data.npz", "--threads", 1)
    return ["finetune", made / model, *data, "--batch-size", 64, "--augment", "none", *more]


def test_from_an_ann_to_a_file_that_runs(call: Call, made: Path, tmp_path: Path) -> None:
    printed = call(*arguments(made, "-T", 1, "--epochs", 3, "-o", "t1.pt", "--learning-rate", 0.02))
    assert "epoch 3/3" in printed and "test accuracy" in printed
    assert f"snnc compile t1.pt --calib {made / 'data.npz'} -T 1 --threshold learned" in printed
    log = json.loads((tmp_path / "t1.json").read_text())
    assert log["settings"]["threshold"] == "data-driven" and len(log["epochs"]) == 3
    assert log["epochs"][-1]["test_accuracy"] > 0.6

    result = json.loads(
        call(*arguments(made, "-T", 2, "--epochs", 2, "--distill", 0.5, "--teacher", made / "ann.pt", "-o", "t2.pt",
                        "--lead", 1, "--json", "--learning-rate", 0.01, model=str(tmp_path / "t1.pt")))
    )  # fmt: skip
    assert result["settings"]["threshold"] == "keep" and result["model"] == "t2.pt"
    network = load_model(tmp_path / "t2.pt")  # without trust
    assert isinstance(network, SpikingNetwork) and (network.steps, network.lead) == (2, 1)

    command = "compile t2.pt -T 2 --lead 1 --threshold learned --mean 0 --std 1 --calib"
    call(*command.split(), made / "data.npz", "-q")
    program = load_program(tmp_path / "t2.net")
    for population, layer in zip(network.populations, program.spiking_layers, strict=True):
        assert np.allclose(population.threshold.detach().numpy(), layer.scale)
    accuracy = json.loads(call("run", "t2.net", "--data", made / "data.npz", "--json"))["accuracy"]
    assert abs(accuracy - result["test_accuracy"]) <= 0.06


def test_a_resumed_run_ends_with_the_same_file(
    call: Call, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--epochs", 3, "--distill", 0.3)
    call(*arguments(made, *options, "-o", "whole.pt"))
    original = session._Course.epoch

    def interrupted(run: session._Course, advance) -> None:
        if len(run.history) == 1:
            raise KeyboardInterrupt
        original(run, advance)

    monkeypatch.setattr(session._Course, "epoch", interrupted)
    call(*arguments(made, *options, "-o", "net.pt"), code=130)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert not (tmp_path / "net.pt").exists() and (tmp_path / "net.checkpoint").exists()
    before = (tmp_path / "net.checkpoint").read_bytes()
    assert "add --resume" in call(*arguments(made, *options, "-o", "net.pt"), code=2)
    error = call(*arguments(made, *options, "-o", "net.pt", "--resume", "-T", 2), code=2)
    assert "--timesteps: differs from the run that net.checkpoint continues (expected 1, found 2)" in error
    error = call(*arguments(made, *options, "-o", "net.pt", "--resume", model="plain.pt"), code=2)
    assert "MODEL: differs" in error
    assert (tmp_path / "net.checkpoint").read_bytes() == before
    assert "going on after epoch 1" in call(*arguments(made, *options, "-o", "net.pt", "--resume"))
    assert (tmp_path / "net.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()


def test_a_run_that_diverges_keeps_what_went_well(call: Call, made: Path, tmp_path: Path, monkeypatch) -> None:
    original = session._Course.epoch

    def spoilt(run: session._Course, advance) -> None:
        if len(run.history) == 2:
            with torch.no_grad():
                next(run._network.parameters()).fill_(float("nan"))
        original(run, advance)

    monkeypatch.setattr(session._Course, "epoch", spoilt)
    error = call(*arguments(made, "--epochs", 4, "-o", "net.pt"), code=2)
    assert "epoch 3: training diverged" in error and "net.checkpoint still holds the state after epoch 2" in error
    assert "net.pt holds its network" in error and error.count("\n") == 1
    network = load_model(tmp_path / "net.pt")
    assert all(bool(torch.isfinite(each).all()) for each in network.state_dict().values())
    assert len(json.loads((tmp_path / "net.json").read_text())["epochs"]) == 2
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert "epoch 1/1" in call(*arguments(made, "--epochs", 1, "-o", "again.pt", model=str(tmp_path / "net.pt")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-T", 0), "timesteps (-T): is out of range"),
        (("--lead", 2), "lead (--lead): is out of range"),
        (("--threshold", "best"), "threshold (--threshold): unknown method"),
        (("--threshold", "keep"), "--threshold: there are no thresholds to keep"),
        (("--threshold", "max", "--objective", 2), "objective (--objective)"),
        (("--teacher", "ann.pt"), "--teacher: has nothing to teach"),
        (("--distill", 2), "--distill: out of range"),
        (("--precision", "int8"), "--precision: out of range"),
        (("--threads", 0), "--threads: is out of range"),
        (("--mean", "1,2"), "mean"),
        (("-o", "net.checkpoint"), "is the name of the checkpoint"),
        (("-o", "missing/net.pt"), "cannot be written"),
    ],
)
def test_bad_options_are_explained_in_one_line(
    call: Call, made: Path, tmp_path: Path, options: tuple, message: str
) -> None:
    error = call(*arguments(made, *options), code=2)
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error
    assert not list(tmp_path.iterdir()) and not (made / "ann-t1.pt").exists()


def test_bad_input_is_explained_in_one_line(call: Call, made: Path, tmp_path: Path) -> None:
    error = call("finetune", made / "ann.pt", "--data", made / "unlabelled.npz", code=2)
    assert "there are no labels to train on" in error
    assert "no such file" in call("finetune", made / "none.pt", "--data", made / "data.npz", code=2)
    pooled = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 10))
    torch.save(pooled, tmp_path / "pooled.pt")
    error = call(*arguments(made, model=str(tmp_path / "pooled.pt")), code=2)
    assert error.startswith("error: module 1: ") and "right after, or right before, an activation" in error
    call(*arguments(made, "--epochs", 1, "-o", "t1.pt"))
    error = call(*arguments(made, "--distill", 1, model=str(tmp_path / "t1.pt")), code=2)
    assert "--teacher: is missing" in error
    (tmp_path / "broken.checkpoint").write_bytes(b"nothing")
    assert "not a readable checkpoint" in call(*arguments(made, "-o", "broken.pt", "--resume"), code=2)


def test_an_early_stop_says_so(call: Call, made: Path) -> None:
    printed = call(*arguments(made, "--epochs", 20, "--patience", 1, "--learning-rate", 1e-9, "-o", "net.pt",
                              model="plain.pt"))  # fmt: skip
    assert "note: stopped after epoch 2" in printed and "after epoch 1" in printed and "held out" in printed


def test_processes_that_torchrun_starts_train_what_one_trains(call: Call, made: Path, tmp_path: Path) -> None:
    options = ("--epochs", 2, "-T", 2, "--learning-rate", 0.05)
    call(*arguments(made, *options, "-o", "alone.pt", model="plain.pt"))
    command = ["snnc", *arguments(made, *options, "-o", tmp_path / "together.pt", model="plain.pt")]
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    result = subprocess.run(
        [sys.executable, *launcher, "-m", *map(str, command)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("epoch 2/2") == 1, "every process printed"
    alone, together = (load_model(tmp_path / f"{name}.pt").state_dict() for name in ("alone", "together"))
    # Sums in another order: a spike more or less near a threshold, and so almost the same weights.
    for name, value in alone.items():
        assert torch.allclose(value, together[name], rtol=0, atol=0.02 * float(value.abs().max())), name
    one, other = (json.loads((tmp_path / f"{name}.json").read_text())["epochs"] for name in ("alone", "together"))
    assert abs(one[0]["loss"] - other[0]["loss"]) < 0.01
