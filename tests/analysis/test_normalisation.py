"""What says that data arrive as they did in training: batch normalisation, kept values, units, and the ANN itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.command_line import FullCall
from support.tasks import event_counts, normalised
from torch import nn

import snnc
from snnc.analysis.calibration_data import normalisation_fit
from snnc.compiler.frontend import trace
from snnc.models.data.dataset import keep_normalisation, kept_normalisation, make_dataset
from snnc.program.verdict import NormalisationFit


def test_a_forgotten_normalisation_is_a_warning_with_what_would_fit() -> None:
    module, data = normalised(0.5, 0.1)
    with pytest.warns(snnc.VerdictWarning, match=r"not what it was trained on .* the ANN is right for .*--mean 0\.5"):
        program = snnc.compile(module, data, threshold="max")
    fit = program.provenance.normalisation
    assert isinstance(fit, NormalisationFit) and not fit.fits and fit.other_fits
    assert fit.mean[0] == pytest.approx(0.5, abs=0.03) and fit.std[0] == pytest.approx(0.1, abs=0.01)
    findings = snnc.diagnose(module, program, data).findings
    assert findings[0].what == fit.problem.replace(f"{fit.divergence:.2g}", findings[0].what.split()[-1].rstrip(")"))
    assert "--mean" in findings[0].advice
    right = snnc.compile(module, data, threshold="max", mean=0.5, std=0.1)
    assert right.provenance.normalisation is not None and right.provenance.normalisation.fits
    assert right.provenance.verdict is not None and right.provenance.verdict.ann_accuracy == pytest.approx(1, abs=0.05)


def test_a_known_normalisation_is_found_by_its_name() -> None:
    torch.manual_seed(0)
    images = torch.rand(256, 3, 8, 8) * torch.tensor([0.9, 0.6, 0.3])[:, None, None]
    mean, std = (torch.tensor(each)[:, None, None] for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6, momentum=1.0), nn.ReLU(), nn.Flatten())
    module.train()((images - mean) / std)
    fit = normalisation_fit(trace(module.eval(), (3, 8, 8)), images.numpy(), (0.0,), (1.0,))
    assert fit is not None and fit.name == "imagenet" and fit.other_fits and not fit.fits


def test_data_that_no_normalisation_makes_fit_are_told_so() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6, momentum=1.0), nn.ReLU(), nn.Flatten())
    # Noise where the network knew one channel alone.
    module.train()(torch.rand(64, 2, 8, 8) * torch.tensor([1.0, 0.001])[:, None, None])
    raw = np.random.default_rng(0).random((64, 2, 8, 8)) * np.array([0.001, 1.0])[:, None, None]
    fit = normalisation_fit(trace(module.eval(), (2, 8, 8)), raw, (0.0,), (1.0,))
    assert fit is not None and not fit.fits and not fit.other_fits and "no known --mean" in fit.advice


def test_networks_without_a_first_batch_normalisation_are_not_judged() -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.BatchNorm1d(3))
    assert normalisation_fit(trace(module.eval(), (4,)), np.zeros((8, 4)), (0.0,), (1.0,)) is None


def test_what_a_model_was_trained_with_is_kept_and_used(tmp_path: Path, call: FullCall) -> None:
    module, (x, y) = normalised(0.5, 0.1)
    keep_normalisation(module, (0.5,), (0.1,))
    torch.save(module, tmp_path / "model.pt")
    np.savez(tmp_path / "data.npz", x=x, y=y)
    program = snnc.compile(tmp_path / "model.pt", (x, y), threshold="max")
    assert program.provenance.options["mean"] == (0.5,) and program.provenance.options["std"] == (0.1,)
    assert any("the model was trained with" in note for note in program.provenance.notes)
    with pytest.warns(snnc.ContradictionWarning, match=r"--mean 0\.45 --std 0\.1 contradicts .*--mean 0\.5 --std 0\.1"):
        snnc.compile(tmp_path / "model.pt", (x, y), threshold="max", mean=0.45, std=0.1)
    arguments = ("compile", tmp_path / "model.pt", "--calib", tmp_path / "data.npz", "--threshold", "max")
    code, _, err = call(*arguments, "--mean", 0.45, "--std", 0.1)
    assert code == 0 and err.startswith("warning: --mean 0.45 --std 0.1 contradicts the model") and err.count("\n") == 1


@pytest.mark.parametrize("kept", [("0.5", (1.0,)), ((0.5,), (0.0,)), ((float("nan"),), (1.0,)), ((), ())])
def test_what_is_no_normalisation_is_not_taken_from_a_model(kept: tuple[object, object]) -> None:
    module = nn.Linear(2, 2)
    module.input_mean, module.input_std = kept
    assert kept_normalisation(module) is None


def test_counts_get_a_note_and_their_unit_is_kept(tmp_path: Path) -> None:
    module, (x, y) = event_counts()
    wrong = snnc.compile(module, (x, y), threshold="max")
    assert any("8-bit data use 0 to 10 of 0 to 255" in note and "--unit" in note for note in wrong.provenance.notes)
    program = snnc.compile(module, (x, y), threshold="max", unit=1)
    assert not any("8-bit data" in note for note in program.provenance.notes)
    program.save(tmp_path / "counts.net")
    with torch.no_grad():
        right = (module(torch.as_tensor(x).float()).argmax(1).numpy() == y).mean()
    assert snnc.run(tmp_path / "counts.net", (x, y)).accuracy(y) == pytest.approx(right, abs=0.01) and right > 0.95
    np.savez(tmp_path / "counts.npz", x=x, y=y, unit=1)
    assert snnc.load_data(str(tmp_path / "counts.npz"), split="test").unit == 1


def test_the_unit_of_data_that_say_their_own_stays() -> None:
    data = make_dataset("data", np.zeros((2, 3), np.uint8), unit=1 / 16)
    assert data.in_unit(1.0).unit == 1 / 16
    with pytest.raises(snnc.OptionError, match="above 0"):
        data.in_unit(0.0)


def test_an_ann_that_is_hardly_right_is_a_warning() -> None:
    module, (x, y) = event_counts()
    with pytest.warns(snnc.VerdictWarning, match=r"the ANN is right for .* hardly more than chance.*--arch"):
        snnc.compile(module, (x, (y + 1) % 4), threshold="max", unit=1)
