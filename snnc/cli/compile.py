"""``snnc compile``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnc.analysis.options import REPORT_SAMPLES, DropOptions
from snnc.cli.configured import ConfiguredCommand
from snnc.cli.options import Calibration, Config, Json, Model, NoConfig, Verbose, calibration_of
from snnc.cli.outputs import Inputs
from snnc.cli.parameters import with_options
from snnc.cli.screen import Screen
from snnc.common.atomic_write import check_writable
from snnc.common.errors import OptionError
from snnc.common.options import Option, options_of
from snnc.compiler.options import CompileOptions, misplaced
from snnc.compiler.parallel import connected, launched
from snnc.program.targets import INTEGRATE_AND_FIRE, SIGMA_DELTA

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
  snnc compile weights.pt --arch mynet:Net --calib images/ --report model.html
  snnc compile keras.onnx --calib images.npz
  snnc compile model.pt --calib mnist:data --neuron sdnn --max-drop 1
"""


class CompileCommand(ConfiguredCommand):
    """Takes from a snnc.toml what suits the kind of neuron that the command line asks for."""

    def without_use(self, given: Mapping[str, object]) -> frozenset[str]:
        """Return what is for the other kind of neuron, as far as the command line names one, and what is for a page."""
        neuron = given.get("neuron")
        options = options_of(CompileOptions) if neuron in (INTEGRATE_AND_FIRE, SIGMA_DELTA) else ()
        unused = frozenset() if given.get("report") else frozenset({"report-samples"})
        return unused | {each.key for each in options if each.only and neuron not in each.only}

    def misplaced(self, option: Option, value: object, given: Mapping[str, object]) -> OptionError:
        """Return what is said of an option for the other kind of neuron."""
        return misplaced(option, value, str(given["neuron"]))


@with_options
def compile_command(
    model: Model,
    *,
    calibration: Calibration = None,
    options: CompileOptions,
    allowed: DropOptions,
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
            "--report-samples",
            metavar="N",
            help=f"How many samples of it, as many of each class.  [default: {REPORT_SAMPLES}]",
        ),
    ] = None,
    config: Config = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print nothing but warnings and errors.", show_default=False)
    ] = False,
    verbose: Verbose = False,
) -> int:
    """Compile a trained network into a .net file.

    Says first what the chip's integers are worth beside the network, on calibration samples that nothing was fitted on,
    and warns where that is bad. Ends with exit code 1 if more is lost than --max-drop allows; the file is written all
    the same.
    """
    allowed.check()
    calibration = calibration_of(calibration)
    destination = output or model.with_suffix(".net")
    inputs = Inputs(model, config, data=(calibration, report_data), code=options.arch)
    check_writable(destination, inputs)
    if report is not None:
        if report.resolve() == destination.resolve():
            raise OptionError("is the same file as the .net file", where="--report", found=str(report))
        check_writable(report, [*inputs, destination] if report.exists() else ())
    for option, given in (("--report-data", report_data), ("--report-samples", report_samples)):
        if report is None and given is not None:
            raise OptionError("is for a page", where=option, advice="say where to write it with --report OUT.html")
    processes = launched()
    screen = Screen(json=as_json and processes.is_first, quiet=quiet or not processes.is_first, config=config)
    # Imported late, since torch takes seconds.
    from snnc.api.compile import compile_recorded
    from snnc.compiler.compilation import doubt, shortfall
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
            dataset, network = (
                report_data_of(reported, sampled),
                as_module(model, arch=options.arch, trust=options.trust),
            )
            needed = _Needed(dataset, network, load_data(calibration, split="train"))
        compilation = compile_recorded(
            needed.network if needed else model,
            needed.calibration if needed else calibration,
            options,
            allowed=allowed,
            progress=steps,
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
                calibration_samples=options.calibration_samples,
                architecture=options.arch,
                trust=options.trust,
                samples=sampled,
                allow_oversize=options.allow_oversize,
            )
            measured = _write_report(report, compilation, needed, sources, steps)
        program.save(destination)
    seconds = time.perf_counter() - start

    verdict = program.provenance.verdict
    assert verdict is not None
    screen.show(verdict.sentence)
    if bad := shortfall(program, allowed.maximum_drop):
        screen.warn(bad)
    if unsure := doubt(program):
        screen.warn(unsure)
    failures = () if allowed.maximum_drop is None else verdict.failures(allowed.maximum_drop)
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
    if failures:
        screen.warn(f"failed: {failures[0]} (--max-drop); {' and '.join(written)} is written all the same")
    screen.emit(
        {
            "model": str(model),
            "output": str(destination),
            "report": None if report is None else str(report),
            "measured": None if measured is None else report_json(measured),
            "bytes": destination.stat().st_size,
            "seconds": seconds,
            "passed": not failures,
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
    return 1 if failures else 0


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
    report = measure_report(
        compilation.program,
        needed.network,
        needed.dataset,
        records=compilation.records,
        calibration=calibration_data(needed.calibration, sources.calibration_samples),
        progress=steps,
    )
    write_report(path, report, sources, title=Path(sources.model).name, progress=steps)
    return report
