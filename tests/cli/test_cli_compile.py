"""``snnc compile`` from end to end: what it writes, prints and notes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.command_line import Call
from support.digits import Folder

from snnc.models.data import load_data


def test_compile_writes_the_file_and_says_what_it_did(made: Folder, here: Path, works: Call) -> None:
    text = works("compile", made.model, "--calib", "digits", "-o", "out.net", "--report", "out.html", "-v")
    assert (
        "compiled for loihi2, T = 8, 9 steps a sample, 12 until its result, calibrated on 512 samples of digits" in text
    )
    assert "conv 3×3, 1→16, pad 1" in text
    assert "12 (readout)" in text
    assert "quantising to the chip's integers" in text
    assert "wrote out.net and out.html" in text
    assert (here / "out.net").read_bytes() == made.net.read_bytes()
    assert sorted(each.name for each in here.iterdir()) == ["out.html", "out.net"]
    page = (here / "out.html").read_text()
    assert "<title>digits.pt</title>" in page
    assert all(word in page for word in ("Layers", "after every pass", "reproduce", "energy", "profiling activations"))


def test_compile_writes_beside_the_model_unless_told_otherwise(made: Folder, here: Path, works: Call) -> None:
    (here / "net.pt").write_bytes(made.model.read_bytes())
    form = json.loads(works("compile", "net.pt", "--calib", "digits", "-T", 4, "--per-layer", "--json"))
    assert (here / "net.net").exists()
    assert form["output"] == "net.net"
    assert form["timesteps"] == 4
    assert form["provenance"]["options"]["per_channel"] == "False"
    assert [layer["name"] for layer in form["layers"]] == ["2", "6", "11", "12"]
    assert all(layer["membrane"]["measured"] for layer in form["layers"])
    assert form["bytes"] == (here / "net.net").stat().st_size
    assert [step["name"] for step in form["passes"]][-1] == "Quantize"


def test_the_objective_says_which_error_is_least(made: Folder, here: Path, works: Call) -> None:
    common = ("compile", made.model, "--calib", "digits", "-T", 4, "--json")
    optimal = ("--threshold", "optimal")
    forms = [json.loads(works(*common, *optimal, "--objective", m, "-o", f"{m}.net")) for m in (1, 2)]
    assert [form["provenance"]["options"]["objective"] for form in forms] == ["1", "2"]
    assert forms[0]["layers"] != forms[1]["layers"]
    default = json.loads(works(*common, "--threshold", "optimal", "-o", "default.net"))
    assert default["layers"] == forms[0]["layers"]
    looked_at = [
        json.loads(works("thresholds", made.model, "--calib", "digits", *optimal, "--objective", m, "--json"))["layers"]
        for m in (1, 2)
    ]
    assert looked_at[0] != looked_at[1]


def test_corrections_are_named_noted_and_refused(made: Folder, here: Path, works: Call, refused: Call) -> None:
    out = works(
        "compile", made.model, "--calib", "digits", "-T", "4", "--calibrate", "weights, bias", "-o", "c.net", "--json"
    )
    form = json.loads(out)
    assert any(note.startswith("corrected weights, bias on ") for note in form["notes"])
    assert "weights" in refused("compile", made.model, "--calib", "digits", "--calibrate", "magic")


@pytest.mark.parametrize("options", [(), ("--per-layer",), ("--calibrate", "weights,spread,bias", "--lead", "2")])
def test_thresholds_are_tried_unless_told_otherwise(
    made: Folder, here: Path, works: Call, options: tuple[str, ...]
) -> None:
    form = json.loads(works("compile", made.model, "--calib", "digits", "-T", 4, *options, "-o", "a.net", "--json"))
    assert form["provenance"]["options"]["threshold"] == "auto"
    (note,) = (note for note in form["notes"] if note.startswith("thresholds by "))
    for name in ("data-driven, m = 1", "data-driven, m = 2", "percentile"):
        assert f"{name} " in note
    (stats,) = (step["stats"] for step in form["passes"] if step["name"] == "ChooseThresholds")
    assert stats[f"unexplained ({stats['chosen']})"] == min(
        value for name, value in stats.items() if name.startswith("unexplained")
    )


def test_calibration_data_of_one_class_or_of_few_samples_are_noted(made: Folder, here: Path, works: Call) -> None:
    digits = load_data("digits", split="train")
    of_one = digits.labels == 3
    np.savez(here / "one.npz", x=digits.images[of_one], y=digits.labels[of_one])
    of_some = digits.labels < 7
    np.savez(here / "some.npz", x=digits.images[of_some], y=digits.labels[of_some])

    def notes(*options: object, warning: str | None = None) -> str:
        out = works("compile", made.model, "-o", "out.net", "--json", *options, warning=warning)
        return " ".join(json.loads(out)["notes"])

    # Its pictures have the values 0 to 16, and the file does not say what these are worth.
    unlike = "not what it was trained on"
    assert "are of one class, of the 10" in notes("--calib", "one.npz", warning=unlike)
    assert "of 7 classes, of the 10" in notes("--calib", "some.npz", "--unit", 1 / 16)
    few = notes("--calib", "digits", "--calib-samples", 20, "--calibrate", "weights")
    assert "calibrated on 20 samples, fewer than a batch of 64" in few
    # So few windows are known by heart, which integers may show on other samples.
    assert "weights were corrected on 20 windows of" in few or "nothing was corrected" in few
    enough = notes("--calib", "digits", "--calibrate", "weights")
    assert "fewer than a batch" not in enough and "windows of" not in enough and "class" not in enough


def test_quiet_is_quiet(made: Folder, here: Path, works: Call) -> None:
    assert works("compile", made.model, "--calib", "digits", "-o", "out.net", "-q") == ""


def test_a_state_dict_compiles_with_its_architecture(made: Folder, here: Path, works: Call) -> None:
    torch.save(torch.load(made.model, weights_only=False).state_dict(), here / "state.pt")
    works("compile", "state.pt", "--arch", "snnc.models:digits_cnn", "--calib", "digits")
    assert (here / "state.net").read_bytes() == made.net.read_bytes()


def test_the_mean_and_deviation_of_training_are_taken_into_account(made: Folder, here: Path, works: Call) -> None:
    form = json.loads(
        works(
            *("compile", made.model, "--calib", "digits", "-o", "n.net", "--mean", "0.3", "--std", "0.4", "--json"),
            warning="not what it was trained on",
        )
    )
    assert form["provenance"]["options"]["mean"] == "0.3"
    compared = json.loads(
        works("validate", "n.net", "--model", made.model, "--data", "digits", "--no-lava", "--samples", 64, "--json")
    )
    assert all(layer["correlation"] > 0.9 for layer in compared["layers"])
