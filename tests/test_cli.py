"""The command line from end to end: what each command prints, and that bad input gets one clear line."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from snnc.cli import main
from snnc.models import digits_cnn, train
from snnc.models.data import load_data
from snnc.runtime.lava import lava_available

COMMANDS = (
    *("init", "compile", "run", "validate", "diagnose", "inspect", "thresholds", "train", "finetune", "bundle"),
    "export",
    "report",
    "demo",
)


class Folder:
    """A trained network and its .net file, made once for all tests."""

    def __init__(self, path: Path) -> None:
        self.model = path / "digits.pt"
        self.net = path / "digits.net"
        torch.manual_seed(0)
        network = digits_cnn()
        data = load_data("digits", split="train")
        images = torch.as_tensor(data.images * np.float32(data.unit))
        train(network, images, torch.as_tensor(data.labels), epochs=8, learning_rate=3e-3, threads=1)
        torch.save(network, self.model)
        assert main(["compile", str(self.model), "--calib", "digits", "-o", str(self.net), "-q"]) == 0


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("made"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


Call = Callable[..., str]


@pytest.fixture
def works(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command that must succeed without a word on stderr, and returns what it printed."""

    def call(*arguments: object, code: int = 0) -> str:
        capsys.readouterr()
        assert main([str(each) for each in arguments]) == code
        out, err = capsys.readouterr()
        assert code != 0 or err == ""
        return out

    return call


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], here: Path) -> Call:
    """Runs a command that must be refused: exit code 2, one line on stderr, no new file; returns the line."""

    def call(*arguments: object, code: int = 2) -> str:
        capsys.readouterr()
        before = sorted(here.rglob("*"))
        assert main([str(each) for each in arguments]) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        assert sorted(here.rglob("*")) == before
        return err

    return call


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snnc", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


# ---- starting ----


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import snnc, snnc.errors, snnc.cli, sys; sys.exit('torch' in sys.modules or 'h5py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_the_version(works: Call) -> None:
    assert works("--version").startswith("snnc 0.")


def test_without_a_command_there_is_help(works: Call) -> None:
    text = works()
    assert all(name in text for name in COMMANDS)
    assert "Exit codes: 0 all is well, 1 a check failed, 2 bad input" in text


def test_the_list_of_commands_says_each_in_full(works: Call) -> None:
    """Four of the lines ended in dots."""
    text = works("--help")
    assert all(f"  {command} " in text for command in COMMANDS)
    assert "..." not in text.partition("Commands:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(works: Call, command: str) -> None:
    text = works(command, "--help")
    assert f"  snnc {command}" in text
    assert "--json" in text


def test_the_module_runs_as_a_program() -> None:
    done = process("inspect", "missing.net")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "error: missing.net: no such file\n"


# ---- what works ----


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

    def notes(*options: object) -> str:
        return " ".join(json.loads(works("compile", made.model, "-o", "out.net", "--json", *options))["notes"])

    assert "are of one class, of the 10" in notes("--calib", "one.npz")
    assert "of 7 classes, of the 10" in notes("--calib", "some.npz")
    few = notes("--calib", "digits", "--calib-samples", 20, "--calibrate", "weights")
    assert "calibrated on 20 samples, fewer than a batch of 64" in few
    assert "weights were corrected on 20 windows of" in few
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
        works("compile", made.model, "--calib", "digits", "-o", "n.net", "--mean", "0.3", "--std", "0.4", "--json")
    )
    assert form["provenance"]["options"]["mean"] == "0.3"
    compared = json.loads(
        works("validate", "n.net", "--model", made.model, "--data", "digits", "--no-lava", "--samples", 64, "--json")
    )
    assert all(layer["correlation"] > 0.9 for layer in compared["layers"])


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


def test_validate_compares_ann_and_simulator_layer_by_layer(made: Folder, works: Call) -> None:
    text = works("validate", made.net, "--model", made.model, "--data", "digits", "--no-lava")
    assert "ANN and SNN predict the same class for" in text
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
    made: Folder, here: Path, works: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load_data("digits", split="test")
    network = torch.load(made.model, weights_only=False)
    with torch.no_grad():
        answers = network(torch.as_tensor(data.images * np.float32(data.unit))).argmax(1).numpy()
    np.savez(here / "own.npz", x=data.images * np.float32(data.unit), y=answers)
    works("compile", made.model, "--calib", "digits", "-T", 1, "--threshold", "max", "-o", "bad.net")
    arguments = ("validate", "bad.net", "--model", made.model, "--data", "own.npz", "--no-lava", "--max-drop", "0")
    assert main([str(each) for each in arguments]) == 1
    out, err = capsys.readouterr()
    assert out.endswith("failed\n")
    assert "warning: the accuracy drops by " in err


def test_validate_says_that_the_model_is_another_one(made: Folder, here: Path, works: Call) -> None:
    torch.manual_seed(1)
    torch.save(digits_cnn(), here / "other.pt")
    text = works("validate", made.net, "--model", "other.pt", "--data", "digits", "--no-lava", "--samples", 20)
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


@pytest.mark.lava
def test_run_gives_the_same_on_lava(made: Folder, works: Call) -> None:
    arguments = ("run", made.net, "--data", "digits", "--samples", 2, "--json", "--backend")
    sim, lava = (json.loads(works(*arguments, backend)) for backend in ("sim", "lava"))
    assert lava.pop("backend") == "lava"
    assert sim.pop("backend") == "sim"
    # The simulator counts for Lava, which does not tell.
    assert lava.pop("wraps") == sim.pop("wraps") == [0, 0, 0, 0]
    assert lava == sim


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


def test_nothing_is_cut_off_when_piped(made: Folder) -> None:
    done = process("inspect", made.net, env={**os.environ, "COLUMNS": "40"})
    assert done.returncode == 0
    assert "…" not in done.stdout
    assert "conv 6×6, 16→32, stride 2, pad 2" in done.stdout
    assert done.stderr == ""


def test_a_closed_pipe_is_no_error(made: Folder) -> None:
    command = f"{sys.executable} -m snnc inspect {made.net} --json | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "{"
    assert done.stderr == ""


# ---- models that cannot be used ----


def test_a_missing_model(refused: Call) -> None:
    assert "nothere.pt: no such file" in refused("compile", "nothere.pt", "--calib", "digits")


@pytest.mark.parametrize("content", [b"", b"hello, this is no network" * 10], ids=["empty", "text"])
def test_a_file_that_torch_did_not_write(here: Path, refused: Call, content: bytes) -> None:
    (here / "model.pt").write_bytes(content)
    assert "model.pt" in refused("compile", "model.pt", "--calib", "digits")


@pytest.mark.parametrize("part", [0.01, 0.5, 0.99])
def test_a_truncated_model(made: Folder, here: Path, refused: Call, part: float) -> None:
    content = made.model.read_bytes()
    (here / "model.pt").write_bytes(content[: int(len(content) * part)])
    assert "model.pt" in refused("compile", "model.pt", "--calib", "digits")


class Own(nn.Module):
    """A class that torch does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)


class Attack:
    """Unpickling it would make a folder."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("attacked",)


def test_a_model_of_the_users_own_class_needs_trust(here: Path, refused: Call) -> None:
    (here / "model.pt").write_bytes(b"")
    torch.save(Own(), here / "model.pt")
    line = refused("compile", "model.pt", "--calib", "digits")
    assert "Own" in line
    assert "--trust" in line


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_a_model_that_would_run_code_is_refused_and_runs_none(here: Path, refused: Call, writer: str) -> None:
    if writer == "torch":
        torch.save(Attack(), here / "model.pt")
    else:
        (here / "model.pt").write_bytes(pickle.dumps(Attack()))
    refused("compile", "model.pt", "--calib", "digits")
    assert not (here / "attacked").exists()


def test_a_state_dict_that_does_not_fit_names_the_keys(made: Folder, here: Path, refused: Call) -> None:
    state = torch.load(made.model, weights_only=False).state_dict()
    state["extra.weight"] = state.pop("0.weight")
    torch.save(state, here / "state.pt")
    line = refused("compile", "state.pt", "--arch", "snnc.models:digits_cnn", "--calib", "digits")
    assert "0.weight" in line
    assert "extra.weight" in line


def test_a_state_dict_alone_asks_for_its_architecture(made: Folder, here: Path, refused: Call) -> None:
    torch.save(torch.load(made.model, weights_only=False).state_dict(), here / "state.pt")
    assert "--arch" in refused("compile", "state.pt", "--calib", "digits")


@pytest.mark.parametrize("layer", [nn.GroupNorm(2, 4), nn.Sigmoid(), nn.Upsample(scale_factor=2)])
def test_an_operation_that_cannot_be_compiled_is_named(here: Path, refused: Call, layer: nn.Module) -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), layer, nn.Flatten())
    size = network(torch.zeros(1, 1, 8, 8)).shape[1]
    torch.save(nn.Sequential(*network, nn.Linear(size, 3)), here / "m.pt")
    line = refused("compile", "m.pt", "--calib", "digits")
    assert line.startswith("error: module 2: ")
    assert type(layer).__name__ in line


# ---- data that cannot be used ----


def test_calibration_data_are_required(made: Folder, refused: Call) -> None:
    line = refused("compile", made.model)
    assert line.startswith("error: --calib: is missing")
    assert "digits" in line


@pytest.mark.parametrize(
    ("images", "word"),
    [
        (np.zeros((4, 3, 8, 8), np.uint8) + np.arange(4, dtype=np.uint8)[:, None, None, None], "shape"),
        (np.zeros((4, 1, 5, 5), np.float32) + np.arange(4, dtype=np.float32)[:, None, None, None], "shape"),
        (np.zeros((4, 8), np.float32), "equal"),
        (np.zeros((0, 1, 8, 8), np.float32), "no images"),
        (np.full((4, 1, 8, 8), np.nan, np.float32), "NaN"),
        (np.full((4, 1, 8, 8), np.inf), "NaN"),
        (np.zeros((4, 1, 8, 8), np.float32), "equal"),
        (np.zeros((4, 8, 8, 1, 1), np.float32), "shape"),
    ],
    ids=["channels", "size", "features", "empty", "NaN", "infinite", "constant", "axes"],
)
def test_calibration_data_that_cannot_be_used(
    made: Folder, here: Path, refused: Call, images: np.ndarray[Any, Any], word: str
) -> None:
    np.savez(here / "data.npz", x=images)
    assert word in refused("compile", made.model, "--calib", "data.npz", "-o", "out.net")


@pytest.mark.parametrize("spec", ["nothere.npz", "nothere/", "", "nomodule:attribute", "word"])
def test_data_that_do_not_exist(made: Folder, refused: Call, spec: str) -> None:
    refused("compile", made.model, "--calib", spec, "-o", "out.net")
    refused("run", made.net, "--data", spec)
    refused("validate", made.net, "--model", made.model, "--data", spec)


def test_data_whose_shape_does_not_fit_the_net(made: Folder, here: Path, refused: Call) -> None:
    np.savez(here / "data.npz", x=np.zeros((4, 1, 9, 9), np.uint8))
    for command in (("run",), ("validate", "--model", made.model, "--no-lava")):
        line = refused(command[0], made.net, "--data", "data.npz", *command[1:])
        assert "expected samples of shape (1, 8, 8), found (1, 9, 9)" in line


# ---- options out of range ----


@pytest.mark.parametrize("timesteps", ["0", "-1", "1025", "100000000000"])
def test_timesteps_out_of_range(made: Folder, refused: Call, timesteps: str) -> None:
    line = refused("compile", made.model, "--calib", "digits", "-T", timesteps, "-o", "out.net")
    assert "-T" in line
    assert "1..1024" in line


@pytest.mark.parametrize(
    "options",
    [
        ("-T", "eight"),
        ("-T",),
        ("-T", "8.5"),
        ("--threshold", "best"),
        ("--target", "truenorth"),
        ("--mean", "a"),
        ("--mean", "nan"),
        ("--mean", "0.1,0.2"),
        ("--std", "0"),
        ("--std", "inf"),
        ("--std", ""),
        ("--calib-samples", "0"),
        ("--arch", "snnc.models:digits_cnn"),
        ("--nonsense",),
        ("extra", "argument"),
    ],
    ids=" ".join,
)
def test_options_that_cannot_be_used(made: Folder, refused: Call, options: tuple[str, ...]) -> None:
    refused("compile", made.model, "--calib", "digits", "-o", "out.net", *options)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run",),
        ("run", "NET"),
        ("run", "NET", "--data", "digits", "--samples", "0"),
        ("run", "NET", "--data", "digits", "--samples", "-3"),
        ("run", "NET", "--data", "digits", "--batch-size", "0"),
        ("run", "NET", "--data", "digits", "--backend", "gpu"),
        ("validate", "NET", "--data", "digits"),
        ("validate", "NET", "--data", "digits", "--model", "MODEL", "--lava-samples", "0"),
        ("validate", "NET", "--data", "digits", "--model", "MODEL", "--max-drop", "-1", "--no-lava"),
        ("validate", "NET", "--data", "digits", "--model", "MODEL", "--max-drop", "nan", "--no-lava"),
        ("demo", "--lava-samples", "0"),
        ("demo", "-o", "digits.pt"),
    ],
    ids=" ".join,
)
def test_wrong_use_gets_one_line(made: Folder, refused: Call, arguments: tuple[str, ...]) -> None:
    refused(*({"NET": made.net, "MODEL": made.model}.get(each, each) for each in arguments))


def test_the_drop_can_only_be_judged_with_labels(made: Folder, here: Path, refused: Call) -> None:
    np.savez(here / "data.npz", x=np.zeros((4, 1, 8, 8), np.uint8))
    line = refused("validate", made.net, "--model", made.model, "--data", "data.npz", "--no-lava", "--max-drop", "1")
    assert "labels" in line


def test_loihi_without_intels_extension_says_what_to_do(made: Folder, refused: Call) -> None:
    line = refused("run", made.net, "--data", "digits", "--samples", "1", "--backend", "loihi")
    assert "Intel's Neuromorphic Research Community" in line
    assert "--backend lava" in line


@pytest.mark.skipif(lava_available() is None, reason="Lava is installed")
def test_lava_that_is_demanded_but_not_installed(made: Folder, refused: Call) -> None:
    refused("run", made.net, "--data", "digits", "--samples", "1", "--backend", "lava")
    refused("validate", made.net, "--model", made.model, "--data", "digits", "--lava")
    refused("demo", "--lava")


# ---- .net files that cannot be used ----


def broken(made: Folder, here: Path, change: Callable[[h5py.File], None]) -> Path:
    path = here / "broken.net"
    path.write_bytes(made.net.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def newer(file: h5py.File) -> None:
    file["snnc"].attrs["format_version"] = 1000


def foreign(file: h5py.File) -> None:
    del file["snnc"]


def odd(file: h5py.File) -> None:
    file["layer/1/weight"][0, 0, 0, 0] = 3


def other_threshold(file: h5py.File) -> None:
    file["layer/1/neuron/vThMant"][()] = 1


def fewer(file: h5py.File) -> None:
    del file["layer/5"]


def stranger(file: h5py.File) -> None:
    file["snnc"].attrs["surprise"] = 1


def no_timesteps(file: h5py.File) -> None:
    file["snnc"].attrs["timesteps"] = 0


def wrong_shape(file: h5py.File) -> None:
    del file["layer/1/weight"]
    file["layer/1/weight"] = np.zeros((16, 2, 3, 3), np.int16)


@pytest.mark.parametrize("change", [newer, odd, other_threshold, fewer, stranger, no_timesteps, wrong_shape])
def test_a_net_that_contradicts_itself(
    made: Folder, here: Path, refused: Call, change: Callable[[h5py.File], None]
) -> None:
    path = broken(made, here, change)
    line = refused("inspect", path)
    assert "broken.net" in line
    if change is newer:
        assert "update snnc" in line
    assert refused("run", path, "--data", "digits") == line
    assert refused("validate", path, "--model", made.model, "--data", "digits") == line


def test_what_is_left_without_our_part_is_anyones_netx(made: Folder, here: Path, works: Call, refused: Call) -> None:
    path = broken(made, here, foreign)
    assert "netx of lava-dl" in works("inspect", path)
    assert "was not written by snnc" in refused("validate", path, "--model", made.model, "--data", "digits")


@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_net(made: Folder, here: Path, refused: Call, part: float) -> None:
    content = made.net.read_bytes()
    (here / "cut.net").write_bytes(content[: int(len(content) * part)])
    assert "cut.net" in refused("inspect", "cut.net")


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_a_damaged_net_never_ends_in_a_traceback(made: Folder, here: Path, place: int) -> None:
    content = bytearray(made.net.read_bytes())
    start = len(content) * place // 100
    content[start : start + 64] = bytes(64)
    (here / "damaged.net").write_bytes(content)
    assert main(["inspect", "damaged.net"]) in (0, 2)


def test_a_net_that_is_no_hdf5(made: Folder, here: Path, refused: Call) -> None:
    (here / "text.net").write_text("hello")
    assert "not an HDF5 file" in refused("inspect", "text.net")
    assert "HDF5" in refused("inspect", made.model)
    (here / "folder.net").mkdir()
    assert "folder" in refused("inspect", "folder.net")


# ---- outputs that cannot be written ----


@pytest.mark.parametrize("option", ["-o", "--report"])
@pytest.mark.parametrize("place", ["missing/out.net", "file/out.net", "folder"])
def test_an_output_that_cannot_be_written_is_refused_before_any_work(
    made: Folder, here: Path, refused: Call, monkeypatch: pytest.MonkeyPatch, option: str, place: str
) -> None:
    (here / "file").write_text("")
    (here / "folder").mkdir()
    monkeypatch.setattr("snnc.api.compile_recorded", lambda *_arguments, **_options: pytest.fail("it went to work"))
    line = refused(
        "compile", made.model, "--calib", "digits", *([] if option == "-o" else ["-o", "o.net"]), option, place
    )
    assert f"{place}: cannot be written" in line


def test_the_model_is_never_overwritten(made: Folder, here: Path, refused: Call) -> None:
    (here / "model.net").write_bytes(made.model.read_bytes())
    assert "would overwrite the model" in refused("compile", "model.net", "--calib", "digits")
    assert (here / "model.net").read_bytes() == made.model.read_bytes()


def test_the_demo_checks_its_output_first(refused: Call) -> None:
    assert "cannot be written" in refused("demo", "-o", "missing/digits.net")


def test_what_was_there_stays_where_compiling_fails(made: Folder, here: Path, refused: Call) -> None:
    (here / "out.net").write_text("precious")
    refused("compile", made.model, "--calib", "nothere.npz", "-o", "out.net")
    assert (here / "out.net").read_text() == "precious"


# ---- failures that nobody caused ----


def fail(*_: object, **__: object) -> None:
    raise ZeroDivisionError("a\nb")


def test_an_unforeseen_error_is_one_line_and_exit_code_3(
    made: Folder, refused: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snnc.api.load", fail)
    assert refused("inspect", made.net, code=3) == "error: ZeroDivisionError: a b (a bug in snnc; -v shows where)\n"


def test_verbose_shows_where(made: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("snnc.api.load", fail)
    assert main(["inspect", str(made.net), "-v"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_is_one_line_and_exit_code_130(
    made: Folder, refused: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("snnc.api.load", interrupt)
    # A shell starts what runs in the background with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert refused("inspect", made.net, code=130) == "error: interrupted\n"
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_overflow_fails_the_run_and_names_the_layer(
    made: Folder, works: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from snnc.runtime.simulator import Simulator

    original = Simulator.run
    monkeypatch.setattr(Simulator, "run", lambda *a, **k: replace(original(*a, **k), wraps=(0, 7, 0, 0)))
    assert main(["run", str(made.net), "--data", "digits", "--samples", "2"]) == 1
    assert "warning: layer 6: the membrane potential overflowed 7 times" in capsys.readouterr().err
