"""Fine-tuning from a model and data to a trained spiking network, for Python and for the command line alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Literal

from torch import nn

from snnc.api.train import class_count, file_hash
from snnc.common.atomic_write import write_whole
from snnc.common.devices import chosen_device
from snnc.common.options import taken
from snnc.common.progress import Progress, Told, progress_of
from snnc.common.signatures import called_with
from snnc.compiler.parallel import Processes
from snnc.finetuning.classifier import SpikingClassifier, Together
from snnc.finetuning.options import KEEP, FinetuneOptions
from snnc.finetuning.start import distilled_ann, is_finetuned, spiking_network
from snnc.inputs.data import Data as Source
from snnc.inputs.data import as_module, calibration_data, evaluation_data, with_normalisation
from snnc.models.data import Dataset, load_data
from snnc.models.spiking import SpikingNetwork
from snnc.models.training.checkpoint import CheckpointFile
from snnc.models.training.engine import Epoch
from snnc.models.training.options import SessionOptions, settled
from snnc.models.training.session import Data, Run, best_of

__all__ = ["FineTuning", "FinetuneRun", "finetune", "prepare"]


@dataclass(frozen=True, eq=False)
class FineTuning:
    """What came of a fine-tuning run.

    Attributes:
        network: The spiking network, a torch module in evaluation mode: (samples, *input shape) in, (samples, classes)
            out, the readout's mean over T steps. :func:`snnc.compile` takes it with ``threshold="learned"``.
        epochs: What was measured, for each epoch; those of a run that was resumed too.
        settings: What the run depended on, with what was usual where nothing was chosen.
    """

    network: SpikingNetwork
    epochs: tuple[Epoch, ...]
    settings: FinetuneOptions

    @property
    def best(self) -> Epoch:
        """The epoch whose weights the network has: the best on held-out images where there are some, else the last."""
        return best_of(self.epochs)


@dataclass(frozen=True, eq=False)
class FinetuneRun(Run):
    """A fine-tuning run that is about to begin, or to go on: that of a spiking network."""

    classifier: SpikingClassifier
    options: FinetuneOptions

    @property
    def network(self) -> SpikingNetwork:
        """The network that is trained."""
        return self.classifier.network

    @classmethod
    def of(
        cls,
        network: SpikingNetwork,
        options: FinetuneOptions,
        data: Data,
        *,
        teacher: nn.Module | None = None,
        processes: Processes | None = None,
        origin: dict[str, object] | None = None,
    ) -> FinetuneRun:
        """Return the run of a spiking network.

        Args:
            network: The network, trained in place.
            options: What the result depends on.
            data: The images.
            teacher: Gives the logits that are distilled.
            processes: Connected processes that train together, each on its share of every batch.
            origin: As for a :class:`Run`.
        """
        group = Together(processes or Processes())
        unit = data.training.unit
        return cls(
            SpikingClassifier(network, options, input_unit=unit, teacher=teacher, rank=group.rank),
            options,
            data,
            origin or {},
            group,
            # Numbers may be of half the size.
            forward_passes=options.timesteps / 2,
            patience=options.patience,
        )


def prepare(
    model: nn.Module | str | Path,
    data: Source,
    options: FinetuneOptions,
    *,
    test: Source | None = None,
    teacher: nn.Module | str | Path | None = None,
    arch: str | None = None,
    trust: bool = False,
    processes: Processes | None = None,
    progress: Progress | Told | None = None,
) -> FinetuneRun:
    """Read model and data, and make the spiking network that is to be trained.

    Args:
        model: As for :func:`finetune`, and so are all others.
        data: Training data with labels.
        options: All that decides the weights.
        test: Data with labels to test on after each epoch.
        teacher: The ANN whose logits are distilled.
        arch: What makes the network.
        trust: Whether files may run code.
        processes: Connected processes that share every batch.
        progress: Told of what is read and looked at.

    Returns:
        The run, whose options have what is usual where nothing was chosen.

    Raises:
        SnncError: As :func:`finetune`.
    """
    told = progress_of(progress)
    told.begin("reading the model and the data")
    module = as_module(model, arch=arch, trust=trust)
    training, tested = _split(data, "train"), _split(data if test is None else test, "test")
    spec = str(data) if isinstance(data, str | Path) else ""
    if options.threshold is None and is_finetuned(module):
        options = replace(options, threshold=KEEP)
    options, _ = with_normalisation(options, module)
    chosen = settled(options, spec, class_count(training))
    ann = distilled_ann(module, teacher, chosen.distill, name=str(model), arch=arch, trust=trust)
    origin: dict[str, object] = {
        "arch": _named(model),
        "data": spec,
        "weights": None,
        "teacher": None if teacher is None else _named(teacher),
    }
    chosen.check()
    images = Data.of(training, tested, held_out=chosen.held_out_share, seed=chosen.seed)
    told.begin("choosing thresholds", chosen.calibration_samples)
    calibration = calibration_data(images.training, chosen.calibration_samples)
    network = spiking_network(module, calibration, chosen, told)
    return FinetuneRun.of(network, chosen, images, teacher=ann, processes=processes, origin=origin)


@dataclass(frozen=True)
class _FinetuneCall(FinetuneOptions, SessionOptions):
    model: nn.Module | str | Path
    data: Source
    options: FinetuneOptions | None = field(default=None, metadata={"old": ("settings",)})
    _: KW_ONLY
    test: Source | None = None
    teacher: nn.Module | str | Path | None = None
    checkpoint: str | Path | None = None
    arch: str | None = None
    trust: bool = False
    processes: Processes | None = None
    progress: Progress | Told | None = None
    report: Callable[[Epoch], None] | None = None


@called_with(_FinetuneCall)
def finetune(call: _FinetuneCall) -> FineTuning:
    """Train a network on as a spiking one, for few steps per sample (paper, section 8.2).

    Args:
        model: The trained ANN, or a network that was fine-tuned before, for any T; or its file. It is left as it is.
        data: Training data with labels: a spec, of which the training split is taken, or whatever
            :func:`snnc.compile` takes.
        options: T, epochs, learning rate and all else that decides the weights, at once; those that are given singly
            count more. ``mean`` and ``std`` have to be those of the ANN's training.
        test: Data with labels to test on after each epoch; None: the spec's test split, else the training data.
        teacher: The ANN whose logits are distilled where ``distill`` is above 0; None: the model itself.
        checkpoint: Where to keep the state after each epoch, whole or not at all; None: nowhere.
        arch: As for :func:`snnc.compile`.
        trust: As for :func:`snnc.compile`.
        processes: Connected processes that share every batch; all get the same weights.
        progress: Told of what is read, looked at and trained on, as for :func:`snnc.compile`.
        report: Told of each epoch after it.

    Returns:
        The network and what was measured.

    Raises:
        OptionError: An option is out of range, or differs from that of the checkpoint.
        DataError: The data have no labels or do not fit, or the loss became infinite or NaN.
        UnsupportedError: The network holds something that cannot be trained.
        SnncError: Anything else that the user can mend.
    """
    call.check_threads()
    device = chosen_device(call.device)
    told = progress_of(call.progress)
    run = prepare(
        call.model,
        call.data,
        taken(FinetuneOptions, call),
        test=call.test,
        teacher=call.teacher,
        arch=call.arch,
        trust=call.trust,
        processes=call.processes,
        progress=told,
    )
    state = None if call.checkpoint is None else CheckpointFile(Path(call.checkpoint), write_whole, "snnc finetune")
    epochs = run.train(
        device=device,
        checkpoints=state,
        resume=call.resume and state is not None and state.path.exists(),
        threads=call.threads,
        progress=told,
        report=call.report,
    )
    return FineTuning(run.network, tuple(epochs), run.options)


def _named(model: nn.Module | str | Path) -> str:
    """Return what a checkpoint knows a network by: the hash of its file, or its class."""
    return type(model).__name__ if isinstance(model, nn.Module) else file_hash(Path(model))


def _split(source: Source, name: Literal["train", "test"]) -> Dataset:
    return load_data(str(source), split=name) if isinstance(source, str | Path) else evaluation_data(source)
