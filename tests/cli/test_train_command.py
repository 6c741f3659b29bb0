"""``snnc train``: what it writes, resumes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from support.states import same_states

import snnc.models.training.session as session
from snnc.cli import main
from snnc.compiler.frontend.files.load import load_model
from snnc.models import digits_cnn
from snnc.models.data import load_data
from snnc.models.training.checkpoint import CheckpointFile


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0) -> str:
        found = main(["train", "digits_cnn", "--data", "digits", "--threads", "1", "--batch-size", "256", *arguments])
        captured = capsys.readouterr()
        assert found == code, captured.err
        if code:
            assert captured.err.count("\n") == 1
        return captured.err if code else captured.out

    return run


def test_train_writes_a_network_that_is_read_without_trust(call, tmp_path: Path) -> None:
    output = call(
        "--epochs", "2", "--activation", "qcfs", "-o", "net.pt", "--learning-rate", "0.05", "--momentum", "0.9"
    )
    assert "training digits_cnn:10:qcfs on 1,437 images" in output and "epoch 2/2" in output
    assert "snnc compile net.pt --calib digits --mean 0 --std 1" in output
    network = load_model(tmp_path / "net.pt")
    test = load_data("digits", split="test")
    with torch.no_grad():
        answers = network(torch.as_tensor(test.images) / 16).argmax(1)
    log = json.loads((tmp_path / "net.json").read_text())
    right = (answers.numpy() == test.labels).mean()
    assert log["epochs"][-1]["test_accuracy"] == pytest.approx(right, abs=0.01)
    assert log["settings"]["momentum"] == 0.9 and len(log["epochs"]) == 2
    # The checkpoint is a file with a state_dict too.
    again = load_model(tmp_path / "net.checkpoint", arch=lambda: digits_cnn(activation="qcfs"))
    assert same_states(dict(again.state_dict()), dict(network.state_dict()))


def test_train_resumes_where_it_was_interrupted(call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call("--epochs", "3", "-o", "whole.pt")
    save = CheckpointFile.save

    def interrupted(self, checkpoint) -> None:
        save(self, checkpoint)
        if len(checkpoint.epochs) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointFile, "save", interrupted)
        assert "interrupted" in call("--epochs", "3", "-o", "net.pt", code=130)
    assert not (tmp_path / "net.pt").exists()
    assert "add --resume" in call("--epochs", "3", "-o", "net.pt", code=2)
    assert "--epochs: differs" in call("--epochs", "4", "-o", "net.pt", "--resume", code=2)
    output = call("--epochs", "3", "-o", "net.pt", "--resume")
    assert "going on after epoch 2" in output and "epoch 2/3" not in output
    whole, resumed = (load_model(tmp_path / name).state_dict() for name in ("whole.pt", "net.pt"))
    assert same_states(dict(whole), dict(resumed))
    logs = [json.loads((tmp_path / name).read_text())["epochs"] for name in ("whole.json", "net.json")]
    assert [each["loss"] for each in logs[0]] == [each["loss"] for each in logs[1]]
    (tmp_path / "net.json").unlink()
    (tmp_path / "net.pt").unlink()
    assert "epoch" not in call("--epochs", "3", "-o", "net.pt", "--resume").replace("after epoch 3", "")
    assert len(json.loads((tmp_path / "net.json").read_text())["epochs"]) == 3 and (tmp_path / "net.pt").exists()


def test_train_that_diverges_keeps_what_went_well(call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = session._Course.epoch

    def spoilt(progress: session._Course, advance) -> None:
        if len(progress.history) == 1:
            with torch.no_grad():
                next(progress._network.parameters()).fill_(float("nan"))
        original(progress, advance)

    monkeypatch.setattr(session._Course, "epoch", spoilt)
    error = call("--epochs", "2", "-o", "net.pt", code=2)
    assert "epoch 2: training diverged" in error and "net.checkpoint still holds the state after epoch 1" in error
    assert "net.pt holds its network" in error
    assert all(bool(torch.isfinite(each).all()) for each in load_model(tmp_path / "net.pt").state_dict().values())


def test_train_starts_from_given_weights(call, tmp_path: Path) -> None:
    torch.manual_seed(1)
    start = digits_cnn()
    torch.save({"state_dict": {f"module.{name}": value for name, value in start.state_dict().items()}}, "start.th")
    call("--epochs", "1", "-o", "net.pt", "--weights", "start.th", "--learning-rate", "1e-9")
    found = load_model(tmp_path / "net.pt")
    torch.testing.assert_close(found[0].weight, start[0].weight)
    # Thresholds that a network trained with ReLU lacks keep their first value.
    call("--epochs", "1", "-o", "qcfs.pt", "--weights", "net.pt", "--activation", "qcfs", "--learning-rate", "1e-9")
    torch.testing.assert_close(load_model(tmp_path / "qcfs.pt")[0].weight, start[0].weight)


def test_train_prints_one_json_object(call) -> None:
    form = json.loads(call("--epochs", "1", "--json"))
    assert form["model"] == "digits_cnn.pt" and form["settings"]["epochs"] == 1
    assert form["test_accuracy"] == form["epochs"][0]["test_accuracy"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs: out of range (expected at least 1, found 0)"),
        (["--threads", "0"], "--threads: is out of range"),
        (["--device", "abacus"], "--device: is no device (expected auto, cpu, cuda or cuda:NUMBER, found 'abacus')"),
        (["--activation", "gelu"], "--activation: there is no such activation (expected relu, clipped, qcfs"),
        (["--augment", "crop,blur"], "there is no such augmentation (expected crop, flip, autoaugment, cutout"),
        (["--mean", "a"], "--mean: cannot be understood"),
        (["--weights", "missing.pt"], "missing.pt: cannot be read"),
        (["-o", "net.json"], "net.json: is the name of the checkpoint or the log"),
        (["-o", "missing/net.pt"], "cannot be written"),
        (["--learning-rate", "1e30"], "epoch 1: training diverged"),
    ],
)
def test_train_explains_bad_input_in_one_line(call, arguments: list[str], message: str) -> None:
    assert message in call("--epochs", "1", *arguments, code=2)


def test_train_explains_other_bad_networks(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, message in (
        (["resnet20"], "the images do not fit the network (found images of shape (1, 8, 8)"),
        (["resnet50"], "ARCH: cannot be understood"),
        (["digits_cnn:qcfs", "--activation", "clipped"], "--activation: contradicts the network"),
        (["digits_cnn:5"], "the network has too few outputs (expected at least 10"),
        (["torch.nn:ReLU", "--activation", "relu"], "--activation: is only for snnc's own networks"),
    ):
        assert main(["train", *arguments, "--data", "digits", "--epochs", "1"]) == 2
        assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_train_takes_networks_of_the_user_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"own_network_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(
        "from torch import nn\ndef small(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    assert main(["train", f"{name}:small", "--data", "digits", "--epochs", "1"]) == 0
    assert load_model(tmp_path / f"{name}.pt")[1].out_features == 10
