"""A fine-tuning run: epochs with a test and a checkpoint behind each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from snnc.common.errors import DataError, SnncError
from snnc.compiler.parallel import Processes
from snnc.finetuning.loop import Together, Trainer
from snnc.finetuning.quantization import WeightQuantizer
from snnc.finetuning.settings import FinetuneSettings
from snnc.models.data import Dataset
from snnc.models.spiking import SpikingNetwork
from snnc.models.training import CheckpointFile, Epoch
from snnc.models.training.augmentation import Augmentation
from snnc.models.training.batches import DatasetBatches, check_batch
from snnc.models.training.checkpoint import Checkpoint, plain_state, state_before
from snnc.models.training.loop import set_format, threads_set_to
from snnc.program.targets import get_target

__all__ = ["Data", "finetune_network"]

# Whose integers weights are rounded to. All chips that are known have the same.
TARGET = "loihi2"


@dataclass(frozen=True, eq=False)
class Data:
    """The images of a run.

    Attributes:
        training: To train on, with labels.
        test: To test on behind each epoch, with labels.
        held_out: To decide on when to stop, with labels; None: nothing stops early.
    """

    training: Dataset
    test: Dataset
    held_out: Dataset | None = None

    @classmethod
    def of(cls, training: Dataset, test: Dataset, settings: FinetuneSettings) -> Data:
        """The images, with some held out where the settings want an early stop.

        Raises:
            DataError: There are too few images to hold some out, or no labels.
        """
        for dataset in (training, test):
            if dataset.labels is None:
                raise DataError("there are no labels to train on", where=dataset.name)
        if settings.patience is None:
            return cls(training, test)
        count = round(len(training) * settings.held_out)
        if not 0 < count < len(training):
            raise DataError("there are too few images to hold some out", where=training.name, found=str(len(training)))
        held_out, rest = training.split(count, settings.seed)
        return cls(rest, test, held_out)


def finetune_network(
    network: SpikingNetwork,
    settings: FinetuneSettings,
    data: Data,
    *,
    device: torch.device,
    teacher: nn.Module | None = None,
    checkpoints: CheckpointFile | None = None,
    resume: bool = False,
    threads: int | None = None,
    processes: Processes | None = None,
    advance: Callable[[int], None] | None = None,
    report: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Trains a spiking network in place, by stochastic gradient descent with a cosine schedule.

    On a CPU the weights depend on nothing but the network as it is given, the settings, the data, the number of
    processes and threads and the version of torch; a run that was interrupted and resumed gives bit for bit the weights
    of one that was not. torch's global random state is left as it was.

    Args:
        network: It is left in evaluation mode on the CPU, as it was behind the last epoch that went well, or behind the
            best one on the held-out images.
        settings: What the run depends on; checked here.
        data: The images.
        device: Where to train.
        teacher: Gives the logits that are distilled.
        checkpoints: Where to keep the state behind each epoch; None: nowhere.
        resume: Go on from the state in ``checkpoints``.
        threads: CPU threads that torch may use meanwhile; None leaves its setting.
        processes: Connected processes that train together, each on its share of every batch; all call this with the
            same arguments, and all end with the same weights. Only the first one writes and reports.
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
    before = state_before(checkpoints, resume, settings)
    together = Together(processes or Processes())
    with threads_set_to(threads), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        run = _Run(network, settings, data, device, teacher, together)
        if before is not None:
            run.restore(before)
        try:
            while not run.is_done:
                try:
                    run.epoch(advance)
                except DataError as error:
                    run.go_back()
                    raise _with_last_state(error, len(run.history), checkpoints) from error
                if together.processes.is_first:
                    if checkpoints is not None:
                        checkpoints.save(run.checkpoint())
                    if report is not None:
                        report(run.history[-1])
        finally:
            run.finish()
            set_format(network.eval().to("cpu"), torch.contiguous_format)
    return run.history


class _Run:
    """A network and all that changes with it while it is trained."""

    def __init__(
        self,
        network: SpikingNetwork,
        settings: FinetuneSettings,
        data: Data,
        device: torch.device,
        teacher: nn.Module | None,
        together: Together,
    ) -> None:
        self._network = network
        self._settings = settings
        augmentation = Augmentation(settings.augment)
        self._shown = DatasetBatches(data.training, settings.mean, settings.std, augmentation)
        self._test = DatasetBatches(data.test, settings.mean, settings.std)
        held_out = data.held_out
        self._held_out = None if held_out is None else DatasetBatches(held_out, settings.mean, settings.std)
        own = math.ceil(min(settings.batch_size, len(data.training)) / together.processes.count)
        # Numbers may be of half the size.
        check_batch(network, self._test.draw(torch.arange(1))[0], own * settings.timesteps / 2, device)
        # Convolutions are faster with the channels last, and neurons with a threshold for each channel too.
        memory_format = torch.channels_last if data.training.images.ndim == 4 else torch.contiguous_format
        set_format(network.to(device), memory_format)
        if teacher is not None:
            set_format(teacher.to(device).eval(), memory_format)
        for population in network.populations:
            population.requires_grad_(settings.train_thresholds)
        steps = math.ceil(len(self._shown) / settings.batch_size)
        self._optimizer = torch.optim.SGD(
            _groups(network, settings.weight_decay), lr=settings.learning_rate, momentum=settings.momentum
        )
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimizer, T_max=steps * settings.epochs)
        self._quantizer = _quantizer(network, settings, data.training) if settings.quantize else None
        self._trainer = Trainer(
            network,
            settings,
            self._optimizer,
            self._schedule,
            teacher,
            self._quantizer,
            memory_format,
            device,
            together,
        )
        self.history: list[Epoch] = []
        self._last = plain_state(network)
        self._best: dict[str, Any] | None = None

    @property
    def is_done(self) -> bool:
        """Whether all epochs are over, or the last ones brought nothing better."""
        if len(self.history) >= self._settings.epochs:
            return True
        patience = self._settings.patience
        return patience is not None and bool(self.history) and len(self.history) - self._best_epoch >= patience

    @property
    def _best_epoch(self) -> int:
        """Number of the first epoch with the highest accuracy on the held-out images."""
        return max(self.history, key=lambda epoch: (epoch.held_out_accuracy or 0.0, -epoch.epoch)).epoch

    def restore(self, before: Checkpoint) -> None:
        """Go back to the state behind an epoch."""
        self._network.load_state_dict(before.state_dict)
        self._optimizer.load_state_dict(before.optimizer)
        self._schedule.load_state_dict(before.schedule)
        self.history = list(before.epochs)
        self._last, self._best = before.state_dict, before.best

    def checkpoint(self) -> Checkpoint:
        """The state as it is now, behind an epoch."""
        return Checkpoint(
            settings=self._settings.form(),
            epochs=list(self.history),
            state_dict=self._last,
            optimizer=self._optimizer.state_dict(),
            schedule=self._schedule.state_dict(),
            random={},
            best=self._best,
        )

    def epoch(self, advance: Callable[[int], None] | None) -> None:
        """Train for the next epoch, then test."""
        start = time.perf_counter()
        number = len(self.history) + 1
        rate = self._optimizer.param_groups[0]["lr"]
        shown = (number - 1) * len(self._shown)
        counted = None if advance is None else lambda seen: advance(shown + seen)
        fit = self._trainer.epoch(self._shown, number, counted)
        held_out = None if self._held_out is None else self._trainer.accuracy(self._held_out, number)
        right = self._trainer.accuracy(self._test, number)
        seconds = time.perf_counter() - start
        self.history.append(Epoch(number, fit.loss, fit.accuracy, right, rate, seconds, held_out))
        self._last = plain_state(self._network)
        if held_out is not None and self._best_epoch == number:
            self._best = self._last

    def go_back(self) -> None:
        """Give the network the weights behind the last epoch that went well."""
        self._network.load_state_dict(self._last)

    def finish(self) -> None:
        """Give the network the weights of the best epoch, where images were held out to find it, rounded or not."""
        if self._best is not None:
            self._network.load_state_dict(self._best)
        if self._quantizer is not None:
            self._quantizer.write()


def _quantizer(network: SpikingNetwork, settings: FinetuneSettings, training: Dataset) -> WeightQuantizer:
    device = next(network.parameters()).device
    input_unit = training.unit / torch.tensor(settings.std, device=device)
    return WeightQuantizer(network, get_target(TARGET), input_unit)


def _groups(network: SpikingNetwork, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters for the optimizer: thresholds and potentials do not decay."""
    neurons = {id(each) for population in network.populations for each in population.parameters()}
    trained = [each for each in network.parameters() if each.requires_grad]
    return [
        {"params": [each for each in trained if id(each) not in neurons], "weight_decay": weight_decay},
        {"params": [each for each in trained if id(each) in neurons], "weight_decay": 0.0},
    ]


def _with_last_state(error: DataError, epochs: int, checkpoints: CheckpointFile | None) -> SnncError:
    """Say where the state behind the last good epoch is."""
    if checkpoints is None or not epochs:
        return error
    return error.advising(f"{error.advice}; {checkpoints.path} still holds the state behind epoch {epochs}")
