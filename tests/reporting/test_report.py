"""The page of a report, by its content and from end to end."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.pages import Page
from support.reports import measured
from torch import nn

import snnc
from snnc.cli.entry import main
from snnc.inputs.data import report_data
from snnc.reporting.page import spiking
from snnc.reporting.page.page import page
from snnc.reporting.page.reproduce import Sources
from snnc.reporting.wording import joules
from snnc.runtime.energy import LOIHI1, QIAO2015, estimate_energy

HEADINGS = [
    "What stands out",
    "Network",
    "Accuracy after every pass",
    "Accuracy against T",
    "Layers: activations of the ANN against rates",
    "Spikes, synaptic operations and energy",
    "Fit to the chip",
    "How to reproduce it",
]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 4),
    )


class Reported:
    """A network, data with the network's own labels but for some, a .net file and its page."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.module = network().eval()
        torch.save(self.module, path / "model.pt")
        images = np.random.default_rng(1).integers(0, 256, (120, 1, 8, 8)).astype(np.uint8)
        with torch.no_grad():
            labels = self.module(torch.as_tensor(images / np.float32(255))).argmax(1).numpy()
        labels[::10] = (labels[::10] + 1) % 4
        np.savez(path / "data.npz", x_train=images[:60], y_train=labels[:60], x_test=images[60:], y_test=labels[60:])
        self.labels = labels[60:]
        self.arguments = ["compile", "model.pt", "--calib", "data.npz", "-T", "4", "--threshold", "data-driven"]
        self.arguments += ["--calibrate", "bias", "-o", "model.net", "--report", "page.html", "--json"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    return Reported(tmp_path_factory.mktemp("report"))


@pytest.fixture
def here(folder: Reported, monkeypatch: pytest.MonkeyPatch) -> Reported:
    monkeypatch.chdir(folder.path)
    return folder


@dataclass
class Compiled:
    """What compile printed and wrote."""

    form: dict[str, Any]
    page: str


@pytest.fixture(scope="module")
def compiled(folder: Reported) -> Compiled:
    before = Path.cwd()
    os.chdir(folder.path)
    try:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert main(folder.arguments) == 0
        return Compiled(json.loads(printed.getvalue()), Path("page.html").read_text(encoding="utf-8"))
    finally:
        os.chdir(before)


@pytest.fixture
def shown(here: Reported, compiled: Compiled) -> Page:
    return Page(compiled.page)


def test_the_page_holds_all_that_it_shows(shown: Page) -> None:
    assert shown.sections == HEADINGS
    assert all(each.startswith(("data:image/", "#")) for each in shown.addresses)
    assert all(any(name in each for each in shown.pictures) for name in ("network", "number of steps", "energy"))
    for kind in ("activations against rates", "sorted activations and the quantiser's steps", "firing rates"):
        assert sum(kind in each for each in shown.pictures) == 2


def test_the_network_is_drawn_with_its_neurons_thresholds_potentials_and_bits(here: Reported, shown: Page) -> None:
    program = snnc.load("model.net")
    (picture,) = [content.decode() for name, content in shown.pictures.items() if "layer by layer" in name]
    for layer in program.spiking_layers:
        assert layer.threshold is not None
        assert f"{layer.neurons:,} neurons" in picture
        assert f"θ {layer.threshold.value:,}, v0 {layer.initial_potential:,}" in picture
    assert "weights 8 of 8 bits, potential " in picture and " of 24 bits" in picture
    rows = shown.table("layer", "θ", "v0", "Vth", "potential measured")
    assert [row["neurons"] for row in rows] == ["384", "32", "4"]


def test_accuracy_is_told_after_every_pass(here: Reported, compiled: Compiled, shown: Page) -> None:
    rows = shown.table("pass", "the network is then", "accuracy, %")
    names = [row["pass"] for row in rows if row["pass"]]
    recorded = [each["title"] for each in compiled.form["passes"]]
    assert "folding batch normalisation" in recorded and recorded[-1] == "correcting layers and quantising them"
    assert names[0] == "the model" and len(names) == 1 + len(recorded)
    assert all(name.startswith(title) for name, title in zip(names[1:], recorded, strict=True))
    assert [each["name"] for each in compiled.form["passes"]][-2:] == ["Quantize", "CorrectAndQuantize"]
    assert not any(each["name"] in name for each in compiled.form["passes"] for name in names)
    assert rows[0]["accuracy, %"] == "90.0", "one in ten labels is wrong"
    before = [row for row in rows if row["the network is then"] == "ANN"]
    assert {row["as the ANN, %"] for row in before} == {"100.0"}
    result = snnc.run("model.net", report_data("data.npz", 256))
    labels = report_data("data.npz", 256).labels
    assert labels is not None
    assert rows[-1]["accuracy, %"] == f"{100 * result.accuracy(labels):.1f}"
    meanings = [row["the network is then"] for row in rows[-5:]]
    assert meanings[:2] == ["ANN, activations clipped at Vth", "and rounded to T + 1 levels"]
    assert meanings[2:] == ["spikes, floating point", "spikes, the chip's integers", "spikes, the chip's integers"]
    assert shown.bars["share"] == [float(row["accuracy, %"]) for row in rows]


def test_accuracy_against_steps_is_that_of_runs_that_stop(here: Reported, shown: Page) -> None:
    data = report_data("data.npz", 256)
    assert data.labels is not None
    result = snnc.run("model.net", data, stop_at=(1, 2, 3))
    expected = [f"{100 * each.accuracy(data.labels):.1f}" for each in (*result.earlier.values(), result)]
    rows = shown.table("steps", "accuracy, %")
    assert [row["steps"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["accuracy, %"] for row in rows] == expected


def test_the_errors_of_layers_are_those_of_the_diagnosis(here: Reported, shown: Page) -> None:
    found = snnc.diagnose("model.net", here.module, report_data("data.npz", 256))
    rows = shown.table("layer", "correlation", "clipped", "rounded", "received", "dead", "silent", "saturated")
    assert [row["error"] for row in rows] == [f"{100 * each.total:.1f}" for each in found.layers]
    assert [row["rounded"] for row in rows] == [f"{100 * each.rounded:.1f}" for each in found.layers]
    result = snnc.run("model.net", report_data("data.npz", 256))
    assert [row["dead"] for row in rows] == [f"{100 * (counts == 0).mean():.1f}" for counts in result.spike_counts]
    assert all(len(shown.bars[name]) == 2 for name in ("clipped", "rounded", "received"))


def test_the_energy_of_layers_adds_up(here: Reported, compiled: Compiled, shown: Page) -> None:
    program = snnc.load("model.net")
    report = measured(program, here.module, report_data("data.npz", 256))
    totals = {each.model: each for each in estimate_energy(program, report.counts)}
    last = shown.table("layer", "synaptic operations", "ANN multiply-accumulates")[-1]
    assert last["layer"] == "all layers"
    assert last["SNN, qiao2015"] == joules(totals[QIAO2015].snn)
    assert last["ANN, qiao2015"] == joules(totals[QIAO2015].ann)
    assert last["SNN, loihi1"] == joules(totals[LOIHI1].snn)
    assert last["ANN multiply-accumulates"] == f"{sum(each.macs for each in program.ann):,}"


def test_the_page_tells_how_full_cores_are(shown: Page) -> None:
    rows = shown.table("layer", "cores", "cut into", "neurons", "input axons")
    assert rows[0]["neurons"] == "384 5 % of 8,192"
    assert any("cores" in name for name in shown.pictures)


def test_the_commands_on_the_page_make_the_same_again(
    here: Reported, compiled: Compiled, shown: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    before, text = Path("model.net").read_bytes(), compiled.page
    start = text.index("<pre>") + len("<pre>")
    lines = text[start : text.index("</pre>")].strip().splitlines()
    assert [shlex.split(line)[:2] for line in lines] == [
        ["snnc", name] for name in ("compile", "report", "run", "validate")
    ]
    for line in lines:
        lava = ["--no-lava"] if " validate " in line else []
        assert main([*shlex.split(line)[1:], *lava]) == 0
    assert Path("model.net").read_bytes() == before
    again = Page(Path("page.html").read_text(encoding="utf-8"))
    # The report of the .net file alone runs the exact passes again, and ends with the same network on the same samples.
    titles = ("pass", "the network is then", "accuracy, %")
    one, other = (each.table(*titles) for each in (shown, again))
    assert [row["pass"] for row in other if row["pass"]][-2:] == ["thresholds of the .net file", "the .net file"]
    for index, title in itertools.product((0, -1), titles[1:]):
        assert one[index][title] == other[index][title]
    assert "seconds" in one[0] and "seconds" not in other[0]
    assert shown.table("steps", "accuracy, %") == again.table("steps", "accuracy, %")
    assert shown.table("layer", "correlation") == again.table("layer", "correlation")


def test_the_form_holds_what_the_page_shows(compiled: Compiled, shown: Page) -> None:
    measured = compiled.form["measured"]
    assert measured["samples"] == 60 and measured["samples_calibrated_on"] == 0
    rows = shown.table("pass", "accuracy, %")
    assert [f"{100 * each['accuracy']:.1f}" for each in measured["passes"]] == [row["accuracy, %"] for row in rows]
    assert [each["steps"] for each in measured["steps"]] == [1, 2, 3, 4]


def test_without_labels_the_agreement_with_the_ann_is_told(here: Reported, compiled: Compiled) -> None:
    images = np.random.default_rng(2).integers(0, 256, (30, 1, 8, 8)).astype(np.uint8)
    found = snnc.report("model.net", here.module, images, "unlabelled.html", title="a <b> & c")
    shown = Page(Path("unlabelled.html").read_text(encoding="utf-8"))
    assert "Agreement with the ANN after every pass" in shown.sections and "a <b> & c" in shown.text
    rows = shown.table("pass", "as the ANN, %")
    assert "accuracy, %" not in rows[0] and rows[0]["as the ANN, %"] == "100.0"
    result = snnc.run("model.net", images)
    with torch.no_grad():
        ann = here.module(torch.as_tensor(images / np.float32(255))).argmax(1).numpy()
    assert rows[-1]["as the ANN, %"] == f"{100 * (result.predictions == ann).mean():.1f}"
    assert found.samples == 30 and not found.labelled
    assert "snnc compile MODEL --calib DATA" in shown.text


def test_samples_that_were_calibrated_on_are_told(here: Reported) -> None:
    images = np.random.default_rng(3).integers(0, 256, (40, 1, 8, 8)).astype(np.uint8)
    np.savez("one.npz", x=images)
    arguments = ["compile", "model.pt", "--calib", "one.npz", "--calib-samples", "25", "--threshold", "max", "-q"]
    assert main([*arguments, "-o", "one.net", "--report", "one.html", "--report-samples", "40"]) == 0
    text = Page(Path("one.html").read_text(encoding="utf-8")).text
    assert "25 of the 40 samples measured on are among those that the network was calibrated on" in text


def test_of_deep_networks_the_worst_layers_are_drawn(
    here: Reported, compiled: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spiking, "DRAWN", 1)
    report = measured(snnc.load("model.net"), here.module, report_data("data.npz", 20))
    worst = report.diagnosis.worst_first[0].name
    shown = Page(page(report, Sources("m", "n", "d"), title="t", name="p"))
    assert sum("firing rates" in name for name in shown.pictures) == 1
    assert "Drawn are the 1 layers with the largest errors; 1 more are in the table" in shown.text
    assert f"{worst} 6×8×8" in shown.text or f"{worst} 8×2×2" in shown.text
    assert len(shown.table("layer", "correlation")) == 2


def test_a_network_that_overflows_says_so(here: Reported, compiled: Compiled) -> None:
    program = snnc.load("model.net")
    first = program.layers[0]
    wild = dataclasses.replace(
        program, layers=(dataclasses.replace(first, bias=first.bias + 60_000), *program.layers[1:])
    )
    snnc.report(wild, here.module, report_data("data.npz", 10), "wild.html")
    assert "the membrane potential overflowed" in Page(Path("wild.html").read_text(encoding="utf-8")).text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report"], "MODEL: is missing"),
        (["report", "model.pt"], "NET: is missing"),
        (["report", "model.pt", "model.net"], "--data: is missing"),
        (["report", "model.pt", "model.net", "--lab", "x"], "MODEL: goes with a page, not with --lab"),
        (
            ["report", "model.pt", "model.net", "--data", "data.npz", "-o", "model.net"],
            "would overwrite what it is made of",
        ),
        (["report", "model.pt", "model.net", "--data", "data.npz", "--samples", "0"], "is too small"),
        (["report", "other.pt", "model.net", "--data", "data.npz"], "is not the network that the .net file was"),
        (["report", "model.pt", "model.net", "--data", "data.npz", "-o", "no/page.html"], "cannot be written"),
        (["compile", "model.pt", "--calib", "data.npz", "--report-samples", "9"], "is for a page"),
        (["compile", "model.pt", "--calib", "data.npz", "--report-data", "data.npz"], "is for a page"),
        (["compile", "model.pt", "--calib", "data.npz", "--report", "x.html", "--report-data", "no"], "no such data"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    here: Reported,
    compiled: Compiled,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 4)), "other.pt")
    before = sorted(here.path.iterdir())
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err
    assert sorted(here.path.iterdir()) == before
