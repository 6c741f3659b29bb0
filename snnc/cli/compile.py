"""``snnc compile``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnc.cli.configured import ConfiguredCommand
from snnc.cli.options import (
    DATA_FORMS,
    OBJECTIVE_HELP,
    REPORT_SAMPLES,
    Architecture,
    Config,
    Json,
    NoConfig,
    Trust,
    Verbose,
    numbers,
)
from snnc.cli.outputs import check_writable
from snnc.cli.screen import Screen, told_in
from snnc.common.errors import OptionError
from snnc.compiler.parallel import connected, launched
from snnc.program.targets import SIGMA_DELTA

if TYPE_CHECKING:
    from torch import nn

    from snnc.analysis.conversion import Report, SigmaDeltaReport
    from snnc.cli.screen import Steps
    from snnc.compiler.compilation import Compilation
    from snnc.models.data import Dataset
    from snnc.program import Program, SigmaDeltaProgram
    from snnc.reporting.page.reproduce import Sources

EXAMPLES = """\b
Examples:
  snnc compile model.pt --calib mnist:data -T 8 --mean 0.1307 --std 0.3081
  snnc compile weights.pth --arch mynet:Net --calib images/ -o model.net --report model.html
  snnc compile keras.onnx --calib images.npz
  snnc compile model.pt --calib mnist:data --neuron sdnn
"""

# Long names of what is for neurons that spike, and of what is for sigma-delta neurons.
_SPIKING_ONLY = frozenset({"timesteps", "threshold", "per-channel", "objective", "calibrate", "lead", "strict"})
_SIGMA_DELTA_ONLY = frozenset({"delta-threshold"})


class CompileCommand(ConfiguredCommand):
    """Takes from a snnc.toml what suits the kind of neuron that the command line asks for."""

    def without_use(self, given: Mapping[str, object]) -> frozenset[str]:
        """What is for the other kind of neuron; nothing where the command line names none."""
        if given.get("neuron") is None:
            return frozenset()
        return _SPIKING_ONLY if given["neuron"] == SIGMA_DELTA else _SIGMA_DELTA_ONLY


def compile_command(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="The trained network: a file of torch.save, torch.export.save or torch.jit.save, ONNX, NIR or "
            "safetensors.",
        ),
    ],
    calibration: Annotated[
        str | None,
        typer.Option(
            "--calib",
            metavar="DATA",
            help=f"Data to choose the thresholds on, like those the network was trained on: {DATA_FORMS}. "
            "The training split, where there is one.  [required]",
        ),
    ] = None,
    target: Annotated[str, typer.Option("--target", help="The chip: loihi (which is loihi2), loihi1 or loihi2.")] = (
        "loihi"
    ),
    timesteps: Annotated[
        int | None,
        typer.Option(
            "-T",
            "--timesteps",
            help="Steps that each sample is shown for, 1 to 1024: more are more exact and slower.  [default: 8; with "
            "--neuron sdnn as many as there are layers]",
        ),
    ] = None,
    threshold: Annotated[
        str,
        typer.Option(
            "--threshold",
            help="How thresholds are chosen: auto (data-driven with both objectives and percentile are tried on the "
            "calibration data), data-driven (the least expected error, by the paper), optimal (the least of all "
            "thresholds), max or opt (the largest activation), percentile, mse, or learned (a network trained with "
            "ClippedReLU or QCFS, or by snnc finetune, carries them).",
        ),
    ] = "auto",
    per_channel: Annotated[
        bool, typer.Option("--per-channel/--per-layer", help="One threshold for each channel, or for each layer.")
    ] = True,
    max_pool: Annotated[
        str,
        typer.Option(
            "--max-pool",
            help="How maximum pooling is written for spikes: or (a neuron for each window, which fires when any of its "
            "inputs does), exact (max(a, b) = a + relu(b - a): several neurons and layers), avg (average pooling "
            "instead), or auto (for each the better of or and exact on the calibration data).",
        ),
    ] = "auto",
    objective: Annotated[int, typer.Option("--objective", metavar="1|2", help=OBJECTIVE_HELP)] = 1,
    calibrate: Annotated[
        str | None,
        typer.Option(
            "--calibrate",
            metavar="NAMES",
            help="Correct the layers on the calibration data, without labels: weights (fitted to the spikes that a "
            "layer receives), thresholds (chosen for them), spread (a quarter of the initial potentials comes over the "
            "steps, which keeps early spikes back), potentials, bias (what a channel's rates miss on average); "
            "several with commas between them. weights,spread,bias is a good choice; all stands for every one, and "
            "takes twice the time.  [default: none]",
        ),
    ] = None,
    lead: Annotated[
        int,
        typer.Option(
            "--lead",
            metavar="K",
            help="Steps that each layer integrates its input before it may fire, 0 to T: more accurate at the same T, "
            "but a sample takes T + K + 1 steps and its result K more for each layer. T / 2 is a good choice.",
        ),
    ] = 0,
    allow_oversize: Annotated[
        bool,
        typer.Option(
            "--allow-oversize",
            help="Write the file even where a layer fits no core of the chip: it then runs on simulators only.",
            show_default=False,
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Compile only what is proven not to overflow, whatever the input: layers get smaller weights where "
            "that needs it, and a network that cannot be proven with enough of them is refused.",
            show_default=False,
        ),
    ] = False,
    neuron: Annotated[
        str,
        typer.Option(
            "--neuron",
            help="The kind of neuron: if (integrate-and-fire), or sdnn (sigma-delta: for chains of convolutions and "
            "dense layers on Loihi 2; Lava's netx runs the file with nothing attached). snm has no counterpart on the "
            "chip and is refused.",
        ),
    ] = "if",
    delta_threshold: Annotated[
        int,
        typer.Option(
            "--delta-threshold",
            metavar="N",
            help="With --neuron sdnn: hold back changes smaller than N times 64 units of a message, 0 to 511: fewer "
            "messages, and less exact.",
        ),
    ] = 0,
    mean: Annotated[
        str,
        typer.Option(
            "--mean",
            metavar="X[,X,X]",
            help="What was subtracted from the data in training; one number, or one for each channel. Images of 8 bits "
            "count from 0 to 1.",
        ),
    ] = "0",
    std: Annotated[
        str, typer.Option("--std", metavar="X[,X,X]", help="What the data were divided by after that.")
    ] = "1",
    architecture: Architecture = None,
    trust: Trust = False,
    calibration_samples: Annotated[
        int, typer.Option("--calib-samples", help="How many samples to calibrate on, as many of each class.")
    ] = 512,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT.net", help="The file to write.  [default: MODEL with suffix .net]"),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="OUT.html",
            help="Write a page on the result too: accuracy after every pass and against T, each layer beside the "
            "ANN's, energy, fit to the chip. It takes some seconds more.",
        ),
    ] = None,
    report_data: Annotated[
        str | None,
        typer.Option(
            "--report-data",
            metavar="DATA",
            help="What the page measures on; with labels, accuracies.  [default: the test split of --calib DATA]",
        ),
    ] = None,
    report_samples: Annotated[
        int | None,
        typer.Option(
            "--report-samples", help=f"How many samples of it, as many of each class.  [default: {REPORT_SAMPLES}]"
        ),
    ] = None,
    config: Config = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors.", show_default=False)] = False,
    verbose: Verbose = False,
) -> int:
    """Compile a trained network into a .net file."""
    if calibration is None:
        raise OptionError(
            "is missing",
            where="--calib",
            expected=f"data like those the network was trained on: {DATA_FORMS}",
            advice="or set it in a snnc.toml beside the model, which snnc init writes",
        )
    destination = output or model.with_suffix(".net")
    check_writable(destination, instead_of=model)
    if report is not None:
        check_writable(report, instead_of=model)
        if report.resolve() == destination.resolve():
            raise OptionError("is the same file as the .net file", where="--report", found=str(report))
    for option, given in (("--report-data", report_data), ("--report-samples", report_samples)):
        if report is None and given is not None:
            raise OptionError("is for a page", where=option, advice="say where to write it with --report OUT.html")
    processes = launched()
    screen = Screen(json=as_json and processes.is_first, quiet=quiet or not processes.is_first, config=config)
    # Imported late, since torch takes seconds.
    from snnc.api.compile import compile_recorded
    from snnc.inputs.data import as_module
    from snnc.inputs.data import report_data as report_data_of
    from snnc.models.data import load_data
    from snnc.reporting import wording
    from snnc.reporting.page.reproduce import Sources
    from snnc.reporting.program import program_json, program_table
    from snnc.reporting.report import outcome_line, report_json

    reported, sampled = report_data or calibration, REPORT_SAMPLES if report_samples is None else report_samples
    start = time.perf_counter()
    with connected(processes), screen.steps() as steps:
        steps.begin("reading the model and the data")
        # Before the long work, so that what cannot be read is told at once.
        needed = None
        if report is not None:
            dataset, network = report_data_of(reported, sampled), as_module(model, arch=architecture, trust=trust)
            needed = _Needed(dataset, network, load_data(calibration, split="train"))
        compilation = compile_recorded(
            needed.network if needed else model,
            needed.calibration if needed else calibration,
            target=target,
            timesteps=timesteps,
            threshold=threshold,
            per_channel=per_channel,
            max_pool=max_pool,
            objective=objective,
            calibrate=calibrate or "",
            lead=lead,
            allow_oversize=allow_oversize,
            strict=strict,
            neuron=neuron,
            delta_threshold=delta_threshold,
            mean=numbers(mean, "--mean"),
            std=numbers(std, "--std"),
            calibration_samples=calibration_samples,
            arch=architecture,
            trust=trust,
            progress=lambda title, _index, _count: steps.begin(
                title, calibration_samples if title == "profiling activations" else 1
            ),
            advance=steps.advance,
            processes=processes,
        )
        program = compilation.program
        if not processes.is_first:
            return 0
        measured = None
        if report is not None and needed is not None:
            sources = Sources(
                model=str(model),
                net=str(destination),
                data=reported,
                calibration=calibration,
                calibration_samples=calibration_samples,
                architecture=architecture,
                trust=trust,
                samples=sampled,
                allow_oversize=allow_oversize,
            )
            measured = _write_report(report, compilation, needed, sources, steps)
        program.save(destination)
    seconds = time.perf_counter() - start

    screen.show(
        f"{model} compiled for {program.target}, {wording.timing(program)}, calibrated on "
        f"{program.provenance.calibration_samples:,} samples of {calibration}, in {seconds:.1f} s"
    )
    screen.show(program_table(program))
    if verbose:
        for record in compilation.records:
            figures = wording.figures(record.result.stats)
            screen.show(f"{record.seconds:8.3f} s  {record.title}{f' ({figures})' if figures else ''}")
    for note in program.provenance.notes:
        screen.note(note)
    if measured is not None:
        screen.show(outcome_line(measured))
    written = [str(destination), *([str(report)] if report else [])]
    screen.show(f"wrote {' and '.join(written)}")
    screen.emit(
        {
            "model": str(model),
            "output": str(destination),
            "report": None if report is None else str(report),
            "measured": None if measured is None else report_json(measured),
            "bytes": destination.stat().st_size,
            "seconds": seconds,
            "passes": [
                {
                    "name": record.name,
                    "title": record.title,
                    "seconds": record.seconds,
                    "stats": dict(record.result.stats),
                }
                for record in compilation.records
            ],
            **program_json(program),
        }
    )
    return 0


@dataclass(frozen=True)
class _Needed:
    """What a page needs beside the program, and compiling too: read once.

    Attributes:
        dataset: What the page measures on.
        network: The network.
        calibration: All that calibration samples are drawn from.
    """

    dataset: Dataset
    network: nn.Module
    calibration: Dataset


def _write_report(
    path: Path,
    compilation: Compilation[Program] | Compilation[SigmaDeltaProgram],
    needed: _Needed,
    sources: Sources,
    steps: Steps,
) -> Report | SigmaDeltaReport:
    from snnc.analysis.conversion import measure_report
    from snnc.inputs.data import calibration_data
    from snnc.reporting.page.page import write_report

    assert sources.calibration_samples is not None
    advance = told_in(steps)
    report = measure_report(
        compilation.program,
        needed.network,
        needed.dataset,
        records=compilation.records,
        calibration=calibration_data(needed.calibration, sources.calibration_samples),
        advance=advance,
    )
    write_report(path, report, sources, title=Path(sources.model).name, advance=advance)
    return report
