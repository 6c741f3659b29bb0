"""Fine-tuning in one call, as a user of the Python interface makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from snnc.api.train import class_count, file_hash
from snnc.common.atomic_write import write_whole
from snnc.common.devices import chosen_device
from snnc.compiler.parallel import Processes
from snnc.finetuning.classifier import SpikingClassifier, Together
from snnc.finetuning.settings import FinetuneSettings, held_out_share
from snnc.finetuning.start import distilled_ann, spiking_network
from snnc.inputs.data import Data as Source
from snnc.inputs.data import as_module, calibration_data, evaluation_data
from snnc.models.data import Dataset, load_data
from snnc.models.spiking import SpikingNetwork
from snnc.models.training import CheckpointFile, Data, Epoch
from snnc.models.training.session import best_of, run_epochs

__all__ = ["FineTuning", "finetune", "finetune_network"]


@dataclass(frozen=True, eq=False)
class FineTuning:
    """What came of a fine-tuning run.

    Attributes:
        network: The spiking network, a torch module in evaluation mode: (samples, *input shape) in, (samples, classes)
            out, the readout's mean over T steps. :func:`snnc.compile` takes it with ``threshold="learned"``.
        epochs: What was measured, for each epoch; those of a run that was resumed too.
        settings: What the run depended on.
    """

    network: SpikingNetwork
    epochs: tuple[Epoch, ...]
    settings: FinetuneSettings

    @property
    def best(self) -> Epoch:
        """The epoch whose weights the network has: the best on held-out images where there are some, else the last."""
        return best_of(self.epochs)


def finetune_network(
    network: SpikingNetwork,
    settings: FinetuneSettings,
    data: Data,
    *,
    device: torch.device,
    teacher: nn.Module | None = None,
    processes: Processes | None = None,
    checkpoints: CheckpointFile | None = None,
    resume: bool = False,
    threads: int | None = None,
    advance: Callable[[int], None] | None = None,
    report: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train a spiking network in place, by stochastic gradient descent with a cosine schedule.

    Args:
        network: It is left in evaluation mode on the CPU, as it was after the last epoch that went well, or after the
            best one on the held-out images; its weights rounded if the settings say so.
        settings: What the run depends on; checked here.
        data: The images.
        device: As for :func:`snnc.models.training.session.run_epochs`, and so are all others.
        teacher: Gives the logits that are distilled.
        processes: Connected processes that train together, each on its share of every batch.
        checkpoints: Where to keep the state after each epoch; None: nowhere.
        resume: Go on from the state in ``checkpoints``.
        threads: CPU threads that torch may use meanwhile; None leaves its setting.
        advance: Called after each batch with the number of training images shown so far, in all epochs.
        report: Called after each epoch, when its checkpoint has been written; not for epochs of an earlier session.

    Returns:
        What was measured, for each epoch; those of earlier sessions too.

    Raises:
        SnncError: As :func:`snnc.models.training.session.run_epochs`.
    """
    group = Together(processes or Processes())
    classifier = SpikingClassifier(network, settings, input_unit=data.training.unit, teacher=teacher, rank=group.rank)
    return run_epochs(
        classifier,
        settings,
        data,
        device=device,
        group=group,
        # Numbers may be of half the size.
        forward_passes=settings.timesteps / 2,
        patience=settings.patience,
        checkpoints=checkpoints,
        resume=resume,
        threads=threads,
        advance=advance,
        report=report,
    )


def finetune(
    model: nn.Module | str | Path,
    data: Source,
    settings: FinetuneSettings | None = None,
    *,
    test: Source | None = None,
    teacher: nn.Module | str | Path | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    arch: str | None = None,
    trust: bool = False,
    device: str = "auto",
    threads: int | None = None,
    processes: Processes | None = None,
    advance: Callable[[int], None] | None = None,
    report: Callable[[Epoch], None] | None = None,
) -> FineTuning:
    """Trains a network on as a spiking one, for few steps per sample (paper, section 8.2).

    Args:
        model: The trained ANN, or a network that was fine-tuned before, for any T; or its file. It is left as it is.
        data: Training data with labels: a spec, of which the training split is taken, or whatever
            :func:`snnc.compile` takes.
        settings: T, epochs, learning rate and all else that decides the weights; None: the defaults, T = 1 for 50
            epochs. ``mean`` and ``std`` have to be those of the ANN's training. Its ``arch``, ``data`` and ``teacher``
            are filled in here. For a network that was fine-tuned before give ``threshold="keep"``.
        test: Data with labels to test on behind each epoch; None: the spec's test split, else the training data.
        teacher: The ANN whose logits are distilled where ``settings.distill`` is above 0; None: the model itself.
        checkpoint: Where to keep the state behind each epoch, whole or not at all; None: nowhere.
        resume: Go on from ``checkpoint`` where it exists; every setting has to be what it was.
        arch: As for :func:`snnc.compile`.
        trust: As for :func:`snnc.compile`.
        device: Where to train: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:NUMBER``.
        threads: Threads of the CPU; None: as torch chooses.
        processes: Connected processes that share every batch; all get the same weights.
        advance: Told how many images were shown, of all epochs.
        report: Told of each epoch behind it.

    Returns:
        The network and what was measured.

    Raises:
        OptionError: A setting is out of range, or differs from that of the checkpoint.
        DataError: The data have no labels or do not fit, or the loss became infinite or NaN.
        UnsupportedError: The network holds something that cannot be trained.
        SnncError: Anything else that the user can mend.
    """
    chosen = settings or FinetuneSettings()
    module = as_module(model, arch=arch, trust=trust)
    chosen = replace(
        chosen,
        arch=_named(model),
        data=str(data) if isinstance(data, str | Path) else "",
        teacher=None if teacher is None else _named(teacher),
    )
    chosen.check()
    training, tested = _both(data, test)
    class_count(training)
    ann = distilled_ann(module, teacher, chosen.distill, name=str(model), arch=arch, trust=trust)
    images = Data.of(training, tested, held_out=held_out_share(chosen), seed=chosen.seed)
    network = spiking_network(module, calibration_data(images.training, chosen.calibration_samples), chosen)
    state = None if checkpoint is None else CheckpointFile(Path(checkpoint), write_whole, "snnc finetune")
    epochs = finetune_network(
        network,
        chosen,
        images,
        device=chosen_device(device),
        teacher=ann,
        checkpoints=state,
        resume=resume and state is not None and state.path.exists(),
        threads=threads,
        processes=processes,
        advance=advance,
        report=report,
    )
    return FineTuning(network, tuple(epochs), chosen)


def _named(model: nn.Module | str | Path) -> str:
    """What a checkpoint knows a network by: the hash of its file, or its class."""
    return type(model).__name__ if isinstance(model, nn.Module) else file_hash(Path(model))


def _both(data: Source, test: Source | None) -> tuple[Dataset, Dataset]:
    def split(source: Source, name: Literal["train", "test"]) -> Dataset:
        return load_data(str(source), split=name) if isinstance(source, str | Path) else evaluation_data(source)

    return split(data, "train"), split(data if test is None else test, "test")
