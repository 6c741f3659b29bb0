"""Looking at networks and programs: thresholds beside activations, cores, energy."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from torch import nn

from snnc.analysis.thresholds import LayerThresholds, measure
from snnc.common.options import options_of, taken
from snnc.common.progress import Progress, Told, progress_of
from snnc.common.signatures import called_with
from snnc.compiler.options import ActivationOptions, CompileOptions, ThresholdOptions
from snnc.inputs.data import (
    Data,
    as_module,
    as_program,
    calibration_data,
    in_unit_of,
    model_and_program,
    network_first,
    spiking,
    with_normalisation,
)
from snnc.program import CompiledNetwork, placement
from snnc.program.placement import Placement
from snnc.program.targets import get_target
from snnc.runtime import energy
from snnc.runtime.energy import EnergyEstimate
from snnc.runtime.result import RunResult


@dataclass(frozen=True)
class _ModelThresholdsCall(ThresholdOptions):
    model: nn.Module | str | Path
    calibration: Data
    _: KW_ONLY
    options: ThresholdOptions | None = None
    progress: Progress | Told | None = None


@called_with(_ModelThresholdsCall)
def model_thresholds(call: _ModelThresholdsCall) -> tuple[LayerThresholds, ...]:
    """Show the thresholds that :func:`snnc.compile` would choose, beside the activations that they stand for.

    Args:
        model: The network, or its file.
        calibration: As for :func:`snnc.compile`.
        options: All options at once; those that are given singly count more.
        progress: Told how many samples were looked at, of twice their number: once to choose, once to judge.

    Returns:
        One for each layer that fires, in network order.

    Raises:
        SnncError: Anything that the user can mend.
    """
    chosen = taken(ThresholdOptions, call)
    options = CompileOptions(**{each.name: getattr(chosen, each.name) for each in options_of(ThresholdOptions)})
    options.check()
    network = as_module(call.model, arch=options.arch, trust=options.trust)
    options, _ = with_normalisation(options, network)
    with network_first(network):
        dataset = calibration_data(call.calibration, options.calibration_samples, options.unit)
    told = progress_of(call.progress)
    told.begin("choosing thresholds", 2 * len(dataset))
    return measure.model_thresholds(network, dataset, options, progress=told)


@dataclass(frozen=True)
class _ProgramThresholdsCall(ActivationOptions):
    model: nn.Module | str | Path
    program: CompiledNetwork | str | Path
    calibration: Data
    _: KW_ONLY
    options: ActivationOptions | None = None
    progress: Progress | Told | None = None


@called_with(_ProgramThresholdsCall)
def program_thresholds(call: _ProgramThresholdsCall) -> tuple[LayerThresholds, ...]:
    """Show a compiled network's thresholds beside the activations of the model that it was compiled from.

    Args:
        model: The network that the program was compiled from, or its file: a program holds no activations. Model and
            program may come in the other order, as for :func:`snnc.validate`.
        program: The program, or its .net file; T, normalisation and thresholds are its own.
        calibration: As for :func:`snnc.compile`.
        options: All options at once; those that are given singly count more.
        progress: Told how many samples were looked at.

    Returns:
        One for each layer that fires, in network order.

    Raises:
        OptionError: The program is of sigma-delta neurons, which have no thresholds.
        ModelError: The model has other layers than the program.
        SnncError: Anything else that the user can mend.
    """
    model, program = model_and_program(call.model, call.program)
    spikes = spiking(program, "snnc thresholds", "sigma-delta neurons have none; see snnc inspect")
    network = as_module(model, arch=call.arch, trust=call.trust)
    with network_first(network):
        dataset = in_unit_of(spikes, calibration_data(call.calibration, call.calibration_samples, call.unit))
    told = progress_of(call.progress)
    told.begin("looking at activations", len(dataset))
    return measure.program_thresholds(spikes, network, dataset, progress=told)


def place(program: CompiledNetwork | str | Path, target: str | None = None) -> Placement:
    """Cut the layers of a program into pieces that a core of the chip holds.

    The limits of each chip and their sources are in docs/chip-fit.md, the rule in
    :func:`snnc.program.placement.place`.

    Args:
        program: The program, or its .net file.
        target: The chip, such as ``loihi1``; None: what the program was made for.

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
    """Estimate the energy for one sample, of the spiking network and of the ANN, by each published model.

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
