"""What the command line does besides compiling and running, from Python."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.digits import trained_on_digits
from torch import nn

import snnc
from snnc.cli import main
from snnc.runtime.energy import QIAO2015, count_operations

TRAIN = snnc.load_data("digits", split="train").take(400)
TEST = snnc.load_data("digits", split="test").take(100)
IMAGES = TRAIN.images * np.float32(TRAIN.unit)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    return trained_on_digits(module, epochs=5, samples=len(TRAIN.images))


@pytest.fixture(scope="module")
def program(network: nn.Module) -> snnc.Program:
    return snnc.compile(network, TRAIN, threshold="data-driven", calibration_samples=200)


def test_a_bundle_is_that_of_the_command_line(program: snnc.Program, tmp_path: Path) -> None:
    program.save(tmp_path / "model.net")
    seen: list[str] = []

    def told(title: str, done: int, _total: int) -> None:
        seen.extend([title] if not done else [])

    found = snnc.bundle(program, "digits", tmp_path / "one.tar.gz", samples=3, progress=told)
    assert (found.samples, found.data, found.clipped) == (3, "digits (test)", 0) and found.spikes > 0
    assert seen == ["reading the data", "running on sim", "packing"]
    with tarfile.open(found.path) as archive:
        assert "snnc-lab/run_lab.py" in archive.getnames()
    other = tmp_path / "other.tar.gz"
    assert main(["bundle", str(tmp_path / "model.net"), "--data", "digits", "--samples", "3", "-o", str(other)]) == 0
    assert other.read_bytes() == found.path.read_bytes()
    with pytest.raises(snnc.OptionError, match="at least 1"):
        snnc.bundle(program, TEST, tmp_path / "none.tar.gz", samples=0)


def test_thresholds_of_model_and_program_are_the_same(network: nn.Module, program: snnc.Program) -> None:
    (chosen,) = snnc.model_thresholds(network, TRAIN, threshold="data-driven", calibration_samples=200)
    (own,) = snnc.program_thresholds(program, network, TRAIN, calibration_samples=200)
    assert np.allclose(chosen.threshold, own.threshold)
    assert own.positive == chosen.positive > 0 and own.error == pytest.approx(chosen.error, rel=0.01)
    with pytest.raises(snnc.OptionError):
        snnc.model_thresholds(network, TRAIN, timesteps=0)
    with pytest.raises(snnc.ModelError):
        other = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.ReLU(), nn.Linear(3, 10))
        snnc.program_thresholds(program, other, TRAIN)


def test_pictures_are_written(program: snnc.Program, network: nn.Module, tmp_path: Path) -> None:
    layers = snnc.program_thresholds(program, network, TRAIN, calibration_samples=50)
    snnc.plot_thresholds(layers, tmp_path / "thresholds.png", title="digits")
    snnc.plot_placement(snnc.place(program), tmp_path / "cores.png", title="digits")
    for name in ("thresholds.png", "cores.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_a_program_is_placed_on_either_chip(program: snnc.Program, tmp_path: Path) -> None:
    program.save(tmp_path / "model.net")
    placement = snnc.place(tmp_path / "model.net")
    assert placement.target.name == program.target == "loihi2"
    assert placement.chips == 1 and placement.cores >= 2 and placement.errors() == ()
    assert snnc.place(program, "loihi1").target.name == "loihi1"
    with pytest.raises(snnc.TargetError, match="loihi1"):
        snnc.place(program, "loihi9")


def test_energy_is_operations_times_joules(program: snnc.Program) -> None:
    result = snnc.run(program, TEST, samples=20)
    (first, second) = snnc.estimate_energy(program, result)
    operations = count_operations(program, result).synaptic_total / 20
    assert (first.model, second.model.name) == (QIAO2015, "loihi1")
    assert first.snn == pytest.approx(77e-15 * operations)
    assert first.ann == pytest.approx(2 * 12.5e-12 * (64 * 32 + 32 * 10))
    assert snnc.estimate_energy(program)[0] == replace(first, snn=None)


SETTINGS = snnc.FinetuneSettings(epochs=3, learning_rate=0.05, batch_size=32, calibration_samples=100)


def test_a_network_is_fine_tuned_and_compiled(network: nn.Module) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    seen: list[snnc.Epoch] = []
    tuned = snnc.finetune(network, TRAIN, SETTINGS, test=TEST, device="cpu", threads=1, report=seen.append)
    assert list(tuned.epochs) == seen and len(seen) == 3 and tuned.best is tuned.epochs[-1]
    assert seen[-1].loss < seen[0].loss and seen[-1].test_accuracy > 0.5
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    compiled = snnc.compile(tuned.network, TRAIN, timesteps=1, threshold="learned", calibration_samples=100)
    accuracy = snnc.run(compiled, TEST).accuracy(np.asarray(TEST.labels))
    assert accuracy == pytest.approx(tuned.best.test_accuracy, abs=0.1)
    # A second run, from its result, for another T.
    again = snnc.finetune(
        tuned.network, TRAIN, replace(SETTINGS, timesteps=2, epochs=1, threshold="keep"), test=TEST, device="cpu"
    )
    assert again.settings.timesteps == 2 and again.epochs[0].loss < seen[0].loss


def test_a_fine_tuning_run_is_resumed(network: nn.Module, tmp_path: Path) -> None:
    whole = snnc.finetune(network, TRAIN, SETTINGS, test=TEST, device="cpu", threads=1)
    state = tmp_path / "run.checkpoint"

    def interrupt(epoch: snnc.Epoch) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        snnc.finetune(network, TRAIN, SETTINGS, test=TEST, device="cpu", threads=1, checkpoint=state, report=interrupt)
    rest: list[snnc.Epoch] = []
    resumed = snnc.finetune(
        network, TRAIN, SETTINGS, test=TEST, device="cpu", threads=1, checkpoint=state, resume=True, report=rest.append
    )
    assert [epoch.epoch for epoch in rest] == [3] and len(resumed.epochs) == 3
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name


def test_what_cannot_be_fine_tuned_is_refused(network: nn.Module) -> None:
    with pytest.raises(snnc.DataError, match="no labels"):
        snnc.finetune(network, IMAGES, SETTINGS)
    with pytest.raises(snnc.OptionError, match="data-driven"):
        snnc.finetune(network, TRAIN, replace(SETTINGS, threshold="keep"))
    with pytest.raises(snnc.OptionError, match="nothing to teach"):
        snnc.finetune(network, TRAIN, SETTINGS, teacher=network)
    with pytest.raises(snnc.OptionError, match="--epochs"):
        snnc.finetune(network, TRAIN, replace(SETTINGS, epochs=0))
