"""Fine-tuning runs: repeatable, resumable, stopped where they diverge, with the settings that they are given."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.finetuning import ORIGIN, SETTINGS, Branching, converted, split, train_on, trained
from support.interruptions import interrupt_after
from support.networks import randomize
from support.states import same_networks
from torch import Tensor, nn

from snnc.common.atomic_write import write_whole
from snnc.common.errors import DataError, ModelError, OptionError
from snnc.finetuning.options import FinetuneOptions
from snnc.inputs.data import raw_values
from snnc.models.data import Dataset
from snnc.models.spiking import IntegrateAndFire
from snnc.models.training.checkpoint import CheckpointFile
from snnc.models.training.session import Data


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
    assert same_networks(expected, found)
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
    assert not same_networks(converted(ann, data), found)
    # Thresholds are chosen on samples that are drawn by their labels, so that only the same ones can be compared.
    if all(torch.equal(a.threshold, b.threshold) for a, b in zip(expected.populations, found.populations, strict=True)):
        assert same_networks(expected, found)
    other, _ = trained(ann, data, replace(chosen, distill=0.5), teacher=ann)
    assert not same_networks(expected, other)


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
    assert same_networks(expected, found)


def test_a_network_with_too_few_outputs_is_refused(data: Data) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 5))
    with pytest.raises(DataError, match=r"too few outputs.*at least 10"):
        trained(network, data)
