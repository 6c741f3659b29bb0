"""What ``snnc train`` and ``snnc finetune`` share: their files, what they say of an epoch, and the run itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnc.cli.options import DATA_FORMS
from snnc.cli.outputs import save_model
from snnc.cli.screen import Screen, Steps
from snnc.common.atomic_write import check_writable
from snnc.common.errors import DataError, OutputError
from snnc.models.training.options import IMAGES, SESSION, SessionOptions

if TYPE_CHECKING:
    import torch

    from snnc.models.training.engine import Epoch
    from snnc.models.training.session import Run

__all__ = ["RunFiles", "TrainingData", "TrainingOutput", "carry_out", "show_result"]

TrainingData = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DATA",
        rich_help_panel=IMAGES,
        help=f"What to train and test on, with labels: {DATA_FORMS}. Both splits; where there is only one, the test "
        "accuracy is that of the training images.",
    ),
]
TrainingOutput = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT.pt",
        rich_help_panel=SESSION,
        help="The file for the trained network, which snnc compile reads. OUT.checkpoint and OUT.json are written "
        "beside it.  [default: named after the network]",
    ),
]


@dataclass(frozen=True)
class RunFiles:
    """What a run writes.

    Attributes:
        model: The trained network.
        checkpoint: The state after the last epoch.
        log: What was measured, as JSON.
    """

    model: Path
    checkpoint: Path
    log: Path

    @classmethod
    def of(cls, model: Path) -> RunFiles:
        """Return the three files of a network's."""
        return cls(model, model.with_suffix(".checkpoint"), model.with_suffix(".json"))

    def check(self, inputs: Iterable[Path], *, resume: bool) -> None:
        """Make sure that all can be written and that no unfinished run is lost.

        Args:
            inputs: What the run reads, but for its own checkpoint.
            resume: Whether the run goes on from the checkpoint.

        Raises:
            OutputError: A file cannot be written, is one of the inputs, or holds a run that is not to be resumed.
        """
        if self.model in (self.checkpoint, self.log):
            raise OutputError(
                "is the name of the checkpoint or the log", where=str(self.model), expected="a name that ends in .pt"
            )
        for path in (self.model, self.checkpoint, self.log):
            check_writable(path, inputs)
        if self.checkpoint.exists() and not resume:
            raise OutputError(
                "exists, perhaps of a run that is not finished",
                where=str(self.checkpoint),
                advice="add --resume to go on from it, or delete it to begin anew",
            )


def carry_out(
    run: Run, session: SessionOptions, device: torch.device, files: RunFiles, screen: Screen, steps: Steps, command: str
) -> list[Epoch]:
    """Train, say how each epoch went, and write the files of the run.

    Args:
        run: The run. Its network is written when it is done, and that after the last good epoch where it diverges.
        session: Whether to go on from the checkpoint, and with how many threads.
        device: Where to train.
        files: What to write; only the first of several processes does.
        screen: Where to say how it goes.
        steps: Where to show how far it is.
        command: Whose checkpoint it is: ``snnc train`` or ``snnc finetune``.

    Returns:
        What was measured, for each epoch; those of earlier sessions too.

    Raises:
        SnncError: As :meth:`snnc.models.training.session.Run.train`.
    """
    from snnc.common.atomic_write import write_whole
    from snnc.models.training.checkpoint import CheckpointFile

    checkpoints = CheckpointFile(files.checkpoint, write_whole, command)
    epochs = run.options.epochs
    resume = session.resume and files.checkpoint.exists()
    history = checkpoints.load().epochs if resume else []
    if resume:
        screen.note(f"going on after epoch {len(history)}, from {files.checkpoint}")

    def report(epoch: Epoch) -> None:
        history.append(epoch)
        screen.show(_line(epoch, epochs))
        write_whole(files.log, _log(run, history))

    try:
        run.train(
            device=device,
            checkpoints=checkpoints,
            resume=resume,
            threads=session.threads,
            progress=steps,
            report=report,
        )
    except DataError as error:
        if not history or run.group.rank:
            raise
        save_model(run.network, files.model)
        raise error.advising(f"{error.advice}, and {files.model} holds its network") from error
    if not run.group.rank:
        # Once more, for a run that was interrupted between its last checkpoint and the log.
        write_whole(files.log, _log(run, history))
        save_model(run.network, files.model)
    return history


def show_result(
    run: Run, history: Sequence[Epoch], files: RunFiles, screen: Screen, test: str, compile_options: Sequence[str]
) -> None:
    """Say what came of a run, which files hold it, and how to compile it.

    Args:
        run: The run.
        history: What was measured.
        files: What was written.
        screen: Where to say so.
        test: What its accuracy is of, in words.
        compile_options: Options for ``snnc compile``, but for mean and standard deviation.
    """
    from snnc.models.training.session import best_of

    best = best_of(history)
    screen.show(f"test accuracy {100 * best.test_accuracy:.2f} % on {test}")
    screen.show(f"wrote {files.model}, {files.checkpoint} and {files.log}")
    normalisation = f"--mean {_listed(run.options.means)} --std {_listed(run.options.stds)}"
    screen.show(f"to compile it: snnc compile {files.model} {' '.join(compile_options)} {normalisation}")
    screen.emit(
        {
            "model": str(files.model),
            "checkpoint": str(files.checkpoint),
            "log": str(files.log),
            "test_accuracy": best.test_accuracy,
            **_form(run, history),
        }
    )


def _line(epoch: Epoch, epochs: int) -> str:
    """Return an epoch of so many, in one line; accuracy on held-out images where there are any."""
    held_out = "" if epoch.held_out_accuracy is None else f"held out {100 * epoch.held_out_accuracy:6.2f} %  "
    return (
        f"epoch {epoch.epoch:>{len(str(epochs))}}/{epochs}  learning rate {epoch.learning_rate:<9.4g} "
        f"loss {epoch.loss:<8.4f} train {100 * epoch.train_accuracy:6.2f} %  {held_out}"
        f"test {100 * epoch.test_accuracy:6.2f} %  {epoch.seconds:.1f} s"
    )


def _form(run: Run, history: Sequence[Epoch]) -> dict[str, object]:
    """Return settings and epochs of a run as a JSON object."""
    return {"settings": run.settings, "epochs": [asdict(epoch) for epoch in history]}


def _log(run: Run, history: Sequence[Epoch]) -> bytes:
    return (json.dumps(_form(run, history), indent=2, allow_nan=False) + "\n").encode()


def _listed(values: Sequence[float]) -> str:
    """Return numbers as an option takes them: ``0.5,0.25``."""
    return ",".join(f"{value:g}" for value in values)
