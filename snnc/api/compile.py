"""The Python interface: compiling, reading, running and exporting, as the command line does."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from torch import nn

from snnc.analysis.calibration_data import coverage_notes
from snnc.api.neurons import check_delta_threshold, sigma_delta_options, spiking
from snnc.api.runs import run_identity, run_shared
from snnc.common.devices import chosen_device
from snnc.common.errors import OverflowWarning
from snnc.compiler.compilation import Compilation
from snnc.compiler.conversion.calibration.corrections import named_corrections
from snnc.compiler.ir.passes import Progress
from snnc.compiler.parallel import Processes
from snnc.compiler.pipeline import Options, compile_module
from snnc.compiler.quantization.sigma_delta import SigmaDeltaOptions, compile_sigma_delta
from snnc.inputs.data import (
    Data,
    as_module,
    as_numbers,
    as_program,
    calibration_data,
    evaluation_data,
    input_levels,
    raw_values,
)
from snnc.program import CompiledNetwork, Program, SigmaDeltaProgram
from snnc.program.nir import Form, nir_form
from snnc.program.nir import export_nir as write_nir
from snnc.program.targets import SIGMA_DELTA, check_neuron
from snnc.runtime.agreement import overflow_messages
from snnc.runtime.backends import Backend, run_levels
from snnc.runtime.result import RunResult
from snnc.runtime.resumable import ResumableRun

CALIBRATION_SAMPLES = 512
DEFAULT_TIMESTEPS = 8


def compile(
    model: nn.Module | str | Path,
    calibration: Data,
    *,
    target: str = "loihi",
    timesteps: int | None = None,
    threshold: str = "auto",
    per_channel: bool = True,
    max_pool: str = "auto",
    objective: int = 1,
    calibrate: str | Sequence[str] = (),
    lead: int = 0,
    allow_oversize: bool = False,
    strict: bool = False,
    neuron: str = "if",
    delta_threshold: int = 0,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
    calibration_samples: int = CALIBRATION_SAMPLES,
    arch: str | None = None,
    trust: bool = False,
    progress: Progress | None = None,
    advance: Callable[[int], None] | None = None,
) -> CompiledNetwork:
    """Compiles a trained network into a spiking network for a chip.

    Source: Bojkovic, Anumasa, De Masi, Gu, Xiong: "Data driven threshold and potential initialization for spiking
    neural networks", for thresholds and initial potentials; integers and lowering are our own (docs/method.md,
    docs/lowering.md).

    Args:
        model: The network, or its file, of any format that docs/models.md lists.
        calibration: Data like those that the network was trained on: a spec (``digits``, ``mnist:ROOT``, a folder,
            an .npz file, ``module:attribute``; the training split is taken), a ``Dataset`` of snnc, an array or
            tensor (samples, channels, height, width) or (samples, features), a tuple (images, labels), a torch
            Dataset or a DataLoader. uint8 values count 1/255 each; floats are taken as they are.
        target: ``loihi`` (Loihi 2), ``loihi1`` or ``loihi2``.
        timesteps: T, the steps that a sample is shown for, 1..1024; None: 8. Sigma-delta neurons take as many as the
            network has layers.
        threshold: How thresholds are chosen on the calibration data: ``auto`` (the best of ``data-driven`` with m = 1
            and 2 and ``percentile``, tried on the network with this T, lead and ``calibrate``), or one way alone:
            ``data-driven``, ``optimal``, ``max``, ``opt``, ``percentile`` or ``mse``; or ``learned``, as the network's
            activations (:class:`snnc.models.ClippedReLU`, ``QCFS``) carry them.
        per_channel: A threshold for each channel instead of one for each layer; learned ones are one for each layer.
        max_pool: How maximum pooling is written for spikes: ``or`` (one neuron for each window, which fires when any of
            its inputs does), ``exact`` (max(a, b) = a + relu(b - a), several neurons and layers), ``avg`` (average
            pooling instead) or ``auto``, for each the better of ``or`` and ``exact`` on the calibration data.
        objective: m, 1 or 2: ``data-driven`` and ``optimal`` make the sum of |activation - rate| ** m least. 2 clips
            large activations less; other ways to choose thresholds minimise nothing and take only 1.
        calibrate: Corrections of the layers on the calibration data, which need no labels: ``weights`` (fitted to the
            spikes that a layer receives), ``thresholds`` (chosen for them), ``spread`` (initial potentials
            that come over the steps), ``potentials`` and ``bias`` (what a channel's rates miss on average), several
            of them, or ``all``.
        lead: k, 0..T: steps that each layer integrates its input before it may fire. It removes most of the error of
            spikes that come unevenly; a sample then takes T + k + 1 steps, and its result k steps more for each layer.
        allow_oversize: Go on where a layer fits no core of the chip, with a note among the program's notes: for runs
            on simulators.
        strict: Choose scales so that every layer's membrane potential is proven to stay within the chip's range for
            any input, and refuse the network where that leaves too few weight units to tell T levels apart. Else a
            layer may rest on the range of the calibration data, with a margin.
        neuron: The kind of neuron: ``if`` (integrate-and-fire) or ``sdnn`` (sigma-delta, for chains of convolutions and
            dense layers on Loihi 2: a file that stock netx runs with nothing attached; docs/sdnn.md). ``snm``, which
            the float simulation has too, is refused.
        delta_threshold: For ``sdnn``: changes of an activation below this many times 64 units of a message are not
            sent, 0..511.
        mean: What was subtracted from the data in training, one number or one for each channel.
        std: What they were divided by after that.
        calibration_samples: How many samples to calibrate on; they are drawn in equal numbers for each class.
        arch: For a file that holds a state_dict: the name of one of our networks, such as ``resnet20:100``, or
            ``module:factory``, which makes the network.
        trust: Read the file even where that runs code that it names.
        progress: Told of each pass as it begins: its title, its place and the number of passes.
        advance: Told how many calibration samples were profiled.

    Returns:
        The program; ``program.save(path)`` writes the .net file, ``program.provenance.notes`` says what was done that
        one should know.

    Raises:
        SnncError: Anything that the user can mend; the message says where, what was expected and what was found.
    """
    return compile_recorded(
        model,
        calibration,
        target=target,
        timesteps=timesteps,
        threshold=threshold,
        per_channel=per_channel,
        max_pool=max_pool,
        objective=objective,
        calibrate=calibrate,
        lead=lead,
        allow_oversize=allow_oversize,
        strict=strict,
        neuron=neuron,
        delta_threshold=delta_threshold,
        mean=mean,
        std=std,
        calibration_samples=calibration_samples,
        arch=arch,
        trust=trust,
        progress=progress,
        advance=advance,
    ).program


def compile_recorded(
    model: nn.Module | str | Path,
    calibration: Data,
    *,
    target: str = "loihi",
    timesteps: int | None = None,
    threshold: str = "auto",
    per_channel: bool = True,
    max_pool: str = "auto",
    objective: int = 1,
    calibrate: str | Sequence[str] = (),
    lead: int = 0,
    allow_oversize: bool = False,
    strict: bool = False,
    neuron: str = "if",
    delta_threshold: int = 0,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
    calibration_samples: int = CALIBRATION_SAMPLES,
    arch: str | None = None,
    trust: bool = False,
    progress: Progress | None = None,
    advance: Callable[[int], None] | None = None,
    processes: Processes | None = None,
) -> Compilation[Program] | Compilation[SigmaDeltaProgram]:
    """As :func:`compile`, with what each pass did.

    Args and errors are those of :func:`compile`; ``processes`` share the profiling of the calibration data.
    """
    check_neuron(neuron)
    made: Options | SigmaDeltaOptions
    if neuron == SIGMA_DELTA:
        made = sigma_delta_options(
            target=target,
            delta_threshold=delta_threshold,
            max_pool=max_pool,
            allow_oversize=allow_oversize,
            mean=as_numbers(mean, "mean"),
            std=as_numbers(std, "std"),
            others={
                "timesteps": (timesteps, None),
                "threshold": (threshold, "auto"),
                "per_channel": (per_channel, True),
                "objective": (objective, 1),
                "calibrate": (named_corrections(calibrate), ()),
                "lead": (lead, 0),
                "strict": (strict, False),
            },
        )
    else:
        check_delta_threshold(delta_threshold)
        made = Options(
            target=target,
            timesteps=DEFAULT_TIMESTEPS if timesteps is None else timesteps,
            threshold=threshold,
            per_channel=per_channel,
            max_pool=max_pool,
            objective=objective,
            calibrate=named_corrections(calibrate),
            lead=lead,
            allow_oversize=allow_oversize,
            strict=strict,
            mean=as_numbers(mean, "mean"),
            std=as_numbers(std, "std"),
        )
    made.check()
    network = as_module(model, arch=arch, trust=trust)
    dataset = calibration_data(calibration, calibration_samples)
    raw = raw_values(dataset)
    unit = dataset.unit if dataset.images.dtype == np.uint8 else None
    if isinstance(made, SigmaDeltaOptions):
        sigma_delta = compile_sigma_delta(
            network, raw, made, unit=unit, progress=progress, advance=advance, processes=processes
        )
        return sigma_delta.noted(coverage_notes(dataset, sigma_delta.program))
    compilation = compile_module(network, raw, made, unit=unit, progress=progress, advance=advance, processes=processes)
    return compilation.noted(coverage_notes(dataset, compilation.program))


def load(path: str | Path) -> CompiledNetwork:
    """Reads a .net file, or a NIR graph that ``snnc export`` wrote, and checks all of it.

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
    """Writes a program as a graph of NIR, the Neuromorphic Intermediate Representation (docs/exchange.md).

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
    form = nir_form(neuron)
    write_nir(
        spiking(program, "the export to NIR", "its .net file is what lava-dl takes (docs/sdnn.md)"),
        path,
        form,
    )
    return form


def run(
    program: CompiledNetwork | str | Path,
    data: Data,
    *,
    backend: Backend = "sim",
    samples: int | None = None,
    record: bool = False,
    batch_size: int | None = None,
    lava_models: str | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    lava_timeout: float | None = None,
    device: str = "cpu",
    memory: int | None = None,
    stop_at: Sequence[int] = (),
    resume: str | Path | None = None,
    processes: Processes | None = None,
    advance: Callable[[int], None] | None = None,
    announce: Callable[[float], None] | None = None,
) -> RunResult:
    """Runs a compiled network on data.

    Args:
        program: The program, or its .net file.
        data: As for :func:`compile`; the test split is taken where there is one.
        backend: ``sim`` (the native simulator), ``lava`` (Lava's CPU simulator) or ``loihi`` (a board).
        samples: Run the first so many; None: all.
        record: Keep every spike, in ``result.spikes``.
        batch_size: Samples that ``sim`` computes at once; None: what memory allows. It never changes the result.
        lava_models: What computes on ``lava``, with the same result: ``fast`` (None; our process models, all in one
            process) or ``stock`` (Lava's own, each in a process of the operating system).
        workers: How many networks ``lava`` runs side by side, each in a process of its own on its share of the samples;
            None: one, or as many as a cluster has room for. It never changes the result.
        cluster: Where they run: None (this machine), ``dask:ADDRESS``, ``ray`` or ``ray:ADDRESS``.
        lava_timeout: Seconds that ``lava`` may take to start, and for a sample, before the run ends since a process of
            it hangs; None: 600.
        device: Where ``sim`` computes: ``cpu``, ``cuda``, ``cuda:NUMBER`` or ``auto`` (a GPU where there is one). It
            never changes the result.
        memory: Bytes that ``sim`` may take for what it computes at once, beside weights, data and results; None: what
            is fastest. It never changes the result.
        stop_at: Numbers of steps, 1..T, after which ``sim`` reports too: ``result.earlier[t]`` is what a run that ends
            after t steps gives. Not for programs with lead, where that is no part of the whole run.
        resume: A file that finished samples are kept in, about once a minute, and from which the same run goes on if
            it was interrupted; removed at the end. Each of several processes needs one of its own. None: nothing is
            kept. It never changes the result.
        processes: Connected processes, each of which runs a share of the samples; all get the whole result.
        advance: Told how many samples are done.
        announce: Told once, after its first samples, how many seconds ``lava`` will take for the others.

    Returns:
        Readout and spikes. Where ``result.wraps`` is not all zero, a membrane overflowed and the result means nothing.

    Warns:
        OverflowWarning: That is so; for each such layer.

    Raises:
        SnncError: Anything that the user can mend.
    """
    network = as_program(program)
    levels = input_levels(network, evaluation_data(data, samples))
    with ResumableRun(None if resume is None else Path(resume)) as resumable:
        result = run_shared(
            levels.values,
            processes or Processes(),
            lambda share: resumable.run(
                share,
                lambda piece, advance, announce: run_levels(
                    network,
                    piece,
                    backend,
                    record=record,
                    batch_size=batch_size,
                    device=chosen_device(device),
                    memory=memory,
                    stop_at=stop_at,
                    lava_models=lava_models,
                    workers=workers,
                    cluster=cluster,
                    lava_timeout=lava_timeout,
                    advance=advance,
                    announce=announce,
                ),
                identity=lambda: run_identity(network, backend, record=record, stop_at=stop_at),
                advance=advance,
                announce=announce,
            ),
        )
        resumable.finish()
    for message in overflow_messages(network, result):
        warnings.warn(message, OverflowWarning, stacklevel=2)
    return result
