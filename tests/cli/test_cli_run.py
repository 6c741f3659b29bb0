"""``snnc run`` and ``snnc inspect`` from end to end: what they print, on the simulator and on Lava."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from support.command_line import Call
from support.digits import Folder

from snnc.cli import main


def test_run_tells_accuracy_spikes_operations_and_energy(made: Folder, works: Call) -> None:
    text = works("run", made.net, "--data", "digits", "--samples", 50)
    assert "on 50 samples of digits (test), T = 8, 9 steps a sample, 12 until its result, backend sim" in text
    assert "accuracy " in text
    assert "all layers" in text
    assert "qiao2015" in text
    assert "loihi1" in text


def test_run_as_json_is_one_object(made: Folder, works: Call) -> None:
    form = json.loads(works("run", made.net, "--data", "digits", "--json"))
    assert form["samples"] == len(form["predictions"]) == 360
    assert form["accuracy"] == form["correct"] / 360 > 0.75
    assert form["wraps"] == [0, 0, 0, 0]
    assert [layer["spikes"] is None for layer in form["layers"]] == [False, False, False, True]
    total = sum(layer["synaptic_operations"] for layer in form["layers"])
    assert form["per_sample"]["synaptic_operations"] == pytest.approx(total / 360)
    qiao = next(each for each in form["energy"] if each["model"] == "qiao2015")
    assert qiao["snn_joules"] == pytest.approx(total / 360 * 77e-15)
    assert qiao["ann_joules"] == pytest.approx(form["per_sample"]["ann_macs"] * 2 * 12.5e-12)


def test_the_batch_size_never_changes_the_result(made: Folder, works: Call) -> None:
    forms = [works("run", made.net, "--data", "digits", "--json", "--batch-size", size) for size in (7, 360)]
    assert forms[0] == forms[1]


def test_without_labels_run_shows_what_was_predicted(made: Folder, here: Path, works: Call) -> None:
    np.savez(here / "unlabelled.npz", x=np.zeros((5, 1, 8, 8), np.float32))
    text = works("run", made.net, "--data", "unlabelled.npz")
    assert "predictions (no labels to compare with): " in text
    assert text.count(": 5\n") == 1


def test_values_outside_the_calibrated_range_are_not_clipped_silently(made: Folder, here: Path, works: Call) -> None:
    np.savez(here / "wild.npz", x=np.full((2, 1, 8, 8), -3, np.float32))
    assert "note: 100 % of the input values lie outside" in works("run", made.net, "--data", "wild.npz")
    assert json.loads(works("run", made.net, "--data", "wild.npz", "--json"))["clipped"] == 1


def test_an_overflow_fails_the_run_and_names_the_layer(
    made: Folder, works: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from snnc.runtime.simulator import Simulator

    original = Simulator.run
    monkeypatch.setattr(Simulator, "run", lambda *a, **k: replace(original(*a, **k), wraps=(0, 7, 0, 0)))
    assert main(["run", str(made.net), "--data", "digits", "--samples", "2"]) == 1
    assert "warning: layer 6: the membrane potential overflowed 7 times" in capsys.readouterr().err


@pytest.mark.lava
def test_run_gives_the_same_on_lava(made: Folder, works: Call) -> None:
    arguments = ("run", made.net, "--data", "digits", "--samples", 2, "--json", "--backend")
    sim, lava = (json.loads(works(*arguments, backend)) for backend in ("sim", "lava"))
    assert lava.pop("backend") == "lava"
    assert sim.pop("backend") == "sim"
    # The simulator counts for Lava, which does not tell.
    assert lava.pop("wraps") == sim.pop("wraps") == [0, 0, 0, 0]
    assert lava == sim


def test_inspect_shows_what_the_file_holds(made: Folder, works: Call) -> None:
    text = works("inspect", made.net)
    assert "for Intel Loihi 2, T = 8, 9 steps a sample, 12 until its result, input 1×8×8" in text
    assert "loihi2: 5 cores of 1 chip (128 each), 1 of them for " in text
    assert "91,776 multiply-accumulates per sample" in text
    form = json.loads(works("inspect", made.net, "--json"))
    assert form["resources"]["neurons"] == 1024 + 512 + 64 + 10
    assert form["layers"][-1].get("threshold") is None
    assert form["provenance"]["calibration_samples"] == 512
    assert form["placement"]["cores"] == 5
    assert [layer["cores"] for layer in form["placement"]["layers"]] == [1, 1, 1, 1]


def test_inspect_places_a_network_on_another_chip_and_draws_it(made: Folder, works: Call, tmp_path: Path) -> None:
    picture = tmp_path / "cores.png"
    text = works("inspect", made.net, "--target", "loihi1", "--plot", picture)
    assert re.search(r"loihi1: \d+ cores of 1 chip", text)
    assert picture.read_bytes().startswith(b"\x89PNG")
    form = json.loads(works("inspect", made.net, "--target", "loihi1", "--json"))
    assert form["placement"]["available_per_core"]["neurons"] == 1024
    assert max(layer["used_at_most"]["input axons"] for layer in form["placement"]["layers"]) <= 4096
