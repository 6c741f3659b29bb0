"""Training runs: repeatable, resumable to the bit, with the paper's settings, and stopped where they diverge."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.interruptions import interrupt_after
from torch import nn

import snnc.models.training.session as session
from snnc.cli import main
from snnc.common.atomic_write import write_whole
from snnc.common.errors import DataError, ModelError, OptionError
from snnc.compiler.frontend.files.load import load_model
from snnc.models import digits_cnn, resnet20
from snnc.models.data import Dataset, load_data
from snnc.models.training.augmentation import AUGMENTATIONS, Augmentation
from snnc.models.training.batches import DatasetBatches
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


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# ---- runs ----


def test_a_run_depends_on_its_settings_alone(data) -> None:
    first, history = trained(data)
    torch.rand(3)
    again, _ = trained(data)
    assert same(first, again)
    assert not same(first, trained(data, replace(OPTIONS, seed=1))[0])
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
    reported, shown = [], []
    found, resumed = trained(
        data, settings, checkpoints=checkpoints, resume=True, report=reported.append, advance=shown.append
    )
    assert same(found, expected)
    assert [each.epoch for each in reported] == list(range(epoch + 1, 4)) and shown[-1] == 900
    assert [(each.loss, each.test_accuracy) for each in resumed] == [
        (each.loss, each.test_accuracy) for each in history
    ]


def test_a_run_that_is_done_is_resumed_without_training(data, tmp_path: Path) -> None:
    checkpoints = CheckpointFile(tmp_path / "run.checkpoint", write_whole)
    expected, _ = trained(data, checkpoints=checkpoints)
    found, history = trained(data, checkpoints=checkpoints, resume=True)
    assert same(found, expected) and len(history) == 3


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


# ---- augmentation ----


def test_crops_are_windows_of_the_padded_image() -> None:
    torch.manual_seed(0)
    image = torch.arange(1, 33, dtype=torch.uint8).expand(1, 1, 32, 32)
    found = Augmentation(["crop"]).before_normalisation(image.expand(400, 1, 32, 32))
    assert found.dtype == torch.uint8
    padded = nn.functional.pad(image, (4, 4, 4, 4))[0]
    allowed = {padded[:, y : y + 32, x : x + 32].numpy().tobytes() for y in range(9) for x in range(9)}
    kinds = {each.numpy().tobytes() for each in found}
    assert kinds <= allowed and len(kinds) > 40


def test_half_of_the_images_are_flipped() -> None:
    torch.manual_seed(0)
    images = torch.rand(200, 3, 5, 7)
    found = Augmentation(["flip"]).before_normalisation(images)
    flipped = [torch.equal(after, before.flip(2)) for before, after in zip(images, found, strict=True)]
    kept = [torch.equal(after, before) for before, after in zip(images, found, strict=True)]
    assert all(a != b for a, b in zip(flipped, kept, strict=True)) and 70 < sum(flipped) < 130


def test_cutout_clears_a_square_of_all_channels() -> None:
    torch.manual_seed(0)
    found = Augmentation(["cutout"]).after_normalisation(torch.ones(100, 3, 32, 32))
    assert torch.equal(found[:, 0], found[:, 2])
    for image in found[:, 0] == 0:
        rows, columns = image.any(1).sum().item(), image.any(0).sum().item()
        assert image.sum() == rows * columns and min(rows, columns) >= 8 and max(rows, columns) <= 16


def test_autoaugment_keeps_shape_and_type_and_can_be_repeated() -> None:
    pytest.importorskip("torchvision")
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        results.append(Augmentation(["autoaugment"]).before_normalisation(images))
    assert torch.equal(*results) and results[0].shape == images.shape and not torch.equal(results[0], images)
    with pytest.raises(DataError, match=r"autoaugment.*uint8.*float32"):
        Augmentation(["autoaugment"]).check(np.zeros((1, 3, 4, 4), np.float32), "data")


def test_batches_are_normalised() -> None:
    images = np.full((2, 2, 1, 1), 51, np.uint8)
    images[:, 1] = 255
    batches = DatasetBatches(Dataset("d", images, np.array([0, 1]), 1 / 255), (0.2, 0.5), (0.5, 0.25))
    found, labels = batches.draw(torch.tensor([1]))
    torch.testing.assert_close(found.flatten(), torch.tensor([0.0, 2.0]), atol=1e-6, rtol=0)
    assert labels.tolist() == [1]


# ---- the command ----


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0) -> str:
        found = main(["train", "digits_cnn", "--data", "digits", "--threads", "1", "--batch-size", "256", *arguments])
        captured = capsys.readouterr()
        assert found == code, captured.err
        if code:
            assert captured.err.count("\n") == 1
        return captured.err if code else captured.out

    return run


def test_train_writes_a_network_that_is_read_without_trust(call, tmp_path: Path) -> None:
    output = call(
        "--epochs", "2", "--activation", "qcfs", "-o", "net.pt", "--learning-rate", "0.05", "--momentum", "0.9"
    )
    assert "training digits_cnn:10:qcfs on 1,437 images" in output and "epoch 2/2" in output
    assert "snnc compile net.pt --calib digits --mean 0 --std 1" in output
    network = load_model(tmp_path / "net.pt")
    test = load_data("digits", split="test")
    with torch.no_grad():
        answers = network(torch.as_tensor(test.images) / 16).argmax(1)
    log = json.loads((tmp_path / "net.json").read_text())
    right = (answers.numpy() == test.labels).mean()
    assert log["epochs"][-1]["test_accuracy"] == pytest.approx(right, abs=0.01)
    assert log["settings"]["momentum"] == 0.9 and len(log["epochs"]) == 2
    # The checkpoint is a file with a state_dict too.
    again = load_model(tmp_path / "net.checkpoint", arch=lambda: digits_cnn(activation="qcfs"))
    assert same(dict(again.state_dict()), dict(network.state_dict()))


def test_train_resumes_where_it_was_interrupted(call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call("--epochs", "3", "-o", "whole.pt")
    save = CheckpointFile.save

    def interrupted(self, checkpoint) -> None:
        save(self, checkpoint)
        if len(checkpoint.epochs) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointFile, "save", interrupted)
        assert "interrupted" in call("--epochs", "3", "-o", "net.pt", code=130)
    assert not (tmp_path / "net.pt").exists()
    assert "add --resume" in call("--epochs", "3", "-o", "net.pt", code=2)
    assert "--epochs: differs" in call("--epochs", "4", "-o", "net.pt", "--resume", code=2)
    output = call("--epochs", "3", "-o", "net.pt", "--resume")
    assert "going on after epoch 2" in output and "epoch 2/3" not in output
    whole, resumed = (load_model(tmp_path / name).state_dict() for name in ("whole.pt", "net.pt"))
    assert same(dict(whole), dict(resumed))
    logs = [json.loads((tmp_path / name).read_text())["epochs"] for name in ("whole.json", "net.json")]
    assert [each["loss"] for each in logs[0]] == [each["loss"] for each in logs[1]]
    (tmp_path / "net.json").unlink()
    (tmp_path / "net.pt").unlink()
    assert "epoch" not in call("--epochs", "3", "-o", "net.pt", "--resume").replace("after epoch 3", "")
    assert len(json.loads((tmp_path / "net.json").read_text())["epochs"]) == 3 and (tmp_path / "net.pt").exists()


def test_train_that_diverges_keeps_what_went_well(call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = session._Progress.epoch

    def spoilt(progress: session._Progress, advance) -> None:
        if len(progress.history) == 1:
            with torch.no_grad():
                next(progress._network.parameters()).fill_(float("nan"))
        original(progress, advance)

    monkeypatch.setattr(session._Progress, "epoch", spoilt)
    error = call("--epochs", "2", "-o", "net.pt", code=2)
    assert "epoch 2: training diverged" in error and "net.checkpoint still holds the state after epoch 1" in error
    assert "net.pt holds its network" in error
    assert all(bool(torch.isfinite(each).all()) for each in load_model(tmp_path / "net.pt").state_dict().values())


def test_train_starts_from_given_weights(call, tmp_path: Path) -> None:
    torch.manual_seed(1)
    start = digits_cnn()
    torch.save({"state_dict": {f"module.{name}": value for name, value in start.state_dict().items()}}, "start.th")
    call("--epochs", "1", "-o", "net.pt", "--weights", "start.th", "--learning-rate", "1e-9")
    found = load_model(tmp_path / "net.pt")
    torch.testing.assert_close(found[0].weight, start[0].weight)
    # Thresholds that a network trained with ReLU lacks keep their first value.
    call("--epochs", "1", "-o", "qcfs.pt", "--weights", "net.pt", "--activation", "qcfs", "--learning-rate", "1e-9")
    torch.testing.assert_close(load_model(tmp_path / "qcfs.pt")[0].weight, start[0].weight)


def test_train_prints_one_json_object(call) -> None:
    form = json.loads(call("--epochs", "1", "--json"))
    assert form["model"] == "digits_cnn.pt" and form["settings"]["epochs"] == 1
    assert form["test_accuracy"] == form["epochs"][0]["test_accuracy"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs: out of range (expected at least 1, found 0)"),
        (["--threads", "0"], "--threads: is out of range"),
        (["--device", "abacus"], "--device: is no device (expected auto, cpu, cuda or cuda:NUMBER, found 'abacus')"),
        (["--activation", "gelu"], "--activation: there is no such activation (expected relu, clipped, qcfs"),
        (["--augment", "crop,blur"], "there is no such augmentation (expected crop, flip, autoaugment, cutout"),
        (["--mean", "a"], "--mean: cannot be understood"),
        (["--weights", "missing.pt"], "missing.pt: cannot be read"),
        (["-o", "net.json"], "net.json: is the name of the checkpoint or the log"),
        (["-o", "missing/net.pt"], "cannot be written"),
        (["--learning-rate", "1e30"], "epoch 1: training diverged"),
    ],
)
def test_train_explains_bad_input_in_one_line(call, arguments: list[str], message: str) -> None:
    assert message in call("--epochs", "1", *arguments, code=2)


def test_train_explains_other_bad_networks(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, message in (
        (["resnet20"], "the images do not fit the network (found images of shape (1, 8, 8)"),
        (["resnet50"], "ARCH: cannot be understood"),
        (["digits_cnn:qcfs", "--activation", "clipped"], "--activation: contradicts the network"),
        (["digits_cnn:5"], "the network has too few outputs (expected at least 10"),
        (["torch.nn:ReLU", "--activation", "relu"], "--activation: is only for snnc's own networks"),
    ):
        assert main(["train", *arguments, "--data", "digits", "--epochs", "1"]) == 2
        assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_train_takes_networks_of_the_user_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"own_network_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(
        "from torch import nn\ndef small(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    assert main(["train", f"{name}:small", "--data", "digits", "--epochs", "1"]) == 0
    assert load_model(tmp_path / f"{name}.pt")[1].out_features == 10
