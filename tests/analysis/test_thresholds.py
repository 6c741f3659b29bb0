"""``snnc thresholds``: figures against the definition, pictures, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.progress import Heard
from torch import nn

from snnc.analysis.staircase import rate
from snnc.analysis.thresholds import LayerThresholds, model_thresholds, program_thresholds
from snnc.cli import main
from snnc.common.errors import ModelError, OutputError
from snnc.compiler.conversion.choose_thresholds import NEAREST, candidates
from snnc.compiler.conversion.solver import spike_counts
from snnc.compiler.options import CompileOptions
from snnc.compiler.search import Judge, Judgement
from snnc.inputs.data import calibration_data
from snnc.models import QCFS
from snnc.reporting.thresholds import plot_thresholds

PNG = b"\x89PNG"


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 12),
        nn.ReLU(),
        nn.Linear(12, 10),
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("thresholds") / "model.pt"
    torch.save(network(), path)
    return path


@pytest.fixture(scope="module")
def net(model: Path) -> Path:
    path = model.with_suffix(".net")
    assert main(["compile", str(model), "--calib", "digits", "-T", "4", "-o", str(path), "-q"]) == 0
    return path


Call = Callable[..., str]


@pytest.fixture
def works(capsys: pytest.CaptureFixture[str], here: Path) -> Call:
    def call(*arguments: object, command: str = "thresholds") -> str:
        capsys.readouterr()
        assert main([command, *map(str, arguments)]) == 0
        out, err = capsys.readouterr()
        # Of random weights compile says that they are hardly right.
        assert err == "" or err.startswith("warning: the ANN is right for")
        return out

    return call


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], here: Path) -> Call:
    """Exit code 2, one line on stderr, no file."""

    def call(*arguments: object, command: str = "thresholds") -> str:
        capsys.readouterr()
        assert main([command, *map(str, arguments)]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("error: ") and err.count("\n") == 1
        assert not list(here.iterdir())
        return err

    return call


def layer(values: list[float], threshold: list[float], timesteps: int = 4, name: str = "relu") -> LayerThresholds:
    """Values go to the channels in turn."""
    vth, array = np.array(threshold), np.array(values)
    channels = np.arange(len(values)) % len(vth)
    order = np.argsort(array / vth[channels], kind="stable")
    return LayerThresholds(
        name, (name,), timesteps, vth, vth / 2, array[order], channels[order], len(values), 2 * len(values) + 1,
        max(values, default=0.0), float(array.mean()) if values else 0.0, 0.1, float(array.mean()) if values else 0.0,
    )  # fmt: skip


# ---- figures ----


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=30),
    st.floats(0.1, 5),
    st.floats(0, 1),
    st.integers(1, 16),
)
def test_a_rate_is_the_definitions(values: list[float], threshold: float, fraction: float, timesteps: int) -> None:
    potential = fraction * threshold
    found = rate(np.array(values), np.array(threshold), np.array(potential), timesteps)
    expected = spike_counts(values, threshold, potential, timesteps) * threshold / timesteps
    assert np.allclose(found, expected, rtol=1e-12)


@given(st.lists(st.floats(0.01, 10), min_size=4, max_size=40), st.floats(0.2, 3), st.integers(1, 8))
def test_the_error_over_the_factor_is_that_of_the_scaled_thresholds(
    values: list[float], factor: float, timesteps: int
) -> None:
    found = layer(values, [1.0, 2.5], timesteps).relative_errors(np.array([factor]))
    array, vth = np.array(values), np.array([1.0, 2.5])[np.arange(len(values)) % 2] * factor
    rates = rate(array, vth, vth / 2, timesteps)
    assert found[0] == pytest.approx(np.abs(array - rates).mean() / array.mean(), rel=1e-9)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("timesteps", [1, 8])
def test_figures_of_a_model_are_those_of_its_activations(per_channel: bool, timesteps: int) -> None:
    module = network()
    data = calibration_data("digits", 200)
    heard = Heard()
    options = CompileOptions(threshold="data-driven", timesteps=timesteps, per_channel=per_channel)
    layers = model_thresholds(module, data, options, progress=heard)
    assert heard.done[-1] == 400 and heard.done == sorted(heard.done)
    assert not heard.begun, "all of it is one step, which whoever calls has begun"
    with torch.no_grad():
        images = torch.as_tensor(data.images * np.float32(data.unit))
        first = module[1](module[0](images)).transpose(0, 1).flatten(1).numpy().astype(np.float64)
    found = layers[0]
    assert (found.name, found.total, found.positive) == ("1", first.size, int((first > 1e-6).sum()))
    assert found.largest == pytest.approx(first.max(), rel=1e-5)
    rates = rate(first, found.threshold[:, None], found.potential[:, None], timesteps)
    assert found.error == pytest.approx(np.abs(first - rates)[first > 0].mean(), rel=1e-3)
    assert found.uniform != per_channel
    assert (np.diff(found.shares) >= 0).all()
    # The threshold that was chosen is the best one, as far as the drawn activations show.
    factors = np.linspace(0.7, 1.4, 71)
    assert found.relative_errors(factors).min() >= found.relative_errors(np.ones(1))[0] - 0.005


def test_with_objective_2_errors_are_squared_and_the_chosen_threshold_has_the_least() -> None:
    """The picture showed absolute errors, beside whose least the thresholds of objective 2 did not lie."""
    module, data = network(), calibration_data("digits", 200)
    options = CompileOptions(threshold="data-driven", timesteps=8, per_channel=False, objective=2)
    found = model_thresholds(module, data, options)[0]
    assert found.objective == 2
    rms = [np.sqrt((each**2).mean()) for each in (found.values - found.rates, found.values)]
    assert [found.error, found.norm] == pytest.approx(rms, rel=1e-6)
    assert found.relative_error == pytest.approx(found.error / found.norm)
    factors = np.linspace(0.7, 1.4, 71)
    assert found.relative_errors(factors).min() >= found.relative_errors(np.ones(1))[0] - 0.005
    absolute = dataclasses.replace(found, objective=1)
    assert absolute.relative_errors(factors).min() < absolute.relative_errors(np.ones(1))[0] - 0.005


def test_no_more_activations_are_kept_than_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnc.analysis.thresholds.measure.DRAWN", 300)
    data = calibration_data("digits", 200)
    (first, _) = model_thresholds(network(), data, CompileOptions(per_channel=False))
    assert 200 <= len(first.values) <= 304
    assert first.positive > 10_000
    assert first.relative_error == pytest.approx(float(first.relative_errors(np.ones(1))[0]), rel=0.3)


def test_a_compiled_network_gives_its_own_thresholds(model: Path, net: Path) -> None:
    import snnc

    program, data = snnc.load(net), calibration_data("digits", 512)
    found = program_thresholds(program, network(), data)
    expected = model_thresholds(network(), data, CompileOptions(timesteps=4))
    for mine, other in zip(found, expected, strict=True):
        assert np.allclose(mine.threshold, other.threshold)
        assert np.allclose(mine.potential, other.potential, rtol=0.02)
        assert mine.error == pytest.approx(other.error, rel=0.02)


def test_another_network_is_refused(net: Path) -> None:
    import snnc

    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 10))
    with pytest.raises(ModelError, match=r"model \(--model\): is not the network .*expected the layers 1, 5, found 2"):
        program_thresholds(snnc.load(net), other, calibration_data("digits", 20))


# ---- pictures ----


def test_a_picture_of_many_layers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = [
        layer(rng.gamma(1, 1, 500).tolist(), [1.5] if index % 2 else [1.0, 2.0], name=f"features.{index}")
        for index in range(7)
    ]
    layers.append(layer([], [1.0], name="dead"))
    layers.append(layer([0.5], [1.0], name="one value"))
    plot_thresholds(layers, tmp_path / "a.png", title="$a$ title with _ and $\\frac$")
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(("suffix", "start"), [("png", PNG), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_every_format(tmp_path: Path, suffix: str, start: bytes) -> None:
    plot_thresholds([layer([0.1, 0.5, 2.0], [1.0])], tmp_path / f"a.{suffix}", title="T")
    assert (tmp_path / f"a.{suffix}").read_bytes().startswith(start)


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        plot_thresholds([layer([1.0], [1.0])], tmp_path / "missing" / "a.png", title="T")


# ---- the command ----


def test_what_the_error_is_follows_the_objective(model: Path, works: Call, here: Path) -> None:
    data = ("--calib", "digits")
    for options, words in (
        (("--threshold", "data-driven"), "of mean"),
        (("--threshold", "data-driven", "--objective", 2), "of rms"),
        (("--threshold", "mse"), "of rms"),
    ):
        assert words in works(model, *data, *options, "--plot", "a.svg")
        picture = (here / "a.svg").read_text()
        assert ("<!-- rms error (% of rms) -->" in picture) == (words == "of rms")
        works(model, *data, *options, "-o", "a.net", command="compile")
        assert words in works("a.net", "--model", model, *data)


@pytest.mark.parametrize(("chosen", "objective"), [(NEAREST, 2), *((name, m) for name, _, m in candidates())])
def test_the_objective_of_automatic_thresholds_is_that_of_the_way_taken(
    chosen: str, objective: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever the judge takes; the figures of a threshold are then those of that objective."""
    order = [name for name, _, _ in candidates()] + [NEAREST]
    asked = iter(order)
    monkeypatch.setattr(Judge, "thresholds", lambda self, left: Judgement(float(next(asked) != chosen)))
    data = calibration_data("digits", 40)
    looked = model_thresholds(network(), data, CompileOptions(timesteps=4))
    assert {layer.objective for layer in looked} == {objective}
    assert next(asked, None) is None


def test_the_table_of_a_model(model: Path, works: Call) -> None:
    text = works(model, "--calib", "digits", "--per-layer")
    assert "model.pt on digits, T = 8" in text
    assert "Vth" in text and "v0 / Vth" in text and "of mean" in text


def test_the_picture_and_the_object(model: Path, works: Call, here: Path) -> None:
    form = json.loads(works(model, "--calib", "digits", "-T", "1", "--plot", "a.png", "--json"))
    assert (here / "a.png").read_bytes().startswith(PNG)
    assert (form["timesteps"], form["plot"], [each["name"] for each in form["layers"]]) == (1, "a.png", ["1", "5"])
    assert len(form["layers"][0]["threshold"]) == 4
    assert 0 < form["layers"][0]["relative_error"] < 1


def test_a_compiled_network_with_its_model(model: Path, net: Path, works: Call) -> None:
    form = json.loads(works(net, "--model", model, "--calib", "digits", "--json"))
    assert (form["timesteps"], form["model"]) == (4, str(model))


def test_learned_thresholds(works: Call, here: Path) -> None:
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(64, 8), QCFS(4, 0.5), nn.Linear(8, 10)), here / "q.pt")
    form = json.loads(works("q.pt", "--calib", "digits", "-T", "4", "--threshold", "learned", "--json"))
    assert form["layers"][0]["threshold"] == [0.5] * 8
    assert form["layers"][0]["relative_error"] < 1e-3


def test_what_does_not_fit_is_refused(model: Path, net: Path, refused: Call) -> None:
    data = ("--calib", "digits")
    assert "MODEL: is missing" in refused(net, *data)
    assert "--model: is only for a .net file" in refused(model, "--model", model, *data)
    assert "timesteps (--timesteps): is fixed by the .net file" in refused(net, "--model", model, *data, "-T", 4)
    assert "std (--std): is fixed by the .net file" in refused(net, "--model", model, *data, "--std", "1")
    assert "expected .pdf or .png or .svg, found .jpg" in refused(model, *data, "--plot", "a.jpg")
    assert "cannot be written" in refused(model, *data, "--plot", "missing/a.png")
    assert "timesteps (-T): is out of range" in refused(model, *data, "-T", 0)
    assert "unknown method" in refused(model, *data, "--threshold", "median")
    assert "no learned threshold" in refused(model, *data, "--threshold", "learned")
    assert "--calib: is missing" in refused(model)
    assert "no such file" in refused("missing.net", "--model", model, *data)


def test_compile_refuses_signed_neurons_with_the_reason(model: Path, refused: Call) -> None:
    line = refused(model, "--calib", "digits", "--neuron", "snm", command="compile")
    assert "the neuron snm cannot be compiled" in line and "LIF process that Lava ships" in line
    assert "unknown neuron" in refused(model, "--calib", "digits", "--neuron", "lif", "-o", "x.net", command="compile")
