"""``snnc run``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnc.cli.configured import ConfiguredCommand
from snnc.cli.options import (
    Cluster,
    Config,
    Data,
    Device,
    Json,
    LavaModels,
    LavaTimeout,
    Memory,
    Net,
    NoConfig,
    Verbose,
    Workers,
    memory_size,
    step_numbers,
)
from snnc.cli.outputs import check_output, unfinished_path, write_output
from snnc.cli.run_netx import (
    InputBits,
    Mean,
    NetxRunOptions,
    NumLayers,
    ResetInterval,
    ResetOffset,
    SkipLayers,
    Std,
    Timesteps,
    refuse,
    run_netx_file,
)
from snnc.cli.screen import Screen, long_run
from snnc.compiler.parallel import connected, launched

if TYPE_CHECKING:
    from snnc.models.data import Dataset
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

# Long names of what is for netx files of others, and of what is not.
_NETX_ONLY = (
    "timesteps",
    "reset-interval",
    "reset-offset",
    "input-bits",
    "num-layers",
    "skip-layers",
    "mean",
    "std",
)
_NOT_NETX = ("stop-at", "workers", "cluster", "device", "lava-timeout")


class RunCommand(ConfiguredCommand):
    """Takes from a snnc.toml what suits a file of ours, or what suits a netx file of someone else's."""

    def without_use(self, given: Mapping[str, object]) -> frozenset[str]:
        """What is for the other kind of file."""
        from snnc.program.netx import is_netx

        return frozenset(_NOT_NETX if is_netx(str(given.get("net"))) else _NETX_ONLY)


def run_command(
    net: Net,
    data: Data,
    backend: Annotated[
        str,
        typer.Option(
            "--backend",
            help="sim (fast, exact), lava (Lava's CPU simulator) or loihi (a board; needs Intel's lava-loihi).",
        ),
    ] = "sim",
    samples: Annotated[
        int | None, typer.Option("--samples", help="Run the first so many samples.  [default: all]")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            help="Samples that sim computes at once, halved until they fit; never changes the result.  "
            "[default: what memory allows]",
        ),
    ] = None,
    lava_models: LavaModels = None,
    workers: Workers = None,
    cluster: Cluster = None,
    lava_timeout: LavaTimeout = None,
    device: Device = "cpu",
    memory: Memory = None,
    stop_at: Annotated[
        str | None,
        typer.Option("--stop-at", metavar="STEPS", help="Report what sim gives after fewer steps too: such as 1,2,4."),
    ] = None,
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
            "-o", "--output", metavar="OUT.npz", help="Keep what each sample gave: readout, or spikes, and predictions."
        ),
    ] = None,
    timesteps: Timesteps = None,
    reset_interval: ResetInterval = None,
    reset_offset: ResetOffset = None,
    input_bits: InputBits = None,
    num_layers: NumLayers = None,
    skip_layers: SkipLayers = None,
    mean: Mean = None,
    std: Std = None,
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
    bytes_at_once, stops = memory_size(memory), step_numbers(stop_at)
    from snnc.program.netx import is_netx

    options = NetxRunOptions(
        timesteps=timesteps,
        reset_interval=reset_interval,
        reset_offset=reset_offset,
        input_bits=input_bits,
        num_layers=num_layers,
        skip_layers=skip_layers,
        mean=mean,
        std=std,
        samples=samples,
        batch_size=batch_size,
        memory=bytes_at_once,
        lava_models=lava_models,
    )
    if is_netx(net):
        others = {"--stop-at": stop_at, "--workers": workers, "--cluster": cluster, "--lava-timeout": lava_timeout}
        others["--resume"] = resume or None
        refuse({**others, "--device": None if device == "cpu" else device}, f"{net}, which snnc did not write")
        refuse({"torchrun": processes.count if processes.count > 1 else None}, f"{net}, which snnc did not write")
        return run_netx_file(screen, net, data, backend, options, output)
    netx_only = {f"--{name}": getattr(options, name.replace("-", "_")) for name in _NETX_ONLY}
    refuse(netx_only, f"{net}, which is not somebody else's netx file")
    check_output(output, net)
    unfinished = unfinished_path(net, processes) if resume else None
    # Imported late, since torch takes seconds.
    from snnc.api.compile import load
    from snnc.api.runs import run_identity, run_shared
    from snnc.common.devices import chosen_device
    from snnc.inputs.data import evaluation_data, input_levels
    from snnc.runtime.backends import run_levels
    from snnc.runtime.resumable import ResumableRun

    with ResumableRun(unfinished) as resumable:
        with connected(processes), screen.steps() as steps:
            steps.begin("reading the data")
            program = load(net)
            dataset = evaluation_data(data, samples)
            levels = input_levels(program, dataset)
            steps.begin(f"running on {backend}", len(dataset))
            result = run_shared(
                levels.values,
                processes,
                lambda share: resumable.run(
                    share,
                    lambda piece, advance, announce: run_levels(
                        program,
                        piece,
                        backend,
                        batch_size=batch_size,
                        device=chosen_device(device),
                        memory=bytes_at_once,
                        stop_at=stops,
                        lava_models=lava_models,
                        workers=workers,
                        cluster=cluster,
                        lava_timeout=lava_timeout,
                        advance=advance,
                        announce=announce,
                    ),
                    identity=lambda: run_identity(program, backend, record=False, stop_at=stops),
                    advance=steps.advance,
                    announce=lambda seconds: steps.say(long_run(seconds, len(share))),
                    going_on=lambda done: steps.say(f"going on behind sample {done:,}, from {unfinished}"),
                ),
            )
        if processes.is_first:
            _present(screen, program, dataset, result, levels.clipped, net=net, backend=backend, output=output)
        # Only now: what could not be shown, on a full disk say, is still there.
        resumable.finish()
    if not processes.is_first:
        return int(any(result.wraps or ()))
    return warn_of_wraps(screen, program, result)


def _present(
    screen: Screen,
    program: CompiledNetwork,
    dataset: Dataset,
    result: RunResult,
    clipped: float,
    *,
    net: Path,
    backend: str,
    output: Path | None,
) -> None:
    """Shows a result, for people or as JSON."""
    from snnc.reporting.run import earlier_table, energy_table, run_json, run_table
    from snnc.reporting.wording import clipping_notes, timing
    from snnc.runtime.energy import count_operations, estimate_energy

    if output is not None:
        arrays = {"readout": result.readout, "predictions": result.predictions, "labels": dataset.labels}
        write_output(output, arrays)
    counts = count_operations(program, result)
    screen.show(f"{net} on {len(dataset):,} samples of {dataset.name}, {timing(program)}, backend {backend}")
    screen.show(_outcome(result, dataset))
    screen.show(run_table(program, counts))
    if result.earlier:
        screen.show(earlier_table(program, result, dataset.labels))
    screen.show(energy_table(estimate_energy(program, counts)))
    notes = clipping_notes(clipped)
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
            **run_json(program, result, dataset.labels),
        }
    )


def warn_of_wraps(screen: Screen, program: CompiledNetwork, result: RunResult) -> int:
    """Says which membrane potentials overflowed; 1 if any did, else 0."""
    from snnc.runtime.agreement import overflow_messages

    messages = overflow_messages(program, result)
    for message in messages:
        screen.warn(message)
    return int(bool(messages))


def _outcome(result: RunResult, dataset: Dataset) -> str:
    from snnc.reporting.wording import predictions_sentence, share

    if dataset.labels is not None:
        right = int((result.predictions == dataset.labels).sum())
        return f"accuracy {share(result.accuracy(dataset.labels))} ({right:,} of {result.samples:,})"
    return predictions_sentence(result.predictions, dataset.classes)
