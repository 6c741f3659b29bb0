"""The page of a sigma-delta network, and what Python makes of such a network besides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.pages import Page
from torch import nn

import snnc
from snnc.analysis.conversion.sigma_delta import sigma_delta_findings
from snnc.program import SigmaDeltaProgram

IMAGES = np.random.default_rng(0).integers(0, 256, (70, 1, 8, 8)).astype(np.uint8)
LABELS = np.arange(70) % 3


def network(pool: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), pool, nn.Flatten(), nn.Linear(48, 3)
    ).eval()


@pytest.fixture(scope="module")
def module() -> nn.Module:
    return network(nn.AvgPool2d(2))


@pytest.fixture(scope="module")
def program(module: nn.Module) -> SigmaDeltaProgram:
    # A mean, so that the chain takes other values than levels.
    found = snnc.compile(module, IMAGES, neuron="sdnn", mean=0.3, std=0.5)
    assert isinstance(found, SigmaDeltaProgram)
    return found


def written(
    program: SigmaDeltaProgram, module: nn.Module, path: Path, labels: bool
) -> tuple[snnc.SigmaDeltaReport, Page]:
    report = snnc.report(program, module, (IMAGES, LABELS) if labels else IMAGES, path)
    assert isinstance(report, snnc.SigmaDeltaReport)
    return report, Page(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("labels", [True, False])
def test_a_page_has_all_that_applies(
    program: SigmaDeltaProgram, module: nn.Module, tmp_path: Path, labels: bool
) -> None:
    report, shown = written(program, module, tmp_path / "page.html", labels)
    judged = "Accuracy" if labels else "Agreement with the ANN"
    assert shown.sections == [
        "What stands out",
        "Network",
        f"{judged} after every pass",
        "Steps",
        "Layers: activations of the ANN against sums of messages",
        "Messages, synaptic operations and energy",
        "Fit to the chip",
        "How to reproduce it",
    ]
    for text in ("input:relay", "delta threshold", "messages per neuron", "--neuron sdnn", "Messages per sample"):
        assert text in shown.text
    assert "spikes per sample" not in shown.text.lower() and "Vth" not in shown.text
    assert all(each.bound is not None and each.largest_error <= each.bound for each in report.layers)


def test_passes_up_to_quantisation_change_no_prediction(
    program: SigmaDeltaProgram, module: nn.Module, tmp_path: Path
) -> None:
    report, _ = written(program, module, tmp_path / "page.html", labels=True)
    *exact, last = report.passes
    assert len(exact) > 5 and all(each.agreement == 1 for each in exact)
    assert last.agreement == report.network.agreement == report.validation.agreeing / report.samples
    assert exact[0].accuracy == report.ann.accuracy and last.accuracy == report.network.accuracy


def test_figures_are_those_of_run_and_validate(program: SigmaDeltaProgram, module: nn.Module, tmp_path: Path) -> None:
    report, _ = written(program, module, tmp_path / "page.html", labels=True)
    result = snnc.run(program, IMAGES)
    energies = {each.model.name: each.snn for each in snnc.estimate_energy(program, result)}
    from snnc.analysis.conversion import energy_of_layers

    layers = energy_of_layers(program, report.counts)
    for name, joules in energies.items():
        assert sum(each.snn[name] for each in layers) == pytest.approx(joules)
    judged = snnc.validate(program, module, (IMAGES, LABELS), lava=False)
    assert judged.snn_accuracy == report.network.accuracy and judged.agreeing == report.validation.agreeing


def test_without_a_bound_the_page_says_why(tmp_path: Path) -> None:
    pooled = network(nn.MaxPool2d(2))
    program = snnc.compile(pooled, IMAGES, neuron="sdnn", max_pool="avg")
    assert isinstance(program, SigmaDeltaProgram)
    _, shown = written(program, pooled, tmp_path / "page.html", labels=False)
    assert "No bound is shown" in shown.text and "average pooling" in shown.text


def test_another_network_is_refused(program: SigmaDeltaProgram, tmp_path: Path) -> None:
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    with pytest.raises(snnc.ModelError, match="is not the network that"):
        snnc.report(program, other, IMAGES, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_what_differs_from_the_ann_is_a_finding(module: nn.Module) -> None:
    coarse = snnc.compile(module, IMAGES, neuron="sdnn", mean=0.3, std=0.5, delta_threshold=511)
    assert isinstance(coarse, SigmaDeltaProgram)
    judged = snnc.validate(coarse, module, IMAGES, lava=False)
    assert judged.agreeing < judged.samples
    (found,) = sigma_delta_findings(coarse, judged)
    assert "predictions are not the ANN's" in found.what and "--delta-threshold" in found.advice


def test_what_needs_spikes_is_refused_in_python(program: SigmaDeltaProgram, module: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(snnc.OptionError, match="bundle is for networks of integrate-and-fire"):
        snnc.bundle(program, IMAGES, tmp_path / "lab.tar.gz")
    with pytest.raises(snnc.OptionError, match="have none"):
        snnc.program_thresholds(program, module, IMAGES)
    with pytest.raises(snnc.OptionError, match="NIR is for networks of integrate-and-fire"):
        snnc.export_nir(program, tmp_path / "model.nir")
    assert not list(tmp_path.iterdir())


def test_a_sigma_delta_network_is_placed(program: SigmaDeltaProgram, tmp_path: Path) -> None:
    placement = snnc.place(program)
    assert placement.cores >= len(program.layers) and not placement.errors()
    snnc.plot_placement(placement, tmp_path / "cores.svg", title="sigma-delta")
    picture = (tmp_path / "cores.svg").read_text(encoding="utf-8")
    # It has neither clocks nor biases.
    assert "<!-- c  input neurons -->" in picture and "clock" not in picture
