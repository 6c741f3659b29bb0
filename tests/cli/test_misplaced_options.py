"""Options that mean nothing in a case are refused when they are typed, even at their usual values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.command_line import FullCall
from support.netx_files import random_file
from torch import nn

from snnc.cli.configuration import FILE_NAME

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.ReLU(), nn.Linear(10, 10)), "model.pt")
    return Path("model.pt")


@pytest.mark.parametrize(
    ("typed", "neuron", "message"),
    [
        (("--threshold", "auto"), "sdnn", "threshold (--threshold): shapes spikes"),
        (("-T", 8), "sdnn", "timesteps (--timesteps): shapes spikes"),
        (("--per-channel",), "sdnn", "per_channel (--per-channel): shapes spikes"),
        (("--objective", 1), "sdnn", "objective (--objective): shapes spikes"),
        (("--lead", 0), "sdnn", "lead (--lead): shapes spikes"),
        (("--lead", 2), "sdnn", "lead (--lead): shapes spikes"),
        (("--delta-threshold", 0), "if", "delta_threshold (--delta-threshold): is for sigma-delta neurons"),
        (("--delta-threshold", 3), "if", "delta_threshold (--delta-threshold): is for sigma-delta neurons"),
    ],
)
def test_options_of_the_other_neuron(model: Path, call: FullCall, typed: tuple, neuron: str, message: str) -> None:
    code, _, err = call("compile", model, "--calib", "digits", "--neuron", neuron, *typed)
    assert code == 2 and err.startswith(f"error: {message}") and f"with --neuron {neuron})" in err
    assert err.count("\n") == 1
    # The neuron may come from a file, and it may be the usual one.
    Path(FILE_NAME).write_text(f'neuron = "{neuron}"\n')
    assert call("compile", model, "--calib", "digits", *typed)[2] == err


def test_an_unknown_neuron_is_told_before_all_else(model: Path, call: FullCall) -> None:
    code, _, err = call("compile", model, "--calib", "digits", "--neuron", "snm", "-T", 8)
    assert code == 2 and err.startswith("error: neuron")


@pytest.mark.parametrize("typed", [("--skip-layers", 0), ("--input-bits", 0), ("-T", 4), ("--skip-layers", 1)])
def test_netx_options_are_not_for_files_of_ours(call: FullCall, typed: tuple) -> None:
    net = DATA / "portable.net"
    code, _, err = call("run", net, "--data", "digits", *typed)
    name = "--timesteps" if typed[0] == "-T" else typed[0]
    assert code == 2
    assert (
        err
        == f"error: {name}: is not for {net}, which is not somebody else's netx file (found {typed[1]}); leave it out\n"
    )


@pytest.mark.parametrize("typed", [("--device", "auto"), ("--device", "cpu"), ("--stop-at", "1,2"), ("--workers", 1)])
def test_options_for_files_of_ours_are_not_for_netx(tmp_path: Path, call: FullCall, typed: tuple) -> None:
    net = random_file(np.random.default_rng(1), block=False, delays=False).write(tmp_path / "other.net")
    code, _, err = call("run", net, "--data", "digits", *typed)
    assert code == 2
    assert err == f"error: {typed[0]}: is not for {net}, which snnc did not write (found {typed[1]}); leave it out\n"


@pytest.mark.parametrize("typed", [("--lava-samples", 10), ("--workers", 2), ("--lava-models", "fast")])
def test_options_of_lava_without_lava(model: Path, call: FullCall, typed: tuple) -> None:
    code, _, err = call("validate", model, "model.net", "--data", "digits", "--no-lava", *typed)
    assert code == 2 and f"({typed[0]}): is for Lava, which does not run" in err
    assert err.endswith(f"found {typed[1]} with --no-lava)\n")


def test_options_of_lava_in_a_file_stay_without_use(model: Path, call: FullCall) -> None:
    Path(FILE_NAME).write_text(
        'calib = "digits"\ndata = "digits"\nsamples = 5\nlava-samples = 3\n[compile]\nthreshold = "max"\n'
    )
    assert call("compile", model)[0] == 0
    code, out, err = call("validate", model, "model.net", "--no-lava")
    assert (code, err) == (0, "") and out.startswith(f"from {FILE_NAME}: data, samples\n")


def test_options_of_a_page_are_not_for_a_laboratorys_result(call: FullCall) -> None:
    code, _, err = call("report", "--lab", "result.json", "--report-samples", 256)
    assert (code, err) == (2, "error: --report-samples: goes with a page, not with --lab (found 256)\n")
    assert "no such file" in call("report", "--lab", "result.json")[2]
