"""Sigma-delta networks through the command line, and everything that they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.digits import Folder
from torch import nn

import snnc
from snnc.cli import main
from snnc.common.errors import OptionError, TargetError, UnsupportedError
from snnc.models import ClippedReLU, digits_cnn

SIGMA_DELTA = ("compile", "MODEL", "--calib", "digits", "--neuron", "sdnn")
IMAGES = np.random.default_rng(0).integers(0, 256, (70, 1, 8, 8)).astype(np.uint8)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The same network as in other tests' folder, compiled to sigma-delta neurons, with a report."""
    path = tmp_path_factory.mktemp("made")
    return Folder(path, "--neuron", "sdnn", "--report", path / "digits.html", epochs=5)


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    form: dict[str, Any] = json.loads(capsys.readouterr().out)
    return form


def test_a_run_reports_messages_and_accuracy(made: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    form = run_json(capsys, "run", made.net, "--data", "digits")
    assert form["accuracy"] > 0.9 and form["timesteps"] == 6 and not any(form["wraps"])
    assert form["per_sample"]["spikes"] == pytest.approx(sum(each["spikes"] or 0 for each in form["layers"]) / 360)
    assert all(each["snn_joules"] > 0 for each in form["energy"])
    assert main(["run", str(made.net), "--data", "digits", "--samples", "20"]) == 0
    text = capsys.readouterr().out
    assert "messages" in text and "sigma-delta neurons, 6 steps a sample" in text and "spike" not in text


def test_synaptic_operations_are_messages_times_fan_out(made: Folder) -> None:
    program = snnc.load(made.net)
    assert isinstance(program, snnc.SigmaDeltaProgram)
    result = snnc.run(program, "digits", samples=5, record=True)
    from snnc.runtime.energy import count_operations

    assert result.spikes is not None
    counts = count_operations(program, result)
    # The dense layers: each message reaches all of them.
    for index in (3, 4):
        sent = int(np.count_nonzero(result.spikes[index - 1]))
        assert counts.spikes[index - 1] == sent
        assert counts.synaptic[index] == sent * program.layers[index].neurons


def test_a_neuron_sends_once_in_a_sample_at_most(made: Folder) -> None:
    result = snnc.run(snnc.load(made.net), "digits", samples=10, record=True)
    assert result.spikes is not None
    assert all((np.count_nonzero(messages, axis=1) <= 1).all() for messages in result.spikes)


def test_inspect_shows_units_and_cores(made: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    form = run_json(capsys, "inspect", made.net)
    assert form["neuron"] == "sdnn" and form["membrane_limit"] == 1 << 23
    assert next(layer["name"] for layer in form["layers"]) == "input:relay"
    assert form["layers"][0]["membrane"]["cannot_overflow"] is True
    assert form["layers"][-1]["delta_threshold"] is None
    assert form["placement"]["control"]["neurons"] == 64
    assert form["resources"]["neurons"] == sum(layer["neurons"] for layer in form["layers"])
    assert main(["inspect", str(made.net)]) == 0
    assert "delta threshold" in capsys.readouterr().out


def test_validate_compares_layer_by_layer(made: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    form = run_json(
        capsys, "validate", made.net, "--model", made.model, "--data", "digits", "--samples", 40, "--no-lava"
    )
    assert form["passed"] and form["agreeing_predictions"] >= 39
    assert len(form["layers"]) == 4
    for layer in form["layers"]:
        assert layer["out_of_bound"] == 0 and layer["largest_error"] <= layer["bound"] and layer["correlation"] > 0.99


def test_compiling_writes_the_page_too(made: Folder) -> None:
    page = (made.path / "digits.html").read_text(encoding="utf-8")
    assert "quantising to sigma-delta neurons" in page and "messages, the chip" in page
    assert "Sigma-delta neurons have no T" in page
    assert "--target loihi --neuron sdnn " in page.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("diagnose", "MODEL", "NET", "--data", "digits"), "diagnosis is for networks of integrate-and-fire neurons"),
        (("bundle", "NET", "--data", "digits"), "snnc bundle is for networks of integrate-and-fire neurons"),
        (("export", "NET", "OUT.nir", "--to", "nir"), "the export to NIR is for networks of integrate"),
        (("thresholds", "NET", "--model", "MODEL", "--calib", "digits"), "sigma-delta neurons have none"),
        (("run", "NET", "--data", "digits", "--stop-at", "2"), "stop at.*integrate-and-fire"),
        ((*SIGMA_DELTA, "--target", "loihi1"), "loihi1.*graded spikes"),
        ((*SIGMA_DELTA, "--lead", "4"), r"lead \(--lead\).*--neuron if"),
        ((*SIGMA_DELTA, "-T", "8"), "timesteps.*--neuron if"),
        ((*SIGMA_DELTA, "--calibrate", "bias"), "calibrate.*--neuron if"),
        ((*SIGMA_DELTA, "--threshold", "max"), "threshold.*--neuron if"),
        ((*SIGMA_DELTA, "--max-pool", "or"), "max_pool.*expected avg"),
        ((*SIGMA_DELTA, "--delta-threshold", "512"), r"0\.\.511.*512"),
        (("compile", "MODEL", "--calib", "digits", "--delta-threshold", "1"), "delta_threshold.*--neuron sdnn"),
        (("compile", "MODEL", "--calib", "digits", "--neuron", "spike"), "unknown neuron.*if, sdnn, snm"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(
    made: Folder, capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    import re

    places = {"MODEL": str(made.model), "NET": str(made.net), "OUT.nir": str(tmp_path / "out.nir")}
    given = [places.get(each, each) for each in arguments]
    if given[0] in ("compile", "bundle"):
        given += ["-o", str(tmp_path / "out")]
    capsys.readouterr()
    assert main(given) == 2
    output = capsys.readouterr()
    assert re.search(message, output.err), output.err
    assert output.err.count("\n") == 1 and "Traceback" not in output.err
    assert not list(tmp_path.iterdir())


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 1, 3, padding=1)
        self.last = nn.Linear(64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(x) + x).flatten(1))


class Joined(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3, padding=1)
        self.second = nn.Conv2d(1, 2, 1)
        self.last = nn.Linear(256, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.cat([torch.relu(self.first(x)), torch.relu(self.second(x))], 1).flatten(1))


def sequence(*layers: nn.Module) -> nn.Module:
    """Layers on images of 8 x 8, and a readout."""
    body = nn.Sequential(*layers, nn.Flatten())
    return nn.Sequential(*body, nn.Linear(body(torch.zeros(1, 1, 8, 8)).shape[1], 3))


REFUSED: list[tuple[nn.Module, str]] = [
    (Residual(), "residual connections.*--neuron if"),
    (Joined(), "concatenation.*--neuron if"),
    (sequence(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2)), "module 2: .*maximum pooling.*--max-pool avg"),
    (sequence(nn.Conv2d(1, 2, 3), ClippedReLU()), "module 1: .*without a bound.*train it with ReLU"),
    (sequence(nn.ConvTranspose2d(1, 2, 3), nn.ReLU()), "module 0: netx has no transposed convolutions"),
    (sequence(nn.Conv2d(1, 2, 1, padding=1), nn.ReLU()), "padding is so wide.*module 0|module.*0.*padding is so wide"),
    (sequence(nn.BatchNorm2d(1), nn.Conv2d(1, 2, 3, padding=1), nn.ReLU()), "bias differs at the border"),
    (
        sequence(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3, padding=1), nn.ReLU()),
        "modules 0 [+] 1 [+] 2: cannot be folded",
    ),
    (nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), "no ReLU"),
]


@pytest.mark.parametrize(("module", "message"), REFUSED)
def test_what_is_no_chain_is_refused_by_its_module(module: nn.Module, message: str) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean = torch.ones(layer.num_features)
    with pytest.raises(UnsupportedError, match=message) as caught:
        snnc.compile(module.eval(), IMAGES, neuron="sdnn")
    assert "\n" not in str(caught.value)


def test_the_chip_without_graded_spikes_is_refused_in_python() -> None:
    with pytest.raises(TargetError, match="graded spikes"):
        snnc.compile(digits_cnn().eval(), IMAGES, neuron="sdnn", target="loihi1")
    with pytest.raises(OptionError, match="per_channel"):
        snnc.compile(digits_cnn().eval(), IMAGES, neuron="sdnn", per_channel=False)


def test_equal_input_gives_equal_bytes(made: Folder, tmp_path: Path) -> None:
    options = ("--calib", "digits", "--neuron", "sdnn", "-o", str(tmp_path / "a.net"), "-q")
    assert main(["compile", str(made.model), *options]) == 0
    assert (tmp_path / "a.net").read_bytes() == made.net.read_bytes()


@pytest.mark.lava
def test_run_on_lava_gives_what_sim_gives(made: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    forms = [
        run_json(capsys, "run", made.net, "--data", "digits", "--samples", 3, "--backend", each)
        for each in ("sim", "lava")
    ]
    for form in forms:
        del form["backend"], form["wraps"]
    assert forms[0] == forms[1]
