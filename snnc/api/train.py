"""The training of an ANN, from the name of a network and data to a run: what ``snnc train`` does."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from snnc.common.errors import DataError, ModelError, OptionError
from snnc.common.progress import Progress, Told, progress_of
from snnc.compiler.frontend.files.load import read_state
from snnc.compiler.frontend.files.state import load_state
from snnc.inputs.architectures import Architecture, Factory, architecture
from snnc.models.data import Dataset, load_data
from snnc.models.parts import ACTIVATIONS
from snnc.models.training.engine import Classifier
from snnc.models.training.options import TrainOptions, settled
from snnc.models.training.session import Data, Run

__all__ = ["chosen_architecture", "class_count", "file_hash", "prepare", "start_from"]


def prepare(
    arch: str,
    data: str,
    options: TrainOptions,
    *,
    activation: str | None = None,
    weights: Path | None = None,
    trust: bool = False,
    progress: Progress | Told | None = None,
) -> Run:
    """Read the data and make the network that is to be trained.

    Args:
        arch: A name of ours or ``module:factory``, as :func:`snnc.inputs.architectures.architecture` takes it.
        data: The spec of the data, of which both splits are taken.
        options: All else that decides the weights.
        activation: ``relu``, ``clipped`` or ``qcfs``; None: as ``arch`` says.
        weights: A file with the weights to start from; None: they are drawn.
        trust: Whether this file may run code.
        progress: Told of what is read.

    Returns:
        The run, whose options have what is usual where nothing was chosen.

    Raises:
        SnncError: Anything that the user can mend.
    """
    progress_of(progress).begin("reading the data")
    training, test = load_data(data, split="train"), load_data(data, split="test")
    classes = class_count(training)
    chosen = chosen_architecture(arch, activation, classes)
    settings = settled(options, data, classes)
    origin = {"arch": str(chosen), "data": data, "weights": None if weights is None else file_hash(weights)}
    settings.check()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = chosen.build()
    if weights is not None:
        start_from(network, weights, trust=trust)
    return Run(Classifier(network, settings.label_smoothing), settings, Data.of(training, test), origin)


def class_count(dataset: Dataset) -> int:
    """Return the number of classes of a data set: of their names where they are known, else of the labels.

    Raises:
        DataError: There are no labels.
    """
    if dataset.labels is None:
        raise DataError("there are no labels to train on", where=dataset.name)
    return len(dataset.classes) if dataset.classes is not None else int(dataset.labels.max()) + 1


def chosen_architecture(text: str, activation: str | None, num_classes: int) -> Architecture | Factory:
    """Return the network to train, with all that was chosen about it.

    Args:
        text: A name of ours or ``module:factory``, as :func:`snnc.inputs.architectures.architecture` takes it.
        activation: ``relu``, ``clipped`` or ``qcfs``; None: as the text says.
        num_classes: Number of outputs, unless the text says one.

    Raises:
        OptionError: There is no such network or activation, the text says another activation, or the network is not
            one of ours and so has no choice of activations.
    """
    found = architecture(text, "ARCH")
    if activation is None:
        return found if isinstance(found, Factory) else _sized(found, num_classes)
    if activation not in ACTIVATIONS:
        raise OptionError(
            "there is no such activation", where="--activation", expected=", ".join(ACTIVATIONS), found=repr(activation)
        )
    if isinstance(found, Factory):
        raise OptionError("is only for snnc's own networks", where="--activation", found=f"the network {text}")
    if found.activation not in (None, activation):
        raise OptionError("contradicts the network", where="--activation", expected=found.activation, found=activation)
    # relu is the default of every network: left out, so that both ways to say it are the same settings.
    return _sized(replace(found, activation=None if activation == "relu" else activation), num_classes)


def _sized(found: Architecture, num_classes: int) -> Architecture:
    return found if found.num_classes is not None else replace(found, num_classes=num_classes)


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits.

    Raises:
        ModelError: The file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        raise ModelError("cannot be read", where=str(path), found=found) from error
    return digest.hexdigest()


def start_from(network: nn.Module, weights: Path, *, trust: bool) -> None:
    """Put the weights of a file into a network.

    Thresholds of activations that the file lacks, since it was trained with ReLU, stay as they are.

    Args:
        network: The network, changed in place.
        weights: The file: a state_dict, or a whole network.
        trust: As for :func:`snnc.compiler.frontend.files.load.load_model`.

    Raises:
        ModelError: The file cannot be read, or its weights do not fit.
    """
    state = dict(read_state(weights, trust=trust))
    for name, value in network.state_dict().items():
        if name.endswith(".threshold") and name not in state:
            state[name] = value
    load_state(network, state, str(weights))
