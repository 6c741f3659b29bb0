"""Looking at networks and programs: thresholds beside activations, cores, energy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import nn

from snnc.analysis.thresholds import LayerThresholds, measure
from snnc.api.neurons import spiking
from snnc.compiler.ir.passes import Progress
from snnc.compiler.pipeline import Options
from snnc.inputs.data import Data, as_module, as_numbers, as_program, calibration_data
from snnc.program import CompiledNetwork, placement
from snnc.program.placement import Placement
from snnc.program.targets import get_target
from snnc.runtime import energy
from snnc.runtime.energy import EnergyEstimate
from snnc.runtime.result import RunResult

THRESHOLD_SAMPLES = 512


def model_thresholds(
    model: nn.Module | str | Path,
    calibration: Data,
    *,
    timesteps: int = 8,
    threshold: str = "auto",
    per_channel: bool = True,
    objective: int = 1,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
    calibration_samples: int = THRESHOLD_SAMPLES,
    arch: str | None = None,
    trust: bool = False,
    progress: Progress | None = None,
    advance: Callable[[int], None] | None = None,
) -> tuple[LayerThresholds, ...]:
    """Shows the thresholds that :func:`snnc.compile` would choose, beside the activations that they stand for.

    Args:
        model: The network, or its file.
        calibration: As for :func:`snnc.compile`.
        timesteps: T, 1..1024.
        threshold: How thresholds are chosen, as for :func:`snnc.compile`.
        per_channel: A threshold for each channel instead of one for each layer.
        objective: m, 1 or 2, as for :func:`snnc.compile`.
        mean: What was subtracted from the data in training, one number or one for each channel.
        std: What they were divided by after that.
        calibration_samples: How many samples to look at.
        arch: As for :func:`snnc.compile`.
        trust: As for :func:`snnc.compile`.
        progress: Told of each pass as it begins: its title, its place and the number of passes.
        advance: Told how many samples were looked at, of twice their number: once to choose, once to judge.

    Returns:
        One for each layer that fires, in network order.

    Raises:
        SnncError: Anything that the user can mend.
    """
    options = Options(
        timesteps=timesteps,
        threshold=threshold,
        per_channel=per_channel,
        objective=objective,
        mean=as_numbers(mean, "mean"),
        std=as_numbers(std, "std"),
    )
    options.check()
    network = as_module(model, arch=arch, trust=trust)
    dataset = calibration_data(calibration, calibration_samples)
    return measure.model_thresholds(network, dataset, options, progress=progress, advance=advance)


def program_thresholds(
    program: CompiledNetwork | str | Path,
    model: nn.Module | str | Path,
    calibration: Data,
    *,
    calibration_samples: int = THRESHOLD_SAMPLES,
    arch: str | None = None,
    trust: bool = False,
    advance: Callable[[int], None] | None = None,
) -> tuple[LayerThresholds, ...]:
    """Shows a compiled network's thresholds beside the activations of the model that it was compiled from.

    Args:
        program: The program, or its .net file; T, normalisation and thresholds are its own.
        model: The network that it was compiled from, or its file: a program holds no activations.
        calibration: As for :func:`snnc.compile`.
        calibration_samples: How many samples to look at.
        arch: As for :func:`snnc.compile`.
        trust: As for :func:`snnc.compile`.
        advance: Told how many samples were looked at.

    Returns:
        One for each layer that fires, in network order.

    Raises:
        OptionError: The program is of sigma-delta neurons, which have no thresholds.
        ModelError: The model has other layers than the program.
        SnncError: Anything else that the user can mend.
    """
    spikes = spiking(program, "snnc thresholds", "sigma-delta neurons have none; see snnc inspect")
    network = as_module(model, arch=arch, trust=trust)
    dataset = calibration_data(calibration, calibration_samples)
    return measure.program_thresholds(spikes, network, dataset, advance=advance)


def place(program: CompiledNetwork | str | Path, target: str | None = None) -> Placement:
    """Cuts the layers of a program into pieces that a core of the chip holds.

    The limits of each chip and their sources are in docs/chip-fit.md, the rule in
    :func:`snnc.program.placement.place`.

    Args:
        program: The program, or its .net file.
        target: The chip: ``loihi1`` or ``loihi2``; None: what the program was made for.

    Returns:
        Cores and chips; what fits no core is among ``placement.errors()`` and is not raised.

    Raises:
        FormatError: The file cannot be read.
        TargetError: There is no such chip.
    """
    network = as_program(program)
    return placement.place(network, get_target(target or network.target))


def estimate_energy(
    program: CompiledNetwork | str | Path, result: RunResult | None = None
) -> tuple[EnergyEstimate, ...]:
    """Estimates the energy for one sample, of the spiking network and of the ANN, by each published model.

    An estimate is operations times published joules, never a measurement. What counts as an operation is said in
    ``snnc/runtime/energy/operations.py``.

    Args:
        program: The program, or its .net file.
        result: What a run of it gave, from any backend; None: only the ANN is estimated.

    Returns:
        One for each model, in joules for one sample: ``qiao2015`` (the paper's section 9) and ``loihi1`` (Davies et
        al. 2018, table 2).

    Raises:
        FormatError: The file cannot be read.
    """
    network = as_program(program)
    counts = None if result is None else energy.count_operations(network, result)
    return energy.estimate_energy(network, counts)
