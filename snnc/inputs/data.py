"""Whatever a user hands in as model or data, turned into what the compiler and the backends take."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, Subset
from torch.utils.data import Dataset as TorchDataset

from snnc.common.arrays import per_channel
from snnc.common.errors import ContradictionWarning, DataError, OptionError
from snnc.common.file_kinds import is_compiled
from snnc.common.memory import check_memory
from snnc.compiler.frontend import refusal
from snnc.compiler.frontend.files.load import load_model
from snnc.inputs.architectures import architecture
from snnc.models.data import Dataset, as_dataset, check_dataset, load_data
from snnc.models.data.dataset import kept_normalisation, shuffled
from snnc.program import CompiledNetwork, Program
from snnc.program.net import load as load_program
from snnc.program.network import only
from snnc.program.nir import is_nir, load_nir
from snnc.program.verdict import normalisation_options

# What the functions of the API take as data.
Data = Dataset | str | Path | NDArray[Any] | torch.Tensor | tuple[Any, Any] | TorchDataset[Any] | DataLoader[Any]

CALIBRATION_SEED = 0
# Samples that a compilation is judged on, beside those that it is fitted on; of few, what share of them, and how many
# that are to be at least.
JUDGING_SAMPLES, JUDGING_SHARE, JUDGING_SAMPLES_LEAST = 128, 8, 2
# Another one, so that of data without splits other samples are drawn than were calibrated on, as far as there are any.
REPORT_SEED = 1
# Values that are turned into float64 at once.
_VALUES_AT_ONCE = 1 << 24


@dataclass(frozen=True, eq=False)
class Levels:
    """Input levels of a data set.

    Attributes:
        values: (samples, *input shape), 0..255.
        clipped: Share of values that lay outside what the calibration data spanned and were clipped to it, 0..1.
    """

    values: NDArray[np.uint8]
    clipped: float


def evaluation_data(data: Data, samples: int | None = None) -> Dataset:
    """Return data to run a network on: the test split where the source has one.

    Args:
        data: A data set, a spec such as ``digits``, an array or tensor (uint8 stands for 1/255 a step, floats for
            themselves), a tuple of images and labels, a torch Dataset or a DataLoader.
        samples: Take the first so many; None: all.

    Raises:
        DataError: It holds no usable data.
        OptionError: ``samples`` is less than 1.
    """
    _check_samples(samples, "samples (--samples)")
    dataset = _dataset(data, "test", samples, shuffle=False)
    return dataset if samples is None else dataset.take(samples)


def calibration_data(data: Data, samples: int, unit: float | None = None) -> Dataset:
    """Return data to calibrate on: of the training split where the source has one, in equal numbers for each class.

    Args:
        data: As for :func:`evaluation_data`.
        samples: How many to draw, always the same ones; of few, all but those that :func:`calibration_split` keeps.
        unit: As for :func:`calibration_split`.

    Raises:
        DataError: It holds no usable data.
        OptionError: ``samples`` is less than 1.
    """
    whole, fitted, _ = _shared_out(data, samples, unit)
    return whole.subset(fitted, CALIBRATION_SEED)


def calibration_split(data: Data, samples: int, unit: float | None = None) -> tuple[Dataset, Dataset]:
    """Return data to calibrate on, as :func:`calibration_data` does, and others to judge the result on.

    Args:
        data: As for :func:`evaluation_data`.
        samples: How many to calibrate on, always the same ones. Where there are too few for both, an eighth of them
            judges; of less than 16, all calibrate and judge.
        unit: What one step of 8-bit data is worth that say nothing of it; None: 1/255.

    Raises:
        DataError: It holds no usable data.
        OptionError: ``samples`` is less than 1.
    """
    whole, fitted, judging = _shared_out(data, samples, unit)
    if not judging:
        everything = whole.subset(fitted, CALIBRATION_SEED)
        return everything, everything
    return whole.two_subsets(fitted, judging, CALIBRATION_SEED)


def _shared_out(data: Data, samples: int, unit: float | None) -> tuple[Dataset, int, int]:
    """Return data, how many samples of it to calibrate on, and how many others judge: none where there are too few."""
    _check_samples(samples, "calibration samples (--calib-samples)")
    whole = _dataset(data, "train", samples + JUDGING_SAMPLES, shuffle=True)
    if unit is not None:
        whole = whole.in_unit(unit)
    judging = min(JUDGING_SAMPLES, max(len(whole) - samples, len(whole) // JUDGING_SHARE))
    if judging < JUDGING_SAMPLES_LEAST:
        return whole, min(samples, len(whole)), 0
    return whole, min(samples, len(whole) - judging), judging


@contextlib.contextmanager
def network_first(network: nn.Module) -> Iterator[None]:
    """Where data are refused in a block, and the network is too whatever its data are, say what the network lacks.

    Signals for a network of Conv1d are such data: nothing about them is wrong.

    Args:
        network: What the data are for.

    Raises:
        UnsupportedError: The network is refused, and so are the data.
        DataError: The data are.
    """
    try:
        yield
    except DataError:
        reason = refusal(network)
        if reason is not None:
            raise reason from None
        raise


def report_data(data: Data, samples: int) -> Dataset:
    """Return data to report on: of the test split where the source has one, in equal numbers for each class.

    Args:
        data: As for :func:`evaluation_data`.
        samples: How many to draw, always the same ones; all where there are fewer.

    Raises:
        DataError: It holds no usable data.
        OptionError: ``samples`` is less than 1.
    """
    _check_samples(samples, "samples to report on (--report-samples)")
    return _dataset(data, "test", samples, shuffle=True).subset(samples, REPORT_SEED)


def as_module(model: nn.Module | str | Path, *, arch: str | None = None, trust: bool = False) -> nn.Module:
    """Return a network, read from its file where it is not one already.

    See :func:`snnc.compiler.frontend.files.load.load_model`. ``arch`` may also be the name of one of our networks, such
    as ``resnet20:100``; see :mod:`snnc.inputs.architectures`.

    Raises:
        SnncError: The file cannot be read, does not fit ``arch``, or needs ``trust``.
    """
    if isinstance(model, nn.Module):
        return model
    return load_model(model, arch=None if arch is None else architecture(arch).build, trust=trust)


def as_program(program: CompiledNetwork | str | Path) -> CompiledNetwork:
    """Return a program, read from its .net file, or a NIR graph that was exported, where it is not one already.

    Raises:
        FormatError: The file cannot be read.
    """
    if not isinstance(program, str | Path):
        return program
    return load_nir(program) if is_nir(program) else load_program(program)


def model_and_program(
    first: nn.Module | CompiledNetwork | str | Path, second: nn.Module | CompiledNetwork | str | Path
) -> tuple[nn.Module | str | Path, CompiledNetwork | str | Path]:
    """Return a model and the program that was compiled from it, in this order.

    Args:
        first: The model, or the program where the two can be told apart.
        second: The other.
    """
    turned = isinstance(second, nn.Module) or not isinstance(first, nn.Module | str | Path)
    if isinstance(first, str | Path) and isinstance(second, str | Path):
        turned = is_compiled(first) and not is_compiled(second)
    model, program = (second, first) if turned else (first, second)
    if isinstance(program, nn.Module) or not isinstance(model, nn.Module | str | Path):
        raise OptionError("are two of a kind", where="model and program", expected="a model and a compiled network")
    return model, program


def raw_values(dataset: Dataset) -> NDArray[np.floating[Any]]:
    """Return images in the units of mean and standard deviation: float32, or float64 for integer images."""
    images: NDArray[Any] = np.asarray(dataset.images)
    if images.dtype == np.uint8:
        return np.asarray(images * np.float64(dataset.unit))
    return np.asarray(images * np.float32(dataset.unit)) if dataset.unit != 1 else images


def chunks(dataset: Dataset, size: int | None = None) -> Iterator[Dataset]:
    """Yield a data set in pieces.

    Args:
        dataset: The data set.
        size: Samples in each; None: as many as fit comfortably into memory as floats.
    """
    per_sample = max(1, dataset.images[0].size)
    size = size or max(1, _VALUES_AT_ONCE // per_sample)
    for start in range(0, len(dataset), size):
        yield dataset.part(slice(start, start + size))


def input_levels(program: CompiledNetwork, dataset: Dataset) -> Levels:
    """Return what the network receives for each sample.

    Raises:
        DataError: The shape of a sample does not fit the network.
    """
    coding = program.coding
    dataset = in_unit_of(program, dataset)
    if dataset.images.shape[1:] != coding.shape:
        raise DataError(
            "the data do not fit the network",
            where=dataset.name,
            expected=f"samples of shape {coding.shape}",
            found=str(tuple(dataset.images.shape[1:])),
        )
    # Pieces of them are joined.
    check_memory(2 * dataset.images.size, f"{len(dataset):,} samples of {dataset.name}", "take fewer with --samples")
    # Half a step beyond the ends still rounds to a level.
    lowest = per_channel(coding.offset - coding.unit / 2, len(coding.shape))
    highest = per_channel(coding.offset + coding.unit * (coding.highest + 0.5), len(coding.shape))
    values, clipped = [], 0
    for chunk in chunks(dataset):
        raw = raw_values(chunk)
        values.append(coding.levels(raw))
        clipped += int(((raw < lowest) | (raw > highest)).sum())
    return Levels(np.concatenate(values), clipped / dataset.images.size)


Normalised = TypeVar("Normalised")


def with_normalisation(options: Normalised, model: nn.Module) -> tuple[Normalised, tuple[str, ...]]:
    """Return options with the mean and standard deviation that a model was trained with, where none are given.

    Args:
        options: Any that have ``mean`` and ``std``.
        model: The network; those that ``snnc train`` and ``snnc finetune`` wrote keep theirs.

    Returns:
        The options, and what the user should know: a note that those of the model are used.

    Warns:
        ContradictionWarning: Others are given than the model was trained with.
    """
    plain: Any = options
    kept = kept_normalisation(model)
    if kept is None:
        return options, ()
    asked = normalisation_options(kept.mean, kept.std)
    if plain.mean is None and plain.std is None:
        changed: Any = replace(plain, mean=kept.mean, std=kept.std)
        return changed, (f"{asked}, which the model was trained with and keeps",)
    if (_spread(plain.means, kept.mean), _spread(plain.stds, kept.std)) != (kept.mean, kept.std):
        own = normalisation_options(plain.means, plain.stds)
        warnings.warn(
            f"{own} contradicts the model, which was trained with {asked}", ContradictionWarning, stacklevel=2
        )
    return options, ()


def _spread(values: tuple[float, ...], like: tuple[float, ...]) -> tuple[float, ...]:
    """Return one number as several, where there are several of the other."""
    return values * len(like) if len(values) == 1 else values


def unit_of(program: CompiledNetwork) -> float | None:
    """Return what a step of 8-bit data is worth that say nothing of it; None: as usual."""
    unit = program.provenance.options.get("unit")
    return float(unit) if isinstance(unit, int | float) else None


def in_unit_of(program: CompiledNetwork, dataset: Dataset) -> Dataset:
    """Return data in the unit that a network was compiled with, where they say nothing of their own."""
    unit = unit_of(program)
    return dataset if unit is None else dataset.in_unit(unit)


def _check_samples(samples: int | None, name: str) -> None:
    if samples is not None and samples < 1:
        raise OptionError("is too small", where=name, expected="at least 1", found=str(samples))


def _dataset(data: Data, split: Literal["train", "test"], samples: int | None, *, shuffle: bool) -> Dataset:
    if isinstance(data, str | Path):
        return load_data(str(data), split=split)
    if isinstance(data, Dataset):
        check_dataset(data)
        return data
    if isinstance(data, DataLoader):
        return _from_loader(data, samples)
    if isinstance(data, TorchDataset) and samples is not None and hasattr(data, "__len__"):
        # Reading all of a large data set for a few hundred samples would take hours.
        order = shuffled(len(data), CALIBRATION_SEED) if shuffle else range(len(data))
        return as_dataset(Subset(data, [int(index) for index in order[:samples]]), "data")
    return as_dataset(data, "data")


def _from_loader(loader: DataLoader[Any], samples: int | None) -> Dataset:
    """Return the first batches of a loader, as many as are needed; it may shuffle as it likes."""
    images: list[Any] = []
    labels: list[Any] = []
    for batch in loader:
        pair = isinstance(batch, list | tuple)
        if pair and len(batch) != 2:
            raise DataError(
                "a batch has the wrong form", where="data", expected="(images, labels)", found=f"{len(batch)} items"
            )
        images.append(batch[0] if pair else batch)
        if pair:
            labels.append(batch[1])
        if samples is not None and sum(map(len, images)) >= samples:
            break
    if not images:
        raise DataError("there are no images", where="data", found="a DataLoader without batches")
    joined = torch.cat([torch.as_tensor(each) for each in images])
    answers = torch.cat([torch.as_tensor(each) for each in labels]) if labels else None
    return as_dataset((joined, answers) if answers is not None else joined, "data")


def spiking(program: CompiledNetwork | str | Path, command: str, advice: str) -> Program:
    """Return a program that spikes, for what looks at spikes.

    Args:
        program: The program, or its file.
        command: What it is for.
        advice: What to do with another.

    Raises:
        FormatError: The file cannot be read.
        OptionError: It is of sigma-delta neurons.
    """
    where = str(program) if isinstance(program, str | Path) else "program"
    return only(Program, as_program(program), command, where=where, advice=advice)
