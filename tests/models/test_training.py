"""Training runs: repeatable, resumable to the bit, with the paper's settings, and stopped where they diverge."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.interruptions import interrupt_after
from support.progress import Heard
from support.states import same_states
from torch import nn

from snnc.common.atomic_write import write_whole
from snnc.common.errors import DataError, ModelError, OptionError
from snnc.models import digits_cnn, resnet20
from snnc.models.data import Dataset, load_data
from snnc.models.training.augmentation import AUGMENTATIONS
from snnc.models.training.checkpoint import CheckpointFile
from snnc.models.training.engine import Classifier
from snnc.models.training.options import TrainOptions, default_learning_rate, recipe, settled
from snnc.models.training.session import Data, Run

ORIGIN = {"arch": "net", "data": "data", "weights": None}
OPTIONS = TrainOptions(epochs=3, batch_size=64, learning_rate=0.05, momentum=0.9, augment=("crop",))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data() -> tuple[Dataset, Dataset]:
    return load_data("digits", split="train").take(300), load_data("digits", split="test").take(100)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return digits_cnn(activation="clipped")


def train(module: nn.Module, options: TrainOptions, data: Data, origin=ORIGIN, **session) -> list:
    return Run(Classifier(module, options.label_smoothing), options, data, origin).train(device=CPU, **session)


def trained(data, options=OPTIONS, **session) -> tuple[dict[str, torch.Tensor], list]:
    module = network()
    history = train(module, options, Data(*data), threads=1, **session)
    assert not any(part.training for part in module.modules())
    return copy.deepcopy(module.state_dict()), history


# ---- runs ----


def test_a_run_depends_on_its_settings_alone(data) -> None:
    first, history = trained(data)
    torch.rand(3)
    again, _ = trained(data)
    assert same_states(first, again)
    assert not same_states(first, trained(data, replace(OPTIONS, seed=1))[0])
    assert [each.epoch for each in history] == [1, 2, 3] and history[-1].loss < history[0].loss
    assert history[0].learning_rate == 0.05 and history[1].learning_rate == pytest.approx(0.05 * 0.75)
    assert all(0 <= each.test_accuracy <= 1 and each.seconds > 0 for each in history)


def test_the_global_random_state_is_left_as_it_was(data) -> None:
    module = network()
    state = torch.get_rng_state()
    train(module, replace(OPTIONS, epochs=1), Data(*data))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_resumed_run_gives_the_same_bits(data, tmp_path: Path, epoch: int) -> None:
    settings = replace(OPTIONS, augment=("crop", "flip", "cutout"), label_smoothing=0.1)
    expected, history = trained(data, settings)
    checkpoints = CheckpointFile(tmp_path / "run.checkpoint", write_whole)
    with pytest.raises(InterruptedError):
        trained(data, settings, checkpoints=checkpoints, report=interrupt_after(epoch))
    reported, heard = [], Heard()
    found, resumed = trained(
        data, settings, checkpoints=checkpoints, resume=True, report=reported.append, progress=heard
    )
    assert same_states(found, expected)
    assert [each.epoch for each in reported] == list(range(epoch + 1, 4)) and heard.done[-1] == 900
    assert heard.begun == [("training", 900)]
    assert [(each.loss, each.test_accuracy) for each in resumed] == [
        (each.loss, each.test_accuracy) for each in history
    ]


def test_a_run_that_is_done_is_resumed_without_training(data, tmp_path: Path) -> None:
    checkpoints = CheckpointFile(tmp_path / "run.checkpoint", write_whole)
    expected, _ = trained(data, checkpoints=checkpoints)
    found, history = trained(data, checkpoints=checkpoints, resume=True)
    assert same_states(found, expected) and len(history) == 3


@pytest.mark.parametrize(
    ("name", "value", "option", "text"),
    [
        ("learning_rate", 0.1, "--learning-rate", "expected 0.05, found 0.1"),
        ("epochs", 4, "--epochs", "expected 3, found 4"),
        ("augment", (), "--augment", "expected crop, found none"),
        ("mean", (0.5,), "--mean", r"expected 0\.0, found 0\.5"),
        ("weights", "abc", "--weights", "expected none, found abc"),
        ("seed", 7, "--seed", "expected 0, found 7"),
        ("arch", "vgg16", "ARCH", "expected net, found vgg16"),
    ],
)
def test_other_settings_than_those_of_the_checkpoint_are_named(data, tmp_path: Path, name, value, option, text) -> None:
    checkpoints = CheckpointFile(tmp_path / "run.checkpoint", write_whole)
    with pytest.raises(InterruptedError):
        trained(data, checkpoints=checkpoints, report=interrupt_after(1))
    with pytest.raises(
        OptionError, match=rf"{option}: differs from the run that .*run\.checkpoint continues \({text}\)"
    ):
        if name in ORIGIN:
            trained(data, origin={**ORIGIN, name: value}, checkpoints=checkpoints, resume=True)
        trained(data, replace(OPTIONS, **{name: value}), checkpoints=checkpoints, resume=True)


def test_a_checkpoint_that_is_older_than_an_option_is_resumed_with_its_default(data, tmp_path: Path) -> None:
    checkpoints = CheckpointFile(tmp_path / "run.checkpoint", write_whole)
    with pytest.raises(InterruptedError):
        trained(data, checkpoints=checkpoints, report=interrupt_after(1))
    before = checkpoints.load()
    checkpoints.save(replace(before, settings={n: v for n, v in before.settings.items() if n != "label_smoothing"}))
    with pytest.raises(OptionError, match=r"--label-smoothing: differs .*expected 0\.0, found 0\.5"):
        trained(data, replace(OPTIONS, label_smoothing=0.5), checkpoints=checkpoints, resume=True)
    assert len(trained(data, checkpoints=checkpoints, resume=True)[1]) == 3


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_files_that_are_no_checkpoints_are_refused(data, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "run.checkpoint"
    if content is None:
        torch.save({"state_dict": {}}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"not a readable checkpoint|no checkpoint of snnc train"):
        trained(data, checkpoints=CheckpointFile(path, write_whole), resume=True)
    with pytest.raises(ModelError, match="no such file"):
        trained(data, checkpoints=CheckpointFile(tmp_path / "missing", write_whole), resume=True)


def test_divergence_keeps_the_last_good_state(data, tmp_path: Path) -> None:
    checkpoints = CheckpointFile(tmp_path / "run.checkpoint", write_whole)

    class Growing(nn.Module):
        """Turns to NaN in the second epoch."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(64, 10)
            self.shown = 0

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.shown += len(images) if self.training else 0
            return self.inner(images.flatten(1)) * (math.nan if self.shown > 300 else 1)

    settings = replace(OPTIONS, augment=())
    message = r"epoch 2: training diverged.*found nan.*run\.checkpoint still holds.*after epoch 1.*--weights of another"
    with pytest.raises(DataError, match=message):
        train(Growing(), settings, Data(*data), checkpoints=checkpoints)
    assert len(checkpoints.load().epochs) == 1


def test_weights_that_explode_in_the_last_step_are_noticed(data) -> None:
    with pytest.raises(DataError, match=r"epoch 1: training diverged"):
        trained(data, replace(OPTIONS, learning_rate=1e30, batch_size=300))


def test_channels_last_is_left_behind_nowhere(data) -> None:
    module = network()
    train(module, replace(OPTIONS, epochs=1), Data(*data))
    assert all(value.is_contiguous() for value in module.state_dict().values())


def test_flat_data_are_trained_on(data) -> None:
    flat = [Dataset(each.name, each.images.reshape(len(each), -1), each.labels, each.unit) for each in data]
    module = nn.Linear(64, 10)
    history = train(module, replace(OPTIONS, augment=(), epochs=20), Data(*flat))
    assert history[-1].test_accuracy > 0.5
    with pytest.raises(DataError, match=r"augmented by crop.*shape \(N, C, H, W\).*--augment none"):
        train(module, OPTIONS, Data(*flat))


def test_data_that_do_not_fit_are_refused(data) -> None:
    with pytest.raises(DataError, match=r"do not fit the network.*shape \(1, 8, 8\)"):
        train(resnet20(), OPTIONS, Data(*data))
    with pytest.raises(DataError, match=r"too few outputs.*at least 10.*\(7,\)"):
        train(digits_cnn(7), OPTIONS, Data(*data))
    unlabelled = replace(data[0], labels=None)
    with pytest.raises(DataError, match="no labels to train on"):
        train(network(), OPTIONS, Data(unlabelled, data[1]))
    with pytest.raises(OptionError, match=r"--mean: does not fit the data \(expected 1 or 1 numbers"):
        train(network(), replace(OPTIONS, mean=(0.1, 0.2)), Data(*data))


# ---- settings ----


def test_defaults_are_the_paper_s() -> None:
    options = TrainOptions()
    assert (options.epochs, options.rate, options.momentum, options.weight_decay) == (300, 0.1, 0.1, 5e-4)
    assert settled(options, "cifar10:ROOT", 100).rate == 0.02 and settled(options, "", 10).means == (0.0,)
    assert settled(replace(options, mean=0.5), "cifar10:ROOT", 10).means == (0.5,)
    assert (default_learning_rate(10), default_learning_rate(100)) == (0.1, 0.02)
    for name in ("cifar10", "cifar100"):
        assert recipe(f"{name}:ROOT").augment == AUGMENTATIONS and len(recipe(f"{name}:ROOT").mean) == 3
    assert recipe("cifar10") == recipe("folder/") == recipe("digits")
    assert recipe("mnist:ROOT").mean == (0.1307,) and recipe("mnist:ROOT").augment == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("momentum", 1.0),
        ("weight_decay", -1.0),
        ("label_smoothing", 1.0),
        ("seed", -1),
        ("mean", (math.inf,)),
        ("std", (0.0,)),
        ("std", ()),
        ("augment", ("blur",)),
    ],
)
def test_settings_out_of_range_name_the_option(name: str, value: object) -> None:
    with pytest.raises(OptionError, match=f"--{name.replace('_', '-')}"):
        replace(OPTIONS, **{name: value}).check()
