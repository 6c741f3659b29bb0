"""``snnc finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnc.cli.options import DATA_FORMS, OBJECTIVE_HELP, Architecture, Json, Trust, Verbose, numbers
from snnc.cli.outputs import RunFiles, save_model
from snnc.cli.screen import Screen
from snnc.cli.train import augmentations, epoch_line, list_option, log_content, run_form
from snnc.common.errors import DataError, OptionError
from snnc.compiler.parallel import connected, launched

if TYPE_CHECKING:
    from torch import nn

    from snnc.finetuning import FinetuneSettings
    from snnc.models.training import Epoch

EXAMPLES = """\b
Examples:
  snnc finetune resnet20.pt --data cifar10:data -T 1 -o t1.pt
  snnc finetune t1.pt --data cifar10:data -T 4 --epochs 20 -o t4.pt
  snnc compile t4.pt --calib cifar10:data -T 4 --threshold learned
"""


def finetune_command(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="The trained network, as for snnc compile; or one that snnc finetune wrote."
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            "--data", metavar="DATA", help=f"What to train and test on, with labels, as for snnc train: {DATA_FORMS}."
        ),
    ],
    timesteps: Annotated[int, typer.Option("-T", "--timesteps", help="Steps that each sample is shown for.")] = 1,
    epochs: Annotated[int, typer.Option("--epochs", help="How often every image is shown.")] = 50,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT.pt",
            help="The file for the spiking network, which snnc compile reads. OUT.checkpoint and OUT.json are written "
            "beside it.  [default: MODEL-tT.pt]",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from OUT.checkpoint, where there is one; all else has to be as it was.",
            show_default=False,
        ),
    ] = False,
    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold",
            help="How thresholds and initial potentials are chosen to begin with: data-driven, optimal, max, opt, "
            "percentile or mse, as for snnc compile, or keep (those of a network that snnc finetune wrote).  "
            "[default: keep for such a network, else data-driven]",
        ),
    ] = None,
    per_channel: Annotated[
        bool, typer.Option("--per-channel/--per-layer", help="One threshold for each channel, or for each layer.")
    ] = True,
    objective: Annotated[int, typer.Option("--objective", metavar="1|2", help=OBJECTIVE_HELP)] = 1,
    lead: Annotated[
        int, typer.Option("--lead", metavar="K", help="Steps that each layer integrates before it may fire, 0 to T.")
    ] = 0,
    train_thresholds: Annotated[
        bool, typer.Option("--train-thresholds", help="Train thresholds and initial potentials too.")
    ] = False,
    freeze_statistics: Annotated[
        bool, typer.Option("--freeze-statistics", help="Batch normalisation keeps the ANN's mean and variance.")
    ] = False,
    surrogate_width: Annotated[
        float,
        typer.Option("--surrogate-width", help="a: the derivative of a spike is 1 where |v - Vth| < a Vth, else 0."),
    ] = 0.5,
    distill: Annotated[
        float,
        typer.Option("--distill", metavar="SHARE", help="Share of the loss that is the distance to the ANN's logits."),
    ] = 0.0,
    temperature: Annotated[float, typer.Option("--temperature", help="Of the softmax over these logits.")] = 1.0,
    teacher: Annotated[
        Path | None,
        typer.Option("--teacher", metavar="ANN.pt", help="The ANN whose logits are distilled.  [default: MODEL]"),
    ] = None,
    quantize: Annotated[
        bool,
        typer.Option("--quantize", help="Round weights as the compiler does, and train what comes of it."),
    ] = False,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", help="The first one; it falls to 0 along half a cosine.")
    ] = 5e-3,
    momentum: Annotated[float, typer.Option("--momentum", help="Of stochastic gradient descent.")] = 0.9,
    weight_decay: Annotated[float, typer.Option("--weight-decay", help="Of all weights.")] = 5e-4,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Images per step, of all processes together.")] = 128,
    label_smoothing: Annotated[
        float, typer.Option("--label-smoothing", help="Share of each label that is spread over all classes.")
    ] = 0.0,
    patience: Annotated[
        int | None,
        typer.Option(
            "--patience",
            metavar="EPOCHS",
            help="Hold images out of training, stop after so many epochs that are no better on them, and take the "
            "best epoch's weights.  [default: train for all epochs and take the last]",
        ),
    ] = None,
    held_out: Annotated[
        float, typer.Option("--held-out", metavar="SHARE", help="How many, of all training images.")
    ] = 0.1,
    augment: Annotated[
        str | None,
        typer.Option("--augment", metavar="NAMES", help="Random changes of the images, as for snnc train."),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option("--mean", metavar="X[,X,X]", help="As in MODEL's training.  [default: the data set's, else 0]"),
    ] = None,
    std: Annotated[
        str | None,
        typer.Option("--std", metavar="X[,X,X]", help="As in MODEL's training.  [default: the data set's, else 1]"),
    ] = None,
    architecture: Architecture = None,
    calibration_samples: Annotated[
        int, typer.Option("--calib-samples", help="How many training images thresholds are chosen on.")
    ] = 512,
    precision: Annotated[
        str, typer.Option("--precision", help="float32, or bfloat16 for convolutions and linear layers in training.")
    ] = "float32",
    device: Annotated[
        str, typer.Option("--device", help="auto (a GPU where there is one), cpu, cuda or cuda:NUMBER.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option("--threads", help="Threads of the CPU.  [default: as torch chooses]")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of order and augmentation.")] = 0,
    trust: Trust = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Train a network on as a spiking one, for few steps per sample.

    Activations become integrate-and-fire neurons, with thresholds and initial potentials from the data, and the spiking
    network itself is trained, by a surrogate for the derivative of a spike. The defaults are the paper's (section
    8.2.1): T = 1 first, then from its result further T. Several processes, started by torchrun, share every batch.
    """
    if threads is not None and threads < 1:
        raise OptionError("is out of range", where="--threads", expected="at least 1", found=str(threads))
    processes = launched()
    files = RunFiles.of(output or model.with_name(f"{model.stem}-t{timesteps}.pt"))
    if processes.is_first:
        files.check(model, resume=resume)
    screen = Screen(json=as_json and processes.is_first, quiet=not processes.is_first)
    # Imported late, since torch takes seconds.
    from snnc.api.train import class_count, file_hash
    from snnc.common.atomic_write import write_whole
    from snnc.common.devices import chosen_device
    from snnc.finetuning import (
        KEEP,
        FinetuneSettings,
        FineTuning,
        distilled_ann,
        finetune_network,
        held_out_share,
        is_finetuned,
        spiking_network,
    )
    from snnc.inputs.data import as_module, calibration_data
    from snnc.models.data import load_data
    from snnc.models.training import CheckpointFile, Data, recipe

    place = chosen_device(device)
    with connected(processes), screen.steps() as steps:
        steps.begin("reading the model and the data")
        module = as_module(model, arch=architecture, trust=trust)
        training, test = load_data(data, split="train"), load_data(data, split="test")
        class_count(training)
        ann = distilled_ann(module, teacher, distill, name=str(model), arch=architecture, trust=trust)
        usual = recipe(data)
        settings = FinetuneSettings(
            arch=file_hash(model),
            data=data,
            epochs=epochs,
            learning_rate=learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            batch_size=batch_size,
            mean=usual.mean if mean is None else numbers(mean, "--mean"),
            std=usual.std if std is None else numbers(std, "--std"),
            augment=usual.augment if augment is None else augmentations(augment),
            label_smoothing=label_smoothing,
            seed=seed,
            timesteps=timesteps,
            lead=lead,
            threshold=threshold or (KEEP if is_finetuned(module) else "data-driven"),
            per_channel=per_channel,
            objective=objective,
            calibration_samples=calibration_samples,
            train_thresholds=train_thresholds,
            freeze_statistics=freeze_statistics,
            surrogate_width=surrogate_width,
            distill=distill,
            temperature=temperature,
            teacher=file_hash(teacher) if teacher is not None else None,
            quantize=quantize,
            patience=patience,
            held_out=held_out,
            precision=precision,
        )
        settings.check()
        images = Data.of(training, test, held_out=held_out_share(settings), seed=settings.seed)
        steps.begin("choosing thresholds", calibration_samples)
        calibration = calibration_data(images.training, calibration_samples)
        network = spiking_network(module, calibration, settings, steps.advance)
        screen.show(
            f"training {model} for T = {timesteps} on {len(images.training):,} images of {training.name}, on {place}"
        )
        checkpoints = CheckpointFile(files.checkpoint, write_whole, "snnc finetune")
        history: list[Epoch] = []
        continued = resume and files.checkpoint.exists()
        if continued:
            history = checkpoints.load().epochs
            screen.note(f"going on after epoch {len(history)}, from {files.checkpoint}")
        steps.begin("training", epochs * len(images.training))

        def report(epoch: Epoch) -> None:
            history.append(epoch)
            screen.show(epoch_line(epoch, epochs))
            write_whole(files.log, log_content(settings, history))

        try:
            finetune_network(
                network,
                settings,
                images,
                device=place,
                teacher=ann,
                checkpoints=checkpoints,
                resume=continued,
                threads=threads,
                processes=processes,
                advance=steps.advance,
                report=report,
            )
        except DataError as error:
            if not history or not processes.is_first:
                raise
            save_model(network, files.model)
            raise error.advising(f"{error.advice}, and {files.model} holds its network") from error
        if not processes.is_first:
            return 0
        # Once more, for a run that was interrupted between its last checkpoint and the log.
        write_whole(files.log, log_content(settings, history))
        save_model(network, files.model)
    best = FineTuning(network, tuple(history), settings).best
    if len(history) < epochs:
        screen.note(f"stopped after epoch {len(history)}: {patience} epochs without a better one on held-out images")
    screen.show(
        f"test accuracy {100 * best.test_accuracy:.2f} % on {len(test):,} images of {test.name}, after epoch "
        f"{best.epoch}"
    )
    screen.show(f"wrote {files.model}, {files.checkpoint} and {files.log}")
    screen.show(f"to compile it: {_next(files.model, data, settings, network)}")
    screen.emit(
        {
            "model": str(files.model),
            "checkpoint": str(files.checkpoint),
            "log": str(files.log),
            "test_accuracy": best.test_accuracy,
            **run_form(settings, history),
        }
    )
    return 0


def _next(path: Path, data: str, settings: FinetuneSettings, network: nn.Module) -> str:
    from torch import nn

    options = [f"--calib {data}", f"-T {settings.timesteps}", "--threshold learned"]
    if any(isinstance(part, nn.MaxPool2d) for part in network.modules()):
        options.append("--max-pool or")
    if settings.lead:
        options.append(f"--lead {settings.lead}")
    return (
        f"snnc compile {path} {' '.join(options)} --mean {list_option(settings.mean)} --std {list_option(settings.std)}"
    )
