"""``snnc validate`` and ``snnc demo`` from end to end: what they compare, and when they fail."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.command_line import Call, FullCall
from support.digits import Folder

from snnc.cli import main
from snnc.models import digits_cnn
from snnc.models.data import load_data


def test_validate_compares_ann_and_simulator_layer_by_layer(made: Folder, works: Call) -> None:
    text = works("validate", made.net, "--model", made.model, "--data", "digits", "--no-lava")
    assert "SNN beside the ANN on 360 samples: agrees with the ANN on " in text
    assert text.endswith("passed\n")
    form = json.loads(
        works("validate", made.net, "--model", made.model, "--data", "digits", "--no-lava", "--json", "--max-drop", 5)
    )
    assert form["passed"] is True
    assert form["lava"] is None
    assert form["notes"] == []
    assert [layer["name"] for layer in form["layers"]] == ["2", "6", "11", "12"]
    assert all(layer["correlation"] > 0.9 for layer in form["layers"])
    assert all(layer["mean_error"] < 0.1 for layer in form["layers"][:-1])
    assert form["drop"] == pytest.approx(100 * (form["ann_accuracy"] - form["snn_accuracy"]))


def test_validate_fails_where_the_accuracy_drops_too_far(
    made: Folder, here: Path, call: FullCall, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load_data("digits", split="test")
    network = torch.load(made.model, weights_only=False)
    with torch.no_grad():
        answers = network(torch.as_tensor(data.images * np.float32(data.unit))).argmax(1).numpy()
    np.savez(here / "own.npz", x=data.images * np.float32(data.unit), y=answers)
    code, _, err = call("compile", made.model, "--calib", "digits", "-T", 1, "--threshold", "max", "-o", "bad.net")
    assert code == 0 and err.startswith("warning: the compiled network is no copy of the ANN: the accuracy drops by ")
    arguments = ("validate", "bad.net", "--model", made.model, "--data", "own.npz", "--no-lava", "--max-drop", "0")
    assert main([str(each) for each in arguments]) == 1
    out, err = capsys.readouterr()
    assert out.endswith("failed\n")
    assert "warning: the accuracy drops by " in err


def test_validate_says_that_the_model_is_another_one(made: Folder, here: Path, works: Call) -> None:
    torch.manual_seed(1)
    torch.save(digits_cnn(), here / "other.pt")
    # It decides otherwise, too, so that the comparison fails.
    text = works("validate", made.net, "--model", "other.pt", "--data", "digits", "--no-lava", "--samples", 20, code=1)
    assert "note: the model is not the one that the .net file was compiled from" in text


@pytest.mark.lava
def test_validate_compares_simulator_and_lava_spike_by_spike(made: Folder, works: Call) -> None:
    form = json.loads(
        works(
            *("validate", made.net, "--model", made.model, "--data", "digits"),
            *("--samples", 20, "--lava-samples", 3, "--json"),
        )
    )
    lava = form["lava"]
    assert lava["complete"] is True
    assert lava["samples"] == 3
    assert lava["spikes"] == lava["spikes_matching"] > 1000
    assert lava["spikes_extra"] == 0
    assert lava["readouts"] == lava["readouts_matching"] == 30


def test_the_demo_goes_the_whole_way(here: Path, works: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnc.cli.demo.EPOCHS", 2)
    form = json.loads(works("demo", "--no-lava", "--json"))
    assert form["ann_accuracy"] > 0.5
    assert form["accuracy"] == form["snn_accuracy"]
    assert sorted(each.name for each in here.iterdir()) == ["digits.net", "digits.pt"]
    content = (here / "digits.net").read_bytes()
    works("compile", "digits.pt", "--calib", "digits")
    assert (here / "digits.net").read_bytes() == content


def test_the_demo_without_lava_says_so(here: Path, works: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnc.cli.demo.EPOCHS", 1)
    monkeypatch.setattr("snnc.runtime.lava.lava_available", lambda: "lava-nc is not installed; use Python 3.10")
    text = works("demo")
    assert "ANN accuracy" in text
    assert "SNN accuracy" in text
    assert "note: Lava was not run: lava-nc is not installed; use Python 3.10" in text


@pytest.mark.lava
def test_the_demo_compares_with_lava(here: Path, works: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnc.cli.demo.EPOCHS", 1)
    text = works("demo", "--lava-samples", 2, "-o", "small.net")
    (line,) = [each for each in text.splitlines() if each.startswith("sim and Lava agree on ")]
    agreeing, total = line.split(" spikes")[0].removeprefix("sim and Lava agree on ").split(" of ")
    assert agreeing == total
    assert "and on 20 of 20 readout values" in line
