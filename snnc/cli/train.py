"""``snnc train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnc.cli.options import Config, Json, NoConfig, Verbose
from snnc.cli.outputs import Inputs
from snnc.cli.parameters import with_options
from snnc.cli.screen import Screen
from snnc.cli.training import RunFiles, TrainingData, TrainingOutput, carry_out, show_result
from snnc.models.training.options import SessionOptions, StartOptions, TrainOptions

__all__ = ["EXAMPLES", "train_command"]

EXAMPLES = """\b
Examples:
  snnc train resnet20 --data cifar10:data
  snnc train vgg16 --data cifar100:data --activation qcfs -o vgg16.pt --resume
  snnc train resnet20 --data images/ --weights old.pt --epochs 10
"""


@with_options
def train_command(
    arch: Annotated[
        str,
        typer.Argument(
            metavar="ARCH",
            help="The network: alexnet, cifarnet, lenet, resnet18, resnet19, resnet20, resnet34, vgg16, "
            "resnet34_imagenet, vgg16_imagenet or digits_cnn, with :max or :average after it to choose its pooling; "
            "or module:factory.",
        ),
    ],
    data: TrainingData,
    start: StartOptions,
    options: TrainOptions,
    session: SessionOptions,
    output: TrainingOutput = None,
    config: Config = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Train a network that snnc compile reads.

    The defaults are the paper's (section 8.1): 300 epochs of stochastic gradient descent, momentum 0.1, weight decay
    0.0005, cosine schedule. The state after every epoch is kept in OUT.checkpoint, from which --resume goes on; on a
    CPU the weights are then those of a run that was never interrupted.
    """
    session.check_threads()
    files = RunFiles.of(output or Path(f"{arch.partition(':')[0]}.pt"))
    files.check(Inputs(start.weights, config, data=(data,), code=arch), resume=session.resume)
    screen = Screen(json=as_json, config=config)
    # Imported late, since torch takes seconds.
    from snnc.api.train import prepare
    from snnc.common.devices import chosen_device

    device = chosen_device(session.device)
    with screen.steps() as steps:
        run = prepare(
            arch, data, options, activation=start.activation, weights=start.weights, trust=start.trust, progress=steps
        )
        images = run.data.training
        screen.show(f"training {run.origin['arch']} on {len(images):,} images of {images.name}, on {device}")
        history = carry_out(run, session, device, files, screen, steps, "snnc train")
    test = run.data.test
    show_result(run, history, files, screen, f"{len(test):,} images of {test.name}", [f"--calib {data}"])
    return 0
