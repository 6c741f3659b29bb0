"""A training run: epochs of stochastic gradient descent with a test and a checkpoint behind each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from torch import nn

from snnc.common.errors import DataError, SnncError, first_line
from snnc.models.data import Dataset
from snnc.models.training.augmentation import Augmentation
from snnc.models.training.batches import Batches, DatasetBatches, check_batch
from snnc.models.training.checkpoint import (
    Checkpoint,
    CheckpointFile,
    plain_state,
    random_state,
    set_random_state,
    state_before,
)
from snnc.models.training.evaluation import share_right
from snnc.models.training.loop import Epoch, device_of, set_format, threads_set_to, train_epoch
from snnc.models.training.settings import TrainingSettings

__all__ = ["train_network"]


def train_network(
    network: nn.Module,
    settings: TrainingSettings,
    training: Dataset,
    test: Dataset,
    *,
    device: torch.device,
    checkpoints: CheckpointFile | None = None,
    resume: bool = False,
    threads: int | None = None,
    advance: Callable[[int], None] | None = None,
    report: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Trains a classifier in place, on the cross entropy, by stochastic gradient descent with a cosine schedule.

    On a CPU the weights depend on nothing but the network as it is given, the settings, the data, the number of threads
    and the version of torch; a run that was interrupted and resumed gives bit for bit the weights of one that was not.
    torch's global random state is left as it was.

    Args:
        network: Maps images of shape (n, ...) to logits (n, classes). It is left in evaluation mode on the CPU.
        settings: What the run depends on; checked here.
        training: Images to train on, with labels.
        test: Images to test on behind each epoch, with labels.
        device: Where to train.
        checkpoints: Where to keep the state behind each epoch; None: nowhere.
        resume: Go on from the state in ``checkpoints``.
        threads: CPU threads that torch may use meanwhile; None leaves its setting.
        advance: Called after each batch with the number of training images shown so far, in all epochs.
        report: Called after each epoch, when its checkpoint has been written; not for epochs of an earlier session.

    Returns:
        What was measured, for each epoch; those of earlier sessions too.

    Raises:
        OptionError: A setting is out of range, or differs from those in ``checkpoints``.
        DataError: The data do not fit the network or have no labels, or the loss became infinite or NaN: then the
            state behind the last good epoch is still in ``checkpoints``.
        ModelError: The state in ``checkpoints`` cannot be read.
        OutputError: It cannot be written.
    """
    settings.check()
    shown = DatasetBatches(training, settings.mean, settings.std, Augmentation(settings.augment))
    held_back = DatasetBatches(test, settings.mean, settings.std)
    _check_fit(network, held_back, training, test)
    check_batch(network, held_back.draw(torch.arange(1))[0], min(settings.batch_size, len(training)), device)
    before = state_before(checkpoints, resume, settings)
    with threads_set_to(threads), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(settings.seed)
        # Convolutions are faster with the channels last: by a quarter for ResNet20 on one core.
        memory_format = torch.channels_last if training.images.ndim == 4 else torch.contiguous_format
        set_format(network.to(device), memory_format)
        run = _Run(network, settings, steps=math.ceil(len(shown) / settings.batch_size))
        if before is not None:
            run.restore(before)
        try:
            while len(run.history) < settings.epochs:
                try:
                    run.epoch(shown, held_back, memory_format, advance)
                except DataError as error:
                    raise _with_last_state(error, run, checkpoints) from error
                if checkpoints is not None:
                    checkpoints.save(run.checkpoint())
                if report is not None:
                    report(run.history[-1])
        finally:
            set_format(network.eval().to("cpu"), torch.contiguous_format)
    return run.history


class _Run:
    """A network and all that changes with it while it is trained.

    Args:
        network: On the device to train on.
        settings: Of the run.
        steps: Steps of the optimizer in each epoch.
    """

    def __init__(self, network: nn.Module, settings: TrainingSettings, *, steps: int) -> None:
        self._network = network
        self._settings = settings
        self._device = device_of(network)
        self._optimizer = torch.optim.SGD(
            network.parameters(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimizer, T_max=steps * settings.epochs)
        self.history: list[Epoch] = []

    def restore(self, before: Checkpoint) -> None:
        """Go back to the state behind an epoch."""
        self._network.load_state_dict(before.state_dict)
        self._optimizer.load_state_dict(before.optimizer)
        self._schedule.load_state_dict(before.schedule)
        set_random_state(before.random, self._device)
        self.history = list(before.epochs)

    def checkpoint(self) -> Checkpoint:
        """The state as it is now, behind an epoch."""
        return Checkpoint(
            settings=self._settings.form(),
            epochs=list(self.history),
            state_dict=plain_state(self._network),
            optimizer=self._optimizer.state_dict(),
            schedule=self._schedule.state_dict(),
            random=random_state(self._device),
        )

    def epoch(
        self,
        shown: Batches,
        held_back: Batches,
        memory_format: torch.memory_format,
        advance: Callable[[int], None] | None,
    ) -> None:
        """Train for the next epoch, then test."""
        start = time.perf_counter()
        number = len(self.history) + 1
        rate = self._optimizer.param_groups[0]["lr"]
        self._network.train()
        fit = train_epoch(
            self._network,
            shown,
            self._optimizer,
            self._schedule,
            epoch=number,
            batch_size=self._settings.batch_size,
            label_smoothing=self._settings.label_smoothing,
            memory_format=memory_format,
            advance=_counted_from((number - 1) * len(shown), advance),
        )
        self._network.eval()
        right = share_right(self._network, held_back, epoch=number, memory_format=memory_format)
        self.history.append(Epoch(number, fit.loss, fit.accuracy, right, rate, time.perf_counter() - start))


def _with_last_state(error: DataError, run: _Run, checkpoints: CheckpointFile | None) -> SnncError:
    """Say where the state behind the last good epoch is."""
    if checkpoints is None or not run.history:
        return error
    return error.advising(
        f"{error.advice}; {checkpoints.path} holds the state behind epoch {len(run.history)}, and may serve as "
        "--weights of another run"
    )


def _counted_from(start: int, advance: Callable[[int], None] | None) -> Callable[[int], None] | None:
    return None if advance is None else lambda seen: advance(start + seen)


def _check_fit(network: nn.Module, batches: Batches, training: Dataset, test: Dataset) -> None:
    """Check that the network takes the images and has an output for each class."""
    images, _ = batches.draw(torch.arange(1))
    network.eval()
    try:
        with torch.no_grad():
            answers = network(images)
    except Exception as error:  # Whatever a network raises that is given images of a size that it does not take.
        raise DataError(
            "the images do not fit the network",
            where=test.name,
            found=f"images of shape {tuple(images.shape[1:])}: {first_line(error)}",
        ) from error
    for dataset in (training, test):
        classes = 0 if dataset.labels is None else int(dataset.labels.max()) + 1
        if answers.ndim != 2 or answers.shape[1] < classes:
            raise DataError(
                "the network has too few outputs",
                where=dataset.name,
                expected=f"at least {classes}, the number of classes",
                found=f"outputs of shape {tuple(answers.shape[1:])}",
            )
