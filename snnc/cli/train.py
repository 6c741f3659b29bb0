"""``snnc train``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnc.cli.options import DATA_FORMS, Json, Trust, Verbose, numbers
from snnc.cli.outputs import RunFiles, save_model
from snnc.cli.screen import Screen
from snnc.common.errors import OptionError

if TYPE_CHECKING:
    from snnc.models.training import Epoch, TrainingSettings

__all__ = ["EXAMPLES", "augmentations", "epoch_line", "list_option", "log_content", "run_form", "train_command"]


def augmentations(text: str) -> tuple[str, ...]:
    """``crop,flip`` as names; none for ``none``."""
    return () if text == "none" else tuple(text.split(","))


def list_option(values: Sequence[float]) -> str:
    """Numbers as an option takes them: ``0.5,0.25``."""
    return ",".join(f"{value:g}" for value in values)


def epoch_line(epoch: Epoch, epochs: int) -> str:
    """An epoch of so many, in one line; accuracy on held-out images where there are any."""
    held_out = "" if epoch.held_out_accuracy is None else f"held out {100 * epoch.held_out_accuracy:6.2f} %  "
    return (
        f"epoch {epoch.epoch:>{len(str(epochs))}}/{epochs}  learning rate {epoch.learning_rate:<9.4g} "
        f"loss {epoch.loss:<8.4f} train {100 * epoch.train_accuracy:6.2f} %  {held_out}"
        f"test {100 * epoch.test_accuracy:6.2f} %  {epoch.seconds:.1f} s"
    )


def run_form(settings: TrainingSettings, history: Sequence[Epoch]) -> dict[str, object]:
    """Settings and epochs of a run as a JSON object."""
    return {"settings": settings.form(), "epochs": [asdict(epoch) for epoch in history]}


def log_content(settings: TrainingSettings, history: Sequence[Epoch]) -> bytes:
    """The same as the content of a file."""
    return (json.dumps(run_form(settings, history), indent=2, allow_nan=False) + "\n").encode()


EXAMPLES = """\b
Examples:
  snnc train resnet20 --data cifar10:data
  snnc train vgg16 --data cifar100:data --activation qcfs -o vgg16.pt --resume
  snnc train resnet20 --data images/ --weights old.pt --epochs 10 --learning-rate 0.01 --momentum 0.9
"""


def train_command(
    arch: Annotated[
        str,
        typer.Argument(
            metavar="ARCH",
            help="The network: alexnet, cifarnet, lenet, resnet18, resnet19, resnet20, resnet34, vgg16, "
            "resnet34_imagenet, vgg16_imagenet or digits_cnn, with :max or :average behind it to choose its pooling; "
            "or module:factory.",
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="DATA",
            help=f"What to train and test on: {DATA_FORMS}. Both splits; where there is only one, the test "
            "accuracy is that of the training images.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT.pt",
            help="The file for the trained network, which snnc compile reads. OUT.checkpoint and OUT.json are written "
            "beside it.  [default: ARCH.pt]",
        ),
    ] = None,
    activation: Annotated[
        str | None, typer.Option("--activation", help="relu, clipped (ClippedReLU) or qcfs (QCFS).  [default: relu]")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", metavar="FILE", help="Start from these weights: a state_dict or a saved network."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from OUT.checkpoint, where there is one; all else has to be as it was.",
            show_default=False,
        ),
    ] = False,
    epochs: Annotated[int, typer.Option("--epochs", help="How often every image is shown.")] = 300,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            help="The first one; it falls to 0 along half a cosine.  [default: 0.1 for up to 10 classes, else 0.02]",
        ),
    ] = None,
    momentum: Annotated[float, typer.Option("--momentum", help="Of stochastic gradient descent.")] = 0.1,
    weight_decay: Annotated[float, typer.Option("--weight-decay", help="Of all parameters.")] = 5e-4,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Images per step.")] = 128,
    label_smoothing: Annotated[
        float, typer.Option("--label-smoothing", help="Share of each label that is spread over all classes.")
    ] = 0.0,
    augment: Annotated[
        str | None,
        typer.Option(
            "--augment",
            metavar="NAMES",
            help="Random changes of the images, with commas between them, or none: crop, flip, autoaugment, cutout.  "
            "[default: all for cifar10 and cifar100, flip for imagenet, else none]",
        ),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(
            "--mean",
            metavar="X[,X,X]",
            help="What is subtracted from the images, which count from 0 to 1.  [default: the data set's, else 0]",
        ),
    ] = None,
    std: Annotated[
        str | None,
        typer.Option(
            "--std", metavar="X[,X,X]", help="What they are divided by after that.  [default: the data set's, else 1]"
        ),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", help="auto (a GPU where there is one), cpu, cuda or cuda:NUMBER.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option("--threads", help="Threads of the CPU.  [default: as torch chooses]")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of weights, order, augmentation and dropout.")] = 0,
    trust: Trust = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Train a network that snnc compile reads.

    The defaults are the paper's (section 8.1): 300 epochs of stochastic gradient descent, momentum 0.1, weight decay
    0.0005, cosine schedule. The state after every epoch is kept in OUT.checkpoint, from which --resume goes on; on a
    CPU the weights are then those of a run that was never interrupted.
    """
    if threads is not None and threads < 1:
        raise OptionError("is out of range", where="--threads", expected="at least 1", found=str(threads))
    files = RunFiles.of(output or Path(f"{arch.partition(':')[0]}.pt"))
    files.check(weights, resume=resume)
    screen = Screen(json=as_json)
    # Imported late, since torch takes seconds.
    import torch

    from snnc.api.train import chosen_architecture, class_count, file_hash, start_from
    from snnc.common.atomic_write import write_whole
    from snnc.common.devices import chosen_device
    from snnc.models.data import load_data
    from snnc.models.training import (
        CheckpointFile,
        Data,
        TrainingSettings,
        default_learning_rate,
        recipe,
        train_network,
    )

    place = chosen_device(device)
    with screen.steps() as steps:
        steps.begin("reading the data")
        training, test = load_data(data, split="train"), load_data(data, split="test")
        chosen = chosen_architecture(arch, activation, class_count(training))
        usual = recipe(data)
        rate = default_learning_rate(class_count(training)) if learning_rate is None else learning_rate
        settings = TrainingSettings(
            arch=str(chosen),
            data=data,
            weights=None if weights is None else file_hash(weights),
            epochs=epochs,
            learning_rate=rate,
            momentum=momentum,
            weight_decay=weight_decay,
            batch_size=batch_size,
            mean=usual.mean if mean is None else numbers(mean, "--mean"),
            std=usual.std if std is None else numbers(std, "--std"),
            augment=usual.augment if augment is None else augmentations(augment),
            label_smoothing=label_smoothing,
            seed=seed,
        )
        settings.check()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = chosen.build()
        if weights is not None:
            start_from(network, weights, trust=trust)
        screen.show(f"training {chosen} on {len(training):,} images of {training.name}, on {place}")
        checkpoints = CheckpointFile(files.checkpoint, write_whole)
        history: list[Epoch] = []
        continued = resume and files.checkpoint.exists()
        if continued:
            history = checkpoints.load().epochs
            screen.note(f"going on after epoch {len(history)}, from {files.checkpoint}")
        steps.begin("training", epochs * len(training))

        def report(epoch: Epoch) -> None:
            history.append(epoch)
            screen.show(epoch_line(epoch, epochs))
            write_whole(files.log, log_content(settings, history))

        train_network(
            network,
            settings,
            Data(training, test),
            device=place,
            checkpoints=checkpoints,
            resume=continued,
            threads=threads,
            advance=steps.advance,
            report=report,
        )
        # Once more, for a run that was interrupted between its last checkpoint and the log.
        write_whole(files.log, log_content(settings, history))
        save_model(network, files.model)
    screen.show(f"test accuracy {100 * history[-1].test_accuracy:.2f} % on {len(test):,} images of {test.name}")
    screen.show(f"wrote {files.model}, {files.checkpoint} and {files.log}")
    normalisation = f"--mean {list_option(settings.mean)} --std {list_option(settings.std)}"
    screen.show(f"to compile it: snnc compile {files.model} --calib {data} {normalisation}")
    screen.emit(
        {
            "model": str(files.model),
            "checkpoint": str(files.checkpoint),
            "log": str(files.log),
            "test_accuracy": history[-1].test_accuracy,
            **run_form(settings, history),
        }
    )
    return 0
