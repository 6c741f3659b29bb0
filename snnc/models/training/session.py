"""A training run: epochs of stochastic gradient descent with a test and a checkpoint after each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from snnc.common.errors import DataError, SnncError, first_line
from snnc.common.progress import PartOf, Progress, Unheard
from snnc.models.data import Dataset
from snnc.models.data.dataset import keep_normalisation
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
from snnc.models.training.engine import (
    ALONE,
    Classifier,
    Epoch,
    Group,
    Trainer,
    device_of,
    set_format,
    threads_set_to,
)
from snnc.models.training.options import TrainingOptions, settings_of

__all__ = ["Data", "Run", "best_of"]


@dataclass(frozen=True, eq=False)
class Data:
    """The images of a run.

    Attributes:
        training: To train on, with labels.
        test: To test on after each epoch, with labels.
        held_out: To decide on when to stop, with labels; None: nothing stops early.
    """

    training: Dataset
    test: Dataset
    held_out: Dataset | None = None

    @classmethod
    def of(cls, training: Dataset, test: Dataset, *, held_out: float | None = None, seed: int = 0) -> Data:
        """Return the images, with some of the training images held out where that is wanted.

        Args:
            training: To train on.
            test: To test on.
            held_out: The share of the training images to hold out, above 0 and below 1; None: none.
            seed: Which ones, at least 0.

        Raises:
            DataError: There are too few images to hold some out, or no labels.
        """
        for dataset in (training, test):
            if dataset.labels is None:
                raise DataError("there are no labels to train on", where=dataset.name)
        if held_out is None:
            return cls(training, test)
        count = round(len(training) * held_out)
        if not 0 < count < len(training):
            raise DataError("there are too few images to hold some out", where=training.name, found=str(len(training)))
        drawn, rest = training.split(count, seed)
        return cls(rest, test, drawn)


@dataclass(frozen=True, eq=False)
class Run:
    """A training run that is about to begin, or to go on.

    Attributes:
        classifier: The network and its loss. The network is left in evaluation mode on the CPU, as it was after the
            last epoch that went well, or after the best one on the held-out images.
        options: What the result depends on.
        data: The images.
        origin: What else it depends on, for the comparison on resuming: ``arch``, ``data``, ``weights``, ``teacher``.
        group: The processes that train together; all have the same run, and all end with the same weights. Only the
            first one writes and reports.
        forward_passes: Memory that backpropagation keeps of an image, in the network's forward passes of one.
        patience: Stop after so many epochs that are no better on the held-out images; None: after all epochs.
    """

    classifier: Classifier
    options: TrainingOptions
    data: Data
    origin: Mapping[str, object] = field(default_factory=dict)
    group: Group = ALONE
    forward_passes: float = 1.0
    patience: int | None = None

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        return self.classifier.network

    @property
    def settings(self) -> dict[str, object]:
        """All that the result depends on by name, as JSON and checkpoints hold it."""
        return settings_of(self.options, self.origin)

    def train(
        self,
        *,
        device: torch.device,
        checkpoints: CheckpointFile | None = None,
        resume: bool = False,
        threads: int | None = None,
        progress: Progress = Unheard(),
        report: Callable[[Epoch], None] | None = None,
    ) -> list[Epoch]:
        """Train the network in place, by stochastic gradient descent with a cosine schedule.

        On a CPU the weights depend on nothing but the network as it is given, the options, the data, the number of
        processes and threads and the version of torch; a run that was interrupted and resumed gives bit for bit the
        weights of one that was not. torch's global random state is left as it was.

        Args:
            device: Where to train.
            checkpoints: Where to keep the state after each epoch; None: nowhere.
            resume: Go on from the state in ``checkpoints``.
            threads: CPU threads that torch may use meanwhile; None leaves its setting.
            progress: Told after each batch how many training images were shown so far, of those of all epochs.
            report: Called after each epoch, when its checkpoint has been written; not for those of an earlier session.

        Returns:
            What was measured, for each epoch; those of earlier sessions too.

        Raises:
            OptionError: An option is out of range, differs from those in ``checkpoints``, or the batch takes more
                memory than there is.
            DataError: The data do not fit the network or have no labels, or the loss became infinite or NaN: then the
                state after the last good epoch is still in ``checkpoints``.
            ModelError: The state in ``checkpoints`` cannot be read.
            OutputError: It cannot be written.
        """
        options, network, data = self.options, self.network, self.data
        options.check()
        keep_normalisation(self.network, options.means, options.stds)
        shown = DatasetBatches(data.training, options.means, options.stds, Augmentation(options.augmentations))
        test = DatasetBatches(data.test, options.means, options.stds)
        held_out = None if data.held_out is None else DatasetBatches(data.held_out, options.means, options.stds)
        _check_fit(network, test, data)
        progress.begin("training", options.epochs * len(data.training))
        own = math.ceil(min(options.batch_size, len(data.training)) / self.group.count)
        check_batch(network, test.draw(torch.arange(1))[0], own * self.forward_passes, device)
        before = state_before(checkpoints, resume, options, self.settings)
        with threads_set_to(threads), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(options.seed)
            # Convolutions are faster with the channels last: by a quarter for ResNet20 on one core.
            memory_format = torch.channels_last if data.training.images.ndim == 4 else torch.contiguous_format
            set_format(network.to(device), memory_format)
            self.classifier.prepare(device, memory_format)
            course = _Course(self, (shown, test, held_out), memory_format)
            if before is not None:
                course.restore(before)
            try:
                while not course.is_done:
                    try:
                        course.epoch(progress)
                    except DataError as error:
                        course.go_back()
                        raise self._with_last_state(error, len(course.history), checkpoints) from error
                    if self.group.rank == 0:
                        if checkpoints is not None:
                            checkpoints.save(course.checkpoint())
                        if report is not None:
                            report(course.history[-1])
            finally:
                course.finish()
                set_format(network.eval().to("cpu"), torch.contiguous_format)
        return course.history

    def _with_last_state(self, error: DataError, epochs: int, checkpoints: CheckpointFile | None) -> SnncError:
        """Say where the state after the last good epoch is."""
        if checkpoints is None or not epochs:
            return error
        state = f"{checkpoints.path} still holds the state after epoch {epochs}{self.classifier.use_of_state}"
        return error.advising(f"{error.advice}; {state}")


class _Course:
    """All that changes with a network while it is trained."""

    def __init__(
        self, run: Run, batches: tuple[Batches, Batches, Batches | None], memory_format: torch.memory_format
    ) -> None:
        self._run = run
        self._network = run.network
        self._shown, self._test, self._held_out = batches
        options = run.options
        steps = math.ceil(len(self._shown) / options.batch_size)
        self._optimizer = torch.optim.SGD(
            run.classifier.parameter_groups(),
            lr=options.rate,
            momentum=options.momentum,
            weight_decay=options.weight_decay,
        )
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimizer, T_max=steps * options.epochs)
        self._trainer = Trainer(
            run.classifier, self._optimizer, self._schedule, options.batch_size, memory_format, run.group
        )
        self.history: list[Epoch] = []
        self._last = plain_state(self._network)
        self._best: dict[str, Any] | None = None

    @property
    def is_done(self) -> bool:
        """Whether all epochs are over, or the last ones brought nothing better."""
        if len(self.history) >= self._run.options.epochs:
            return True
        patience = self._run.patience
        return patience is not None and bool(self.history) and len(self.history) - self._best_epoch >= patience

    @property
    def _best_epoch(self) -> int:
        return best_of(self.history).epoch

    def restore(self, before: Checkpoint) -> None:
        """Go back to the state after an epoch."""
        self._network.load_state_dict(before.state_dict)
        self._optimizer.load_state_dict(before.optimizer)
        self._schedule.load_state_dict(before.schedule)
        set_random_state(before.random, device_of(self._network))
        self.history = list(before.epochs)
        self._last, self._best = before.state_dict, before.best

    def checkpoint(self) -> Checkpoint:
        """Return the state as it is now, after an epoch."""
        return Checkpoint(
            settings=self._run.settings,
            epochs=list(self.history),
            state_dict=self._last,
            optimizer=self._optimizer.state_dict(),
            schedule=self._schedule.state_dict(),
            random=random_state(device_of(self._network)),
            best=self._best,
        )

    def epoch(self, progress: Progress) -> None:
        """Train for the next epoch, then test."""
        start = time.perf_counter()
        number = len(self.history) + 1
        rate = self._optimizer.param_groups[0]["lr"]
        shown = (number - 1) * len(self._shown)
        fit = self._trainer.epoch(self._shown, number, PartOf(progress, shown))
        held_out = None if self._held_out is None else self._trainer.accuracy(self._held_out, number)
        right = self._trainer.accuracy(self._test, number)
        seconds = time.perf_counter() - start
        self.history.append(Epoch(number, fit.loss, fit.accuracy, right, rate, seconds, held_out))
        self._last = plain_state(self._network)
        if held_out is not None and self._best_epoch == number:
            self._best = self._last

    def go_back(self) -> None:
        """Give the network the weights after the last epoch that went well."""
        self._network.load_state_dict(self._last)

    def finish(self) -> None:
        """Give the network the weights of the best epoch, where images were held out to find it."""
        if self._best is not None:
            self._network.load_state_dict(self._best)
        self._run.classifier.finish()


def best_of(history: Sequence[Epoch]) -> Epoch:
    """Return the epoch whose weights a run ends with: the first of the best on held-out images, or else the last."""
    if history[-1].held_out_accuracy is None:
        return history[-1]
    return max(history, key=lambda epoch: (epoch.held_out_accuracy or 0.0, -epoch.epoch))


def _check_fit(network: nn.Module, batches: Batches, data: Data) -> None:
    """Check that the network takes the images and has an output for each class."""
    images, _ = batches.draw(torch.arange(1))
    network.eval()
    try:
        with torch.no_grad():
            answers = network(images)
    except Exception as error:  # Whatever a network raises that is given images of a size that it does not take.
        raise DataError(
            "the images do not fit the network",
            where=data.test.name,
            found=f"images of shape {tuple(images.shape[1:])}: {first_line(error)}",
        ) from error
    for dataset in (data.training, data.test):
        classes = 0 if dataset.labels is None else int(dataset.labels.max()) + 1
        if answers.ndim != 2 or answers.shape[1] < classes:
            raise DataError(
                "the network has too few outputs",
                where=dataset.name,
                expected=f"at least {classes}, the number of classes",
                found=f"outputs of shape {tuple(answers.shape[1:])}",
            )
