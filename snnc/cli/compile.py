"""``snnc compile``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnc.cli.options import DATA_FORMS, OBJECTIVE_HELP, Architecture, Json, Trust, Verbose, names, numbers
from snnc.cli.outputs import check_writable
from snnc.cli.screen import Screen
from snnc.compiler.distributed import connected, launched
from snnc.errors import OptionError

if TYPE_CHECKING:
    from snnc.compiler.pipeline import Compilation
    from snnc.compiler.program import Program, SigmaDeltaProgram

EXAMPLES = """\b
Examples:
  snnc compile model.pt --calib mnist:data -T 8 --mean 0.1307 --std 0.3081
  snnc compile weights.pth --arch mynet:Net --calib images/ -o model.net --report model.html
  snnc compile keras.onnx --calib images.npz
  snnc compile model.pt --calib mnist:data --neuron sdnn
"""

# Samples that are simulated for the energy in a report.
REPORT_SAMPLES = 128


def compile_command(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="The trained network: a file of torch.save, torch.export.save, torch.jit.save, ONNX or safetensors.",
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
            "several with commas between them. weights,spread,bias is a good choice.  [default: none]",
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
        typer.Option("--report", metavar="OUT.html", help="Write a page on the result too."),
    ] = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors.", show_default=False)] = False,
    verbose: Verbose = False,
) -> int:
    """Compile a trained network into a .net file."""
    if calibration is None:
        raise OptionError(
            "is missing", where="--calib", expected=f"data like those the network was trained on: {DATA_FORMS}"
        )
    destination = output or model.with_suffix(".net")
    check_writable(destination, instead_of=model)
    if report is not None:
        check_writable(report, instead_of=model)
        if report.resolve() == destination.resolve():
            raise OptionError("is the same file as the .net file", where="--report", found=str(report))
    processes = launched()
    screen = Screen(json=as_json and processes.is_first, quiet=quiet or not processes.is_first)
    # Imported late, since torch takes seconds.
    from snnc.api import compile_recorded
    from snnc.runtime.report import program_form, program_table, wording

    start = time.perf_counter()
    with connected(processes), screen.steps() as steps:
        steps.begin("reading the model and the data")
        compilation = compile_recorded(
            model,
            calibration,
            target=target,
            timesteps=timesteps,
            threshold=threshold,
            per_channel=per_channel,
            max_pool=max_pool,
            objective=objective,
            calibrate=names(calibrate),
            lead=lead,
            allow_oversize=allow_oversize,
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
        if report is not None:
            steps.begin("writing the report")
            _write_report(report, compilation, model, calibration, calibration_samples)
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
            screen.show(f"{record.seconds:8.3f} s  {record.name}{f' ({figures})' if figures else ''}")
    for note in program.provenance.notes:
        screen.note(note)
    written = [str(destination), *([str(report)] if report else [])]
    screen.show(f"wrote {' and '.join(written)}")
    screen.emit(
        {
            "model": str(model),
            "output": str(destination),
            "report": None if report is None else str(report),
            "bytes": destination.stat().st_size,
            "seconds": seconds,
            "passes": [
                {"name": record.name, "seconds": record.seconds, "stats": dict(record.result.stats)}
                for record in compilation.records
            ],
            **program_form(program),
        }
    )
    return 0


def _write_report(
    path: Path,
    compilation: Compilation[Program] | Compilation[SigmaDeltaProgram],
    model: Path,
    calibration: str,
    samples: int,
) -> None:
    from snnc.inputs import calibration_data, input_levels
    from snnc.runtime.backends import run_levels
    from snnc.runtime.energy import count_operations
    from snnc.runtime.report.html import PassRow, write_page

    program = compilation.program
    levels = input_levels(program, calibration_data(calibration, samples).take(REPORT_SAMPLES))
    counts = count_operations(program, run_levels(program, levels.values, "sim"))
    passes = [PassRow(each.name, each.seconds, each.result.stats) for each in compilation.records]
    write_page(path, program, title=model.name, passes=passes, counts=counts)
