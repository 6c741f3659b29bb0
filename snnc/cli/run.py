"""``snnc run``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnc.cli.configured import ConfiguredCommand
from snnc.cli.options import Config, Data, Json, Net, NoConfig, Verbose
from snnc.cli.outputs import Inputs, check_output, unfinished_path, write_output
from snnc.cli.parameters import with_options
from snnc.cli.run_netx import not_for, refuse, run_netx_file
from snnc.cli.screen import Screen
from snnc.common.errors import OptionError
from snnc.common.options import Option, options_of
from snnc.compiler.parallel import connected, launched
from snnc.runtime.options import NETX_FILES, SNNC_FILES, NetxRunOptions, RunOptions

if TYPE_CHECKING:
    from snnc.inputs.tasks import Match
    from snnc.program import CompiledNetwork
    from snnc.runtime.result import RunResult

EXAMPLES = """\b
Examples:
  snnc run model.net --data mnist:data
  snnc run model.net --data digits --stop-at 1,2,4
  snnc run model.net --data digits --backend lava --samples 20
  snnc run model.net --data digits --backend lava --workers 4
  snnc run lava-dl.net --data events.npz --output spikes.npz
  snnc run model.net --data imagenet:data --resume
"""

_FOREIGN = "which snnc did not write"


class RunCommand(ConfiguredCommand):
    """Takes from a snnc.toml what suits a file of ours, or what suits a netx file of someone else's."""

    def without_use(self, given: Mapping[str, object]) -> frozenset[str]:
        """Return what is for the other kind of file."""
        from snnc.program.netx import is_netx

        kind, others = (RunOptions, SNNC_FILES) if is_netx(str(given.get("net"))) else (NetxRunOptions, NETX_FILES)
        return frozenset(each.key for each in options_of(kind) if others in each.only)

    def misplaced(self, option: Option, value: object, given: Mapping[str, object]) -> OptionError:
        """Return what is said of an option for the other kind of file."""
        what = _FOREIGN if SNNC_FILES in option.only else "which is not somebody else's netx file"
        return not_for(f"--{option.key}", option.shown(value), f"{given['net']}, {what}")


@with_options
def run_command(
    net: Net,
    data: Data,
    options: RunOptions,
    netx: NetxRunOptions,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep the samples that are done in NET.unfinished, about once a minute, and go on from there where "
            "the same run was interrupted. The file is removed at the end; the result is that of a run in one go.",
            show_default=False,
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT.npz",
            help="Keep what each sample gave: readout, outputs in the network's units, predictions; or spikes.",
        ),
    ] = None,
    config: Config = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Run a compiled network on data.

    Shows accuracy, spikes, synaptic operations and the energy of SNN and ANN. NET may also be a netx file of lava-dl.

    Several processes share the samples: torchrun -m snnc run ...; the first one prints what a single one would.

    Ends with exit code 1 if a membrane potential overflowed, since the result then means nothing.
    """
    processes = launched()
    screen = Screen(json=as_json and processes.is_first, quiet=not processes.is_first, config=config)
    from snnc.program.netx import is_netx

    if is_netx(net):
        given = {"--resume": resume or None, "torchrun": processes.count if processes.count > 1 else None}
        refuse(given, f"{net}, {_FOREIGN}")
        return run_netx_file(screen, net, data, netx, output, config)
    inputs = Inputs(net, config, data=(data,))
    unfinished = unfinished_path(net, processes, inputs) if resume else None
    check_output(output, [*inputs, unfinished] if unfinished else inputs)
    # Imported late, since torch takes seconds.
    from snnc.api.compile import load
    from snnc.api.run import run_on
    from snnc.inputs.data import evaluation_data, input_levels
    from snnc.inputs.tasks import matched
    from snnc.runtime.result import SampleRange
    from snnc.runtime.resumable import ResumableRun

    with ResumableRun(unfinished) as resumable:
        with connected(processes), screen.steps() as steps:
            steps.begin("reading the data")
            program = load(net)
            match = matched(program, evaluation_data(data, options.samples), options.task)
            levels = input_levels(program, match.dataset)
            result = run_on(
                program,
                levels,
                options,
                resumable,
                processes=processes,
                progress=steps,
                going_on=lambda done: steps.say(f"going on after sample {done:,}, from {unfinished}"),
            )
        if processes.is_first:
            result = replace(result, of=SampleRange(match.dataset.name, 0, result.samples))
            _present(screen, program, match, result, levels.clipped, net=net, backend=options.backend, output=output)
        # Only now: what could not be shown, on a full disk say, is still there.
        resumable.finish()
    if not processes.is_first:
        return int(any(result.wraps or ()))
    return warn_of_wraps(screen, program, result)


def _present(
    screen: Screen,
    program: CompiledNetwork,
    match: Match,
    result: RunResult,
    clipped: float,
    *,
    net: Path,
    backend: str,
    output: Path | None,
) -> None:
    """Show a result, for people or as JSON."""
    from snnc.reporting.run import earlier_table, energy_table, outcome_sentence, run_json, run_table
    from snnc.reporting.wording import clipping_notes, timing
    from snnc.runtime.energy import count_operations, estimate_energy

    dataset = match.dataset
    if output is not None:
        arrays = {
            "readout": result.readout,
            "outputs": result.outputs(program),
            "predictions": None if match.task == "values" else result.predictions,
            "labels": dataset.labels,
            "targets": dataset.targets,
        }
        write_output(output, arrays)
    counts = count_operations(program, result)
    screen.show(f"{net} on {len(dataset):,} samples of {dataset.name}, {timing(program)}, backend {backend}")
    screen.show(outcome_sentence(program, result, match))
    screen.show(run_table(program, counts))
    if result.earlier:
        screen.show(earlier_table(program, result, match))
    screen.show(energy_table(estimate_energy(program, counts)))
    notes = [*match.notes, *clipping_notes(clipped)]
    for note in notes:
        screen.note(note)
    if output is not None:
        screen.show(f"wrote {output}")
    screen.emit(
        {
            "net": str(net),
            "data": dataset.name,
            "backend": backend,
            "classes": None if dataset.classes is None else list(dataset.classes),
            "clipped": clipped,
            "output": None if output is None else str(output),
            "notes": notes,
            **run_json(program, result, match),
        }
    )


def warn_of_wraps(screen: Screen, program: CompiledNetwork, result: RunResult) -> int:
    """Say which membrane potentials overflowed; 1 if any did, else 0."""
    from snnc.runtime.agreement import overflow_messages

    messages = overflow_messages(program, result)
    for message in messages:
        screen.warn(message)
    return int(bool(messages))
