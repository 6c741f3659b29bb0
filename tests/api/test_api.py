"""The Python interface: every kind of model and data, and results that agree with one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.digits import trained_on_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data import Dataset as TorchDataset

import snnc
from snnc.inputs.data import JUDGING_SAMPLES, calibration_data, evaluation_data, input_levels
from snnc.models import digits_cnn
from snnc.models.data import load_data

TRAIN = load_data("digits", split="train")
TEST = load_data("digits", split="test")


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return trained_on_digits(epochs=2)


@pytest.fixture(scope="module")
def program(network: nn.Module) -> snnc.Program:
    return snnc.compile(network, "digits", calibration_samples=200)


def test_every_public_name_is_there() -> None:
    for name in snnc.__all__:
        assert getattr(snnc, name) is not None
        assert name in dir(snnc)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        snnc.nonsense  # noqa: B018


def test_errors_share_a_base() -> None:
    errors = [value for name in snnc.__all__ if name.endswith("Error") and (value := getattr(snnc, name))]
    assert len(errors) == 11
    assert all(issubclass(error, snnc.SnncError) for error in errors)


def test_a_program_survives_its_file(program: snnc.Program, tmp_path: Path) -> None:
    program.save(tmp_path / "digits.net")
    loaded = snnc.load(tmp_path / "digits.net")
    results = [snnc.run(each, "digits", samples=40) for each in (program, loaded, tmp_path / "digits.net")]
    for result in results[1:]:
        assert np.array_equal(result.readout, results[0].readout)
        assert all(map(np.array_equal, result.spike_counts, results[0].spike_counts))


def test_compiling_again_gives_the_same_bytes(network: nn.Module, program: snnc.Program, tmp_path: Path) -> None:
    torch.save(network, tmp_path / "digits.pt")
    program.save(tmp_path / "1.net")
    snnc.compile(tmp_path / "digits.pt", TRAIN, calibration_samples=200).save(tmp_path / "2.net")
    assert (tmp_path / "1.net").read_bytes() == (tmp_path / "2.net").read_bytes()


def test_the_network_is_left_as_it_was(network: nn.Module) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    program = snnc.compile(network, TRAIN, calibration_samples=20)
    snnc.validate(program, network, TEST, samples=5, lava=False)
    assert network.training
    network.eval()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_progress_names_the_passes_in_order(network: nn.Module) -> None:
    seen: list[tuple[str, int, int]] = []
    snnc.compile(network, TRAIN, calibration_samples=100, progress=lambda *told: seen.append(told))
    assert [told[1:] for told in seen if told[0] == "profiling activations"][:1] == [(0, 100)]
    assert ("profiling activations", 100, 100) in seen
    titles = list(dict.fromkeys(title for title, _, _ in seen))
    assert titles.index("profiling activations") < titles.index("measuring membrane potentials")


class Samples(TorchDataset[Any]):
    """A data set that counts what is read."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.images, self.labels, self.read = images, labels, 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        self.read += 1
        return self.images[index], int(self.labels[index])


IMAGES = (TEST.images * np.float32(TEST.unit))[:50]
LABELS = np.asarray(TEST.labels)[:50]


@pytest.mark.parametrize(
    "data",
    [
        TEST,
        "digits",
        IMAGES,
        IMAGES.astype(np.float64),
        torch.as_tensor(IMAGES),
        (IMAGES, LABELS),
        [torch.as_tensor(IMAGES), torch.as_tensor(LABELS)],
        TensorDataset(torch.as_tensor(IMAGES), torch.as_tensor(LABELS)),
        Samples(torch.as_tensor(IMAGES), torch.as_tensor(LABELS)),
        DataLoader(TensorDataset(torch.as_tensor(IMAGES), torch.as_tensor(LABELS)), batch_size=7),
        DataLoader(torch.as_tensor(IMAGES), batch_size=16),
    ],
    ids=[
        *("Dataset", "spec", "float32", "float64", "tensor", "tuple", "list", "TensorDataset", "torch Dataset"),
        *("DataLoader", "DataLoader without labels"),
    ],
)
def test_every_kind_of_data_gives_the_same_spikes(program: snnc.Program, data: Any) -> None:
    expected = snnc.run(program, "digits", samples=30)
    found = snnc.run(program, data, samples=30)
    assert np.array_equal(found.readout, expected.readout)
    assert found.samples == 30


def test_integers_of_8_bits_count_from_0_to_1() -> None:
    bytes_ = np.arange(256, dtype=np.uint8).reshape(4, 1, 8, 8)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 2))
    program = snnc.compile(network, bytes_)
    assert program.coding.unit.tolist() == [1 / 255]
    dataset = evaluation_data(bytes_)
    assert np.array_equal(input_levels(program, dataset).values, bytes_)
    assert np.array_equal(input_levels(program, evaluation_data(bytes_ / 255)).values, bytes_)


def test_no_more_of_a_large_data_set_is_read_than_is_needed() -> None:
    samples = Samples(torch.rand(1000, 1, 4, 4), torch.arange(1000) % 10)
    assert len(calibration_data(samples, 64)) == 64
    # Those that would judge a compilation are drawn with those that it is fitted on.
    assert samples.read == 64 + JUDGING_SAMPLES
    assert len(evaluation_data(samples, 10)) == 10
    assert samples.read == 74 + JUDGING_SAMPLES
    loader = DataLoader(samples, batch_size=20)
    assert len(calibration_data(loader, 30)) == 30
    assert samples.read == 74 + JUDGING_SAMPLES + 160


def test_calibration_takes_as_many_samples_of_each_class() -> None:
    chosen = calibration_data("digits", 100)
    assert np.bincount(np.asarray(chosen.labels)).tolist() == [10] * 10


@pytest.mark.parametrize("data", [object(), 5, None, {"x": IMAGES}, (IMAGES,), DataLoader([], batch_size=1)])
def test_what_is_no_data_is_refused(program: snnc.Program, data: Any) -> None:
    with pytest.raises(snnc.DataError):
        snnc.run(program, data)


def test_one_mean_for_each_channel() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 4, 4)).astype(np.uint8)
    program = snnc.compile(network, images, mean=(0.5, 0.4, 0.3), std=[0.2, 0.3, 0.25], timesteps=32)
    found = snnc.validate(program, network, images, lava=False)
    assert all(layer.correlation is not None and layer.correlation > 0.98 for layer in found.layers)
    with pytest.raises(snnc.OptionError, match="channels"):
        snnc.compile(network, images, mean=(0.5, 0.4))
    with pytest.raises(snnc.OptionError, match="finite"):
        snnc.compile(network, images, mean=float("nan"))
    with pytest.raises(snnc.OptionError, match="no number"):
        snnc.compile(network, images, std=[])


def test_recorded_spikes_add_up(program: snnc.Program) -> None:
    result = snnc.run(program, TEST, samples=20, record=True, batch_size=6)
    assert result.spikes is not None
    for trains, counts in zip(result.spikes, result.spike_counts, strict=True):
        assert trains.shape == (20, 8, *counts.shape)
        assert np.array_equal(trains.sum((0, 1)), counts)


def test_validation_is_what_one_finds_by_hand(network: nn.Module, program: snnc.Program) -> None:
    found = snnc.validate(program, network, TEST, samples=150, lava=False)
    images = torch.as_tensor(TEST.images[:150] * np.float32(TEST.unit))
    labels = np.asarray(TEST.labels)[:150]
    with torch.no_grad():
        activations = network[:3](images).numpy()
        logits = network(images).numpy()
    result = snnc.run(program, TEST, samples=150, record=True)
    assert result.spikes is not None
    vth = program.layers[0].scale.reshape(-1, 1, 1)
    rates = result.spikes[0].mean(axis=1) * vth
    first, readout = found.layers[0], found.layers[-1]
    assert first.correlation == pytest.approx(np.corrcoef(activations.ravel(), rates.ravel())[0, 1])
    assert first.mean_error == pytest.approx((np.abs(rates - activations) / vth).mean(), rel=1e-5)
    assert first.largest_error == pytest.approx((np.abs(rates - activations) / vth).max(), rel=1e-5)
    assert first.saturated == pytest.approx((activations > vth).mean())
    assert readout.mean_error == pytest.approx(np.abs(program.logits(result.readout) - logits).mean(), rel=1e-5)
    assert found.ann_accuracy == (logits.argmax(1) == labels).mean()
    assert found.snn_accuracy == result.accuracy(labels)
    assert found.agreeing == (logits.argmax(1) == result.predictions).sum()
    assert found.agreement is None
    assert found.notes == ()
    assert found.failures() == ()


def test_a_softmax_at_the_end_is_looked_through(network: nn.Module) -> None:
    assert isinstance(network, nn.Sequential)
    softened = nn.Sequential(*network, nn.Softmax(dim=1))
    program = snnc.compile(softened, TRAIN, calibration_samples=100)
    found = snnc.validate(program, softened, TEST, samples=50, lava=False)
    assert found.layers[-1].correlation is not None
    assert found.layers[-1].correlation > 0.9


def test_a_model_with_other_outputs_is_refused(program: snnc.Program) -> None:
    with pytest.raises(snnc.ModelError, match="another number of outputs"):
        snnc.validate(program, digits_cnn(num_classes=7), TEST, samples=5, lava=False)


def test_layers_that_correspond_to_nothing_are_named(program: snnc.Program) -> None:
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))
    found = snnc.validate(program, other, TEST, samples=5, lava=False)
    assert any("not the one" in note for note in found.notes)
    assert any("not compared" in note and "6, 11" in note for note in found.notes)


@pytest.mark.lava
def test_validation_runs_lava_where_it_is_installed(network: nn.Module, program: snnc.Program) -> None:
    seen: set[tuple[str, int]] = set()
    found = snnc.validate(
        network, program, TEST, samples=4, lava_samples=2, progress=lambda title, _, total: seen.add((title, total))
    )
    assert found.agreement is not None
    assert found.agreement.complete
    assert found.agreement.spikes == sum(int(each.sum()) for each in snnc.run(program, TEST, samples=2).spike_counts)
    assert seen == {("comparing ANN and sim", 4), ("comparing sim and Lava", 2)}


def test_lava_that_differs_is_told(network: nn.Module, program: snnc.Program, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    def differing(program: snnc.Program, levels: Any, *_: Any, **__: Any) -> snnc.RunResult:
        result = snnc.run(program, TEST, samples=len(levels), record=True)
        assert result.spikes is not None
        spikes = [each.copy() for each in result.spikes]
        flat = spikes[1].reshape(-1)
        flat[np.flatnonzero(flat)[0]] = False
        flat[np.flatnonzero(~flat)[-2:]] = True
        return replace(result, spikes=tuple(spikes), readout=result.readout + 1)

    monkeypatch.setattr("snnc.analysis.validation.validate.lava_available", lambda: None)
    monkeypatch.setattr("snnc.analysis.validation.validate.run_lava", differing)
    found = snnc.validate(program, network, TEST, samples=4, lava_samples=3)
    agreement = found.agreement
    assert agreement is not None
    assert not agreement.complete
    assert agreement.spikes - agreement.spikes_matching == 1
    assert agreement.spikes_extra == 2
    assert agreement.readouts_matching == 0
    # What so few samples say of the integers is not asked here.
    assert set(found.failures()) - set(found.verdict.failures()) == {"sim and Lava differ in 6"}
    assert f"{agreement.spikes - 1:,} of {agreement.spikes:,} spikes (2 more on Lava alone)" in agreement.sentence()


@pytest.mark.parametrize(("backend", "error"), [("loihi", snnc.BackendError), ("gpu", snnc.OptionError)])
def test_backends_that_are_not_there(program: snnc.Program, backend: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        snnc.run(program, TEST, samples=1, backend=backend)
