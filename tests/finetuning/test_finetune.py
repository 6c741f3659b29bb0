"""Fine-tuning runs: the network that is trained is the one that is compiled; repeatable, resumable, never half lost."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.digits import trained_on_digits
from support.interruptions import interrupt_after
from support.networks import randomize
from torch import Tensor, nn

from snnc.api.compile import compile as compile_network
from snnc.api.compile import run
from snnc.common.atomic_write import write_whole
from snnc.common.errors import DataError, ModelError, OptionError, UnsupportedError
from snnc.compiler.conversion.assign import AssignLearnedThresholds
from snnc.compiler.conversion.float_simulation import simulate
from snnc.compiler.frontend import choose_coding, trace
from snnc.compiler.frontend.files.load import load_model
from snnc.compiler.ir import IntegrateAndFire as IntegrateAndFireOperation
from snnc.compiler.ir import MaxPool2d
from snnc.compiler.ir.passes import PassManager
from snnc.compiler.lowering.exact import lowering
from snnc.finetuning.options import KEEP, FinetuneOptions
from snnc.finetuning.quantization import WeightQuantizer
from snnc.finetuning.start import spiking_network
from snnc.finetuning.whole_run import FinetuneRun
from snnc.inputs.data import raw_values
from snnc.models.data import Dataset, load_data
from snnc.models.spiking import IntegrateAndFire, SpikingNetwork
from snnc.models.training.checkpoint import CheckpointFile
from snnc.models.training.session import Data
from snnc.program.targets import get_target
from snnc.reporting.graph import graph_text

ORIGIN = {"arch": "net", "data": "data", "weights": None, "teacher": None}
SETTINGS = FinetuneOptions(epochs=3, batch_size=64, augment=("crop",), calibration_samples=64)
CPU = torch.device("cpu")


class Branching(nn.Module):
    """What the compiler knows, in one network: a functional activation, a residual, a concatenation, both poolings."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))
        self.third = nn.Conv2d(8, 6, 1, groups=2)
        self.pool = nn.AvgPool2d(2)
        self.drop = nn.Dropout()
        self.last = nn.Sequential(nn.Linear(24, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Linear(8, 10))

    def forward(self, images: Tensor) -> Tensor:
        x = self.first(images)
        y = torch.relu(self.second(x) + x)
        z = self.pool(torch.relu(self.third(torch.cat([x, y], 1))))
        logits: Tensor = self.last(self.drop(z).flatten(1)).softmax(1)
        return logits


@pytest.fixture(scope="module")
def data() -> Data:
    return Data(load_data("digits", split="train").take(300), load_data("digits", split="test").take(100))


@pytest.fixture(scope="module")
def ann() -> nn.Module:
    return trained_on_digits(epochs=6)


def converted(ann: nn.Module, data: Data, settings: FinetuneOptions = SETTINGS) -> SpikingNetwork:
    return spiking_network(ann, data.training.subset(settings.calibration_samples, 0), settings)


def train_on(network: SpikingNetwork, data: Data, options=SETTINGS, *, teacher=None, origin=ORIGIN, **session):
    run = FinetuneRun.of(network, options, data, teacher=teacher, origin=origin)
    return run.train(device=CPU, threads=1, **session)


def trained(ann: nn.Module, data: Data, settings: FinetuneOptions = SETTINGS, **options):
    network = converted(ann, data, settings)
    history = train_on(network, data, settings, **options)
    assert not any(part.training for part in network.modules())
    return network, history


def split(data: Data, settings: FinetuneOptions) -> Data:
    return Data.of(data.training, data.test, held_out=settings.held_out_share, seed=settings.seed)


def same(first: nn.Module, second: nn.Module) -> bool:
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# ---- what is trained is what is compiled ----


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from([(1, 0), (1, 1), (2, 0), (3, 1), (4, 4)]))
def test_the_float_simulation_of_the_file_is_the_network_that_was_trained(
    tmp_path_factory: pytest.TempPathFactory, seed: int, window: tuple[int, int]
) -> None:
    timesteps, lead = window
    digits = load_data("digits", split="test").take(40)
    chosen = replace(SETTINGS, timesteps=timesteps, lead=lead, calibration_samples=40, mean=(0.4,), std=(0.8,))
    network = spiking_network(randomize(Branching(), seed).eval(), digits, chosen).eval()
    path = tmp_path_factory.mktemp("net") / "net.pt"
    torch.save(network, path)

    read = load_model(path)  # without trust
    raw = raw_values(digits)
    coding = choose_coding(raw, "graded", unit=digits.unit, mean=chosen.mean, std=chosen.std)
    traced = trace(read, raw.shape[1:])
    ways = {node.name: "or" for node in traced.of_kind(MaxPool2d)}
    assert ways
    lowered = PassManager([*lowering(coding, ways), AssignLearnedThresholds(timesteps)]).run(traced).graph
    levels = torch.as_tensor(coding.levels(raw), dtype=torch.float64)
    found = simulate(lowered, levels, timesteps, lead=lead).readout
    images = torch.as_tensor((raw - 0.4) / 0.8, dtype=torch.float64)
    with torch.no_grad():
        expected = read.double().spiking_logits(images)
    # A potential on the threshold's edge may round to either side; it does so in hardly any image.
    close = (found - expected).abs().amax(1) < 1e-9 * expected.abs().max()
    assert close.float().mean() > 0.9


@pytest.mark.parametrize("timesteps", [1, 4])
def test_the_integers_do_what_was_trained(ann: nn.Module, data: Data, timesteps: int) -> None:
    network, history = trained(ann, data, replace(SETTINGS, timesteps=timesteps, quantize=True))
    program = compile_network(network, data.training, timesteps=timesteps, threshold="learned", calibration_samples=64)
    # All images there are: of 100 alone one more or less would be a point.
    digits = load_data("digits", split="test")
    images = torch.as_tensor(raw_values(digits), dtype=torch.float32)
    with torch.no_grad():
        expected = network.spiking_logits(images).argmax(1).numpy()
    result = run(program, digits)
    assert (result.readout.argmax(1) == expected).mean() >= 0.95
    first = len(data.test)
    assert float((expected[:first] == data.test.labels).mean()) == history[-1].test_accuracy


def test_the_conversion_keeps_the_weights(ann: nn.Module, data: Data) -> None:
    network = converted(ann, data)
    weights = [each for each in network.state_dict().values() if each.ndim > 1]
    expected = [each for each in ann.state_dict().values() if each.ndim > 1]
    assert len(weights) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(weights, expected, strict=True))


def test_thresholds_and_potentials_are_those_that_compile_chooses(ann: nn.Module, data: Data) -> None:
    calibration = data.training.subset(64, 0)
    for chosen in (SETTINGS, replace(SETTINGS, timesteps=4, threshold="max", per_channel=False)):
        network = spiking_network(ann, calibration, chosen)
        program = compile_network(
            ann,
            calibration,
            timesteps=chosen.timesteps,
            threshold=chosen.filled().threshold,
            per_channel=chosen.per_channel,
            calibration_samples=64,
        )
        for population, layer in zip(network.populations, program.spiking_layers, strict=True):
            assert np.allclose(population.threshold.detach().numpy(), layer.scale)


def test_another_t_goes_on_with_weights_and_thresholds(ann: nn.Module, data: Data) -> None:
    first, _ = trained(ann, data)
    second = converted(first, data, replace(SETTINGS, timesteps=2, threshold=KEEP))
    assert all(torch.equal(one, other) for one, other in zip(first.parameters(), second.parameters(), strict=True))
    assert [each.steps for each in second.populations] == [2] * len(second.populations)
    third = converted(first, data, replace(SETTINGS, timesteps=2))
    for one, other in zip(first.populations, third.populations, strict=True):
        assert not torch.equal(one.threshold, other.threshold), "data-driven takes them from the drives"
    with pytest.raises(OptionError, match="no thresholds to keep"):
        converted(ann, data, replace(SETTINGS, threshold=KEEP))


def test_compiling_for_another_t_says_so(ann: nn.Module, data: Data) -> None:
    network = converted(ann, data)
    program = compile_network(network, data.training, timesteps=2, threshold="learned", calibration_samples=64)
    assert any("trained for T = 1, not 2" in note for note in program.provenance.notes)
    other = compile_network(network, data.training, timesteps=1, threshold="data-driven", calibration_samples=64)
    assert any("--threshold learned takes" in note for note in other.provenance.notes)


def test_the_default_keeps_the_thresholds_at_the_t_that_they_were_trained_for(ann: nn.Module, data: Data) -> None:
    network = converted(ann, data)
    chosen, learned = (
        compile_network(network, data.training, timesteps=1, threshold=threshold, calibration_samples=64)
        for threshold in ("auto", "learned")
    )
    for one, other in zip(chosen.spiking_layers, learned.spiking_layers, strict=True):
        assert np.array_equal(one.scale, other.scale)
        assert one.threshold == other.threshold and one.initial_potential == other.initial_potential
    another = compile_network(network, data.training, timesteps=2, calibration_samples=64)
    assert any("of the variance of the ANN's output" in note for note in another.provenance.notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda part: part.potential.data.mul_(100), "out of range"),
        (lambda part: part.threshold.data.neg_(), "out of range"),
        (lambda part: part.threshold.data.fill_(float("nan")), "no threshold of finite numbers"),
        (lambda part: setattr(part, "steps", 0), "steps"),
        (lambda part: setattr(part, "potential", nn.Parameter(torch.zeros(1))), "no potential"),
    ],
)
def test_neurons_out_of_range_in_a_file_are_named(ann: nn.Module, data: Data, change, message: str) -> None:
    network = converted(ann, data)
    change(network.populations[1])
    with pytest.raises(UnsupportedError, match=message):
        trace(network, (1, 8, 8))


def test_neurons_are_one_operation_of_the_graph(ann: nn.Module, data: Data) -> None:
    network = converted(ann, data)
    nodes = trace(network, (1, 8, 8)).of_kind(IntegrateAndFireOperation)
    assert [node.op.timesteps for node in nodes] == [1] * len(network.populations)
    assert not nodes[0].op.keeps(nodes[0].op)
    assert "IntegrateAndFire, T = 1" in graph_text(trace(network, (1, 8, 8)))


def test_what_cannot_be_trained_is_named() -> None:
    digits = load_data("digits", split="test").take(40)
    pooled = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Conv2d(2, 2, 3), nn.ReLU(), nn.Flatten())
    with pytest.raises(UnsupportedError, match="module 1: the maximum of something else"):
        spiking_network(pooled, digits, SETTINGS)
    with pytest.raises(UnsupportedError, match="no ReLU"):
        spiking_network(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), digits, SETTINGS)
    with pytest.raises(OptionError, match="lead"):
        spiking_network(pooled, digits, replace(SETTINGS, lead=2))


# ---- rounding ----


def test_rounded_weights_lie_on_the_compiler_s_grid(data: Data) -> None:
    torch.manual_seed(1)
    ann = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, groups=2), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Flatten(), nn.Linear(72, 20), nn.ReLU(), nn.Linear(20, 10),
    )  # fmt: skip
    network, _ = trained(ann, data, replace(SETTINGS, quantize=True, epochs=1))
    quantizer = WeightQuantizer(network, get_target("loihi2"), torch.tensor([data.training.unit]))
    program = compile_network(network, data.training, timesteps=1, threshold="learned", calibration_samples=64)
    found = [layer.threshold.value for layer in program.spiking_layers if layer.threshold]
    assert found == [round(each) for each in quantizer.thresholds()[:-1]]
    before = copy.deepcopy(network)
    quantizer.write()
    for one, other in zip(before.parameters(), network.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-7), "rounding what is rounded changes nothing"
    for (population, synapses), layer in zip(quantizer._layers, program.layers, strict=True):
        (step,) = quantizer._steps(population, synapses)
        levels = (2 * synapses[0].part.weight / step).detach().numpy()
        assert np.allclose(levels, layer.synapses[0].weight, atol=1e-3), "the compiler rounds to the same integers"


def test_the_gradient_passes_rounding(ann: nn.Module, data: Data) -> None:
    network = converted(ann, data)
    quantizer = WeightQuantizer(network, get_target("loihi2"), torch.tensor([1 / 16]))
    rounded = quantizer.rounded()
    assert len(rounded) == 4
    steps = [step for layer in quantizer._layers for step in quantizer._steps(*layer)]
    for (name, weight), step in zip(rounded.items(), steps, strict=True):
        original = network.get_parameter(name)
        assert not torch.equal(weight, original) and bool(((weight - original).abs() <= 1.01 * step).all())
        (gradient,) = torch.autograd.grad((weight * 3).sum(), original)
        assert torch.equal(gradient, torch.full_like(original, 3))


# ---- runs ----


def test_training_moves_the_network_towards_the_labels(ann: nn.Module, data: Data) -> None:
    _, history = trained(ann, data, replace(SETTINGS, epochs=6, learning_rate=0.02, augment=()))
    assert history[-1].loss < history[0].loss and history[-1].train_accuracy > history[0].train_accuracy


@pytest.mark.parametrize("changes", [{}, {"timesteps": 2, "train_thresholds": True, "patience": 2}])
def test_a_resumed_run_gives_the_same_bits(ann: nn.Module, data: Data, tmp_path: Path, changes: dict) -> None:
    chosen = replace(SETTINGS, **changes)
    images = split(data, chosen)
    expected, whole = trained(ann, images, chosen)
    checkpoints = CheckpointFile(tmp_path / "net.checkpoint", write_whole, "snnc finetune")
    with pytest.raises(InterruptedError):
        trained(ann, images, chosen, checkpoints=checkpoints, report=interrupt_after(2))
    found, resumed = trained(ann, images, chosen, checkpoints=checkpoints, resume=True)
    assert same(expected, found)
    assert [(each.loss, each.test_accuracy) for each in whole] == [(each.loss, each.test_accuracy) for each in resumed]


def test_the_global_random_state_is_left_as_it_was(ann: nn.Module, data: Data) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trained(ann, data, replace(SETTINGS, epochs=1))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("name", "value", "option"),
    [("timesteps", 2, "--timesteps"), ("distill", 0.5, "--distill"), ("learning_rate", 0.1, "--learning-rate"),
     ("epochs", 4, "--epochs"), ("arch", "other", "MODEL"), ("train_thresholds", True, "--train-thresholds")],
)  # fmt: skip
def test_other_settings_than_those_of_the_checkpoint_are_named(
    ann: nn.Module, data: Data, tmp_path: Path, name: str, value: object, option: str
) -> None:
    checkpoints = CheckpointFile(tmp_path / "net.checkpoint", write_whole, "snnc finetune")
    with pytest.raises(InterruptedError):
        trained(ann, data, checkpoints=checkpoints, report=interrupt_after(1))
    before = checkpoints.path.read_bytes()
    with pytest.raises(OptionError, match=f"^{option}: differs from the run"):
        if name in ORIGIN:
            trained(ann, data, origin={**ORIGIN, name: value}, checkpoints=checkpoints, resume=True)
        trained(ann, data, replace(SETTINGS, **{name: value}), checkpoints=checkpoints, resume=True)
    assert checkpoints.path.read_bytes() == before
    with pytest.raises(ModelError, match="no checkpoint of snnc train"):
        CheckpointFile(checkpoints.path, write_whole).load()


def test_divergence_keeps_the_last_good_state(ann: nn.Module, data: Data, tmp_path: Path) -> None:
    checkpoints = CheckpointFile(tmp_path / "net.checkpoint", write_whole, "snnc finetune")
    network = converted(ann, data)
    good: list[dict[str, Tensor]] = []

    def spoil(epoch) -> None:
        good.append(copy.deepcopy(checkpoints.load().state_dict))
        if epoch.epoch == 2:
            with torch.no_grad():
                next(network.parameters()).fill_(float("nan"))

    with pytest.raises(DataError, match=r"epoch 3: training diverged .*checkpoint still holds the state after epoch 2"):
        train_on(network, data, checkpoints=checkpoints, report=spoil)
    assert len(checkpoints.load().epochs) == 2
    for state in (checkpoints.load().state_dict, network.state_dict()):
        assert all(torch.equal(state[name], good[-1][name]) for name in state)


def test_images_are_held_out_to_stop_early(ann: nn.Module, data: Data) -> None:
    chosen = replace(
        SETTINGS, epochs=30, patience=2, held_out=0.2, learning_rate=1e-9, augment=(), freeze_statistics=True
    )
    images = split(data, chosen)
    assert images.held_out is not None and (len(images.held_out), len(images.training)) == (60, 240)
    seen = {each.tobytes() for each in images.training.images}
    assert sum(each.tobytes() in seen for each in images.held_out.images) <= 2, "some digits are alike"
    _, history = trained(ann, images, chosen)
    assert len(history) == 3, "nothing changes, so that the first epoch is the best"
    assert all(each.held_out_accuracy is not None for each in history)


def test_the_best_epoch_is_the_result(ann: nn.Module, data: Data) -> None:
    chosen = replace(SETTINGS, epochs=4, patience=4, learning_rate=0.3)
    images = split(data, chosen)
    network, history = trained(ann, images, chosen)
    best = max(history, key=lambda epoch: (epoch.held_out_accuracy, -epoch.epoch))
    pictures = torch.as_tensor(raw_values(data.test), dtype=torch.float32)
    with torch.no_grad():
        right = (network.spiking_logits(pictures).argmax(1).numpy() == data.test.labels).mean()
    assert float(right) == best.test_accuracy


def test_distillation_alone_needs_no_right_labels(ann: nn.Module, data: Data) -> None:
    chosen = replace(SETTINGS, distill=1.0, temperature=2.0, epochs=1)
    wrong = Dataset("wrong", data.training.images, (data.training.labels + 1) % 10, data.training.unit)
    expected, _ = trained(ann, data, chosen, teacher=ann)
    found, _ = trained(ann, Data(wrong, data.test), chosen, teacher=ann)
    assert not same(converted(ann, data), found)
    # Thresholds are chosen on samples that are drawn by their labels, so that only the same ones can be compared.
    if all(torch.equal(a.threshold, b.threshold) for a, b in zip(expected.populations, found.populations, strict=True)):
        assert same(expected, found)
    other, _ = trained(ann, data, replace(chosen, distill=0.5), teacher=ann)
    assert not same(expected, other)


def test_thresholds_are_trained_where_that_is_wanted(ann: nn.Module, data: Data) -> None:
    before = converted(ann, data)
    for wanted in (False, True):
        network, _ = trained(ann, data, replace(SETTINGS, train_thresholds=wanted))
        moved = [
            not torch.equal(one.threshold, other.threshold)
            for one, other in zip(before.populations, network.populations, strict=True)
        ]
        assert all(moved) if wanted else not any(moved)


def test_frozen_statistics_stay(data: Data) -> None:
    network = randomize(Branching(), 0).eval()
    for frozen in (True, False):
        tuned, _ = trained(network, data, replace(SETTINGS, epochs=1, freeze_statistics=frozen))
        before, after = (
            [value for name, value in each.state_dict().items() if name.endswith("running_mean")]
            for each in (converted(network, data), tuned)
        )
        assert all(torch.equal(one, other) == frozen for one, other in zip(before, after, strict=True))


def test_bfloat16_trains_too(ann: nn.Module, data: Data) -> None:
    network, history = trained(ann, data, replace(SETTINGS, epochs=1, precision="bfloat16"))
    assert all(each.dtype == torch.float32 for each in network.parameters())
    assert history[-1].test_accuracy > 0.3


def test_data_without_labels_are_refused(data: Data) -> None:
    unlabelled = Dataset("unlabelled", data.training.images, None)
    for training, test in ((unlabelled, data.test), (data.training, unlabelled)):
        with pytest.raises(DataError, match="unlabelled: there are no labels to train on"):
            Data.of(training, test)


@pytest.mark.parametrize(
    ("name", "value"),
    [("distill", 1.5), ("temperature", 0.0), ("surrogate_width", -1.0), ("patience", 0), ("held_out", 1.0),
     ("precision", "float16"), ("calibration_samples", 0), ("learning_rate", 0.0)],
)  # fmt: skip
def test_settings_out_of_range_name_the_option(name: str, value: object) -> None:
    option = {"calibration_samples": "--calib-samples"}.get(name, f"--{name.replace('_', '-')}")
    with pytest.raises(OptionError, match=f"^{option}: out of range"):
        replace(SETTINGS, **{name: value}).check()


def test_defaults_are_the_paper_s() -> None:
    chosen = FinetuneOptions().filled()
    assert (chosen.epochs, chosen.learning_rate, chosen.timesteps) == (50, 5e-3, 1)
    assert (chosen.threshold, chosen.quantize, chosen.distill) == ("data-driven", False, 0.0)


def test_populations_keep_what_they_are_given() -> None:
    module = IntegrateAndFire(torch.tensor([1.0, 2.0]), torch.tensor([0.25, 2.0]), 3)
    assert "steps=3, channels=2" in str(module)


def test_a_checkpoint_without_random_states_is_resumed(ann: nn.Module, data: Data, tmp_path: Path) -> None:
    """So snnc finetune wrote them before it shared the engine of snnc train."""
    expected, _ = trained(ann, data)
    checkpoints = CheckpointFile(tmp_path / "net.checkpoint", write_whole, "snnc finetune")
    with pytest.raises(InterruptedError):
        trained(ann, data, checkpoints=checkpoints, report=interrupt_after(1))
    checkpoints.save(replace(checkpoints.load(), random={}))
    found, _ = trained(ann, data, checkpoints=checkpoints, resume=True)
    assert same(expected, found)


def test_a_network_with_too_few_outputs_is_refused(data: Data) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 5))
    with pytest.raises(DataError, match=r"too few outputs.*at least 10"):
        trained(network, data)
