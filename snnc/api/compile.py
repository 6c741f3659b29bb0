"""Compiling a model, reading a compiled network, writing one for other tools."""

from __future__ import annotations

import warnings
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from snnc.analysis.calibration_data import coverage_notes, data_notes, normalisation_fit
from snnc.analysis.options import DropOptions, ValidateOptions
from snnc.analysis.validation import validate_program
from snnc.common.atomic_write import check_not_replaced
from snnc.common.errors import VerdictWarning
from snnc.common.options import taken
from snnc.common.progress import Progress, Told, progress_of
from snnc.common.signatures import called_with
from snnc.compiler.compilation import Compilation, doubt, shortfall
from snnc.compiler.frontend import trace
from snnc.compiler.options import CompileOptions
from snnc.compiler.parallel import Processes
from snnc.compiler.pipeline import compile_module
from snnc.compiler.quantization.sigma_delta import compile_sigma_delta
from snnc.inputs.data import (
    Data,
    as_module,
    as_program,
    calibration_split,
    network_first,
    raw_values,
    spiking,
    with_normalisation,
)
from snnc.inputs.tasks import matched_to
from snnc.models.data import Dataset
from snnc.models.data.load import files_read
from snnc.program import CompiledNetwork, Program, SigmaDeltaProgram
from snnc.program.nir import Form, nir_form
from snnc.program.nir import export_nir as write_nir
from snnc.program.verdict import Task, Verdict


@dataclass(frozen=True)
class _CompileCall(CompileOptions):
    model: nn.Module | str | Path
    calibration: Data
    _: KW_ONLY
    options: CompileOptions | None = None
    progress: Progress | Told | None = None


@called_with(_CompileCall)
def compile(call: _CompileCall) -> CompiledNetwork:
    """Compile a trained network into a spiking network for a chip.

    Source: Bojkovic, Anumasa, De Masi, Gu, Xiong: "Data driven threshold and potential initialization for spiking
    neural networks", for thresholds and initial potentials; integers and lowering are our own (docs/method.md,
    docs/lowering.md).

    Args:
        model: The network, or its file, of any format that docs/models.md lists.
        calibration: Data like those that the network was trained on: a spec (``digits``, ``mnist:ROOT``, a folder,
            an .npz file, ``module:attribute``; the training split is taken), a ``Dataset`` of snnc, an array or
            tensor (samples, channels, height, width) or (samples, features), a tuple (images, labels), a torch
            Dataset or a DataLoader. uint8 values count 1/255 each; floats are taken as they are.
        options: All options at once; those that are given singly count more.
        progress: Told of each pass as it begins, and of the samples that are profiled: a :class:`Progress`, or a
            function of a title, how much is done, and how much there is.

    Returns:
        The program; ``program.save(path)`` writes the .net file, ``program.provenance.notes`` says what was done that
        one should know.

    Warns:
        VerdictWarning: The network is no copy of the ANN; the message says what is bad, which layer begins it, and what
            helps. ``program.provenance.verdict`` has the figures.

    Raises:
        SnncError: Anything that the user can mend; the message says where, what was expected and what was found.
    """
    options = taken(CompileOptions, call)
    program = compile_recorded(call.model, call.calibration, options, progress=call.progress).program
    for bad in (shortfall(program), doubt(program)):
        if bad:
            warnings.warn(bad, VerdictWarning, stacklevel=3)
    return program


def compile_recorded(
    model: nn.Module | str | Path,
    calibration: Data,
    options: CompileOptions,
    *,
    allowed: DropOptions | None = None,
    progress: Progress | Told | None = None,
    processes: Processes | None = None,
) -> Compilation[Program] | Compilation[SigmaDeltaProgram]:
    """Compile as :func:`compile` does, and return what each pass did as well.

    Args:
        model: As for :func:`compile`.
        calibration: As for :func:`compile`.
        options: What to make.
        allowed: What it may lose, which is refused here, before the work, where it means nothing.
        progress: As for :func:`compile`.
        processes: Those that share the profiling of the calibration data.

    Raises:
        SnncError: Anything that the user can mend.
    """
    options.check()
    told = progress_of(progress)
    network = as_module(model, arch=options.arch, trust=options.trust)
    is_given = options.mean is not None or options.std is not None
    options, said = with_normalisation(options, network)
    with network_first(network):
        dataset, judging = calibration_split(calibration, options.calibration_samples, options.unit)
    traced = trace(network, tuple(dataset.images.shape[1:]))
    # Labels that fit no output are refused before the long work.
    match = matched_to(traced.output.shape, dataset, options.task)
    if allowed is not None and allowed.maximum_drop is not None:
        allowed.check_task(match.task)
    raw = raw_values(dataset)
    unit = dataset.unit if dataset.images.dtype == np.uint8 else None
    held_out = judging is not dataset
    fit = normalisation_fit(traced, raw, options.means, options.stds)
    is_doubtful = not (said or is_given) and (fit is None or not fit.fits)
    said = (*said, *data_notes(dataset, with_usual=is_doubtful))
    if not options.spikes:
        sigma_delta = compile_sigma_delta(traced, raw, options, unit=unit, progress=told, processes=processes)
        sigma_delta = sigma_delta.noted((*said, *coverage_notes(match.dataset, sigma_delta.program)))
        verdict = _verdict(sigma_delta.program, network, judging, match.task, told, held_out=held_out)
        return sigma_delta.fitted(fit).judged(verdict)
    compilation = compile_module(traced, raw, options, unit=unit, progress=told, processes=processes)
    compilation = compilation.noted((*said, *coverage_notes(match.dataset, compilation.program)))
    verdict = _verdict(compilation.program, network, judging, match.task, told, held_out=held_out)
    return compilation.fitted(fit).judged(verdict)


def _verdict(
    program: CompiledNetwork, network: nn.Module, judging: Dataset, task: Task, progress: Progress, *, held_out: bool
) -> Verdict:
    """Run the integers beside the ANN."""
    found = validate_program(program, network, judging, ValidateOptions(lava=False, task=task), progress=progress)
    return replace(found.verdict, held_out=held_out)


def load(path: str | Path) -> CompiledNetwork:
    """Read a .net file, or a NIR graph that ``snnc export`` wrote, and check all of it.

    Args:
        path: The file, written by ``program.save`` or ``snnc compile``; docs/format.md describes it.

    Returns:
        The program, equal to the one that was written: a ``Program``, or a ``SigmaDeltaProgram`` where its neurons are
        those.

    Raises:
        FormatError: The file cannot be read, is of a newer format, or contradicts itself.
    """
    return as_program(path)


def export_nir(program: CompiledNetwork | str | Path, path: str | Path, *, neuron: str = "if") -> Form:
    """Write a program as a graph of NIR, the Neuromorphic Intermediate Representation (docs/exchange.md).

    Args:
        program: The program, or its .net file.
        path: The file to write; one that exists is replaced.
        neuron: What neurons become: ``if`` (IF nodes; that they reset by subtraction stands in their metadata) or
            ``cuba`` (CubaLIF nodes and connections to themselves, with the same spikes in every reader).

    Returns:
        What neurons became.

    Raises:
        SnncError: NIR cannot express the program, the package ``nir`` is not installed, or the file cannot be written.
    """
    check_not_replaced(Path(path), files_read(program))
    form = nir_form(neuron)
    write_nir(exportable(program), path, form)
    return form


def exportable(program: CompiledNetwork | str | Path) -> Program:
    """Return a program that NIR has neurons for.

    Args:
        program: The program, or its .net file.

    Raises:
        OptionError: It is of sigma-delta neurons.
    """
    return spiking(program, "the export to NIR", "its .net file is what lava-dl takes (docs/sdnn.md)")
