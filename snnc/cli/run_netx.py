"""``snnc run`` of a netx file that snnc did not write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnc.cli.options import numbers
from snnc.cli.outputs import check_output, write_output
from snnc.cli.screen import Screen
from snnc.common.errors import OptionError

if TYPE_CHECKING:
    from snnc.inputs.netx import NetxInput
    from snnc.program.netx import NetxNetwork
    from snnc.runtime.netx import NetxResult

_ONLY = "Others' netx files:"

Timesteps = Annotated[
    int | None,
    typer.Option(
        "-T",
        "--timesteps",
        help=f"{_ONLY} steps of a sample.  [default: those of the events or, of images, what the file says]",
    ),
]
ResetInterval = Annotated[
    int | None,
    typer.Option(
        "--reset-interval",
        help=f"{_ONLY} netx's reset_interval, steps from one reset of the neurons to the next; 0: never.  "
        "[default: T, as each sample reaches a layer]",
    ),
]
ResetOffset = Annotated[
    int | None,
    typer.Option(
        "--reset-offset", help=f"{_ONLY} netx's reset_offset.  [default: what resets with the first input of a sample]"
    ),
]
InputBits = Annotated[
    int | None,
    typer.Option(
        "--input-bits", help=f"{_ONLY} netx's input_message_bits: numbers of so many bits arrive.  [default: 0, spikes]"
    ),
]
NumLayers = Annotated[
    int | None,
    typer.Option("--num-layers", help=f"{_ONLY} run the first so many entries, as netx counts.  [default: all]"),
]
SkipLayers = Annotated[
    int | None,
    typer.Option("--skip-layers", help=f"{_ONLY} leave out so many of these at the beginning.  [default: 0]"),
]
Mean = Annotated[
    str | None,
    typer.Option(
        "--mean", metavar="X[,X,X]", help=f"{_ONLY} what is subtracted from images for an input block.  [default: 0]"
    ),
]
Std = Annotated[
    str | None, typer.Option("--std", metavar="X[,X,X]", help=f"{_ONLY} what they are divided by then.  [default: 1]")
]


def refuse(given: Mapping[str, object], what: str) -> None:
    """Refuses options that are for another kind of file.

    Args:
        given: By option its value, None where it was left out.
        what: What they are not for.

    Raises:
        OptionError: One was given.
    """
    for option, value in given.items():
        if value is not None:
            raise OptionError(f"is not for {what}", where=option, found=str(value), advice="leave it out")


@dataclass(frozen=True, kw_only=True)
class NetxRunOptions:
    """Options as they were typed; None where one was left out."""

    timesteps: int | None
    reset_interval: int | None
    reset_offset: int | None
    input_bits: int | None
    num_layers: int | None
    skip_layers: int | None
    mean: str | None
    std: str | None
    samples: int | None
    batch_size: int | None
    memory: int | None
    lava_models: str | None


def run_netx_file(
    screen: Screen, net: Path, data: str, backend: str, options: NetxRunOptions, output: Path | None
) -> int:
    """Runs the file and shows what it gave; 1 where a neuron's state left its 24 bits, else 0."""
    check_output(output, net)
    from snnc.api.netx import netx_schedule
    from snnc.inputs.netx import netx_input
    from snnc.program.netx import load_netx
    from snnc.reporting.netx import netx_run_json, netx_run_table, schedule_sentence
    from snnc.runtime.backends import run_netx

    bits = options.input_bits or 0
    with screen.steps() as steps:
        steps.begin("reading the data")
        network = load_netx(net, num_layers=options.num_layers, skip_layers=options.skip_layers or 0)
        given = netx_input(
            network,
            data,
            samples=options.samples,
            timesteps=options.timesteps,
            input_bits=bits,
            mean=None if options.mean is None else numbers(options.mean, "--mean"),
            std=None if options.std is None else numbers(options.std, "--std"),
        )
        schedule = netx_schedule(network, given, options.timesteps, options.reset_interval, options.reset_offset)
        steps.begin(f"running on {backend}", len(given.values))
        result = run_netx(
            net,
            network,
            given.values,
            schedule,
            backend,
            input_bits=bits,
            record=() if output is None else (len(network.blocks) - 1,),
            batch_size=options.batch_size,
            lava_models=options.lava_models,
            memory=options.memory,
            advance=steps.advance,
        )
    if output is not None:
        _write(output, network, given, result)
    screen.show(
        f"{net} (netx) on {result.samples:,} sample{'s'[: result.samples != 1]} of {given.name}, "
        f"{schedule_sentence(schedule)}, backend {backend}"
    )
    screen.show(_outcome(network, result, given))
    screen.show(netx_run_table(network, result, schedule))
    notes = [*network.notes, *given.notes]
    for note in notes:
        screen.note(note)
    if output is not None:
        screen.show(f"wrote {output}")
    form = netx_run_json(network, result, schedule, given.labels)
    screen.emit(
        {
            "net": str(net),
            "data": given.name,
            "backend": backend,
            "classes": None if given.classes is None else list(given.classes),
            "output": None if output is None else str(output),
            "notes": notes,
            **form,
        }
    )
    return _warn_of_overflows(screen, network, result)


def _write(output: Path, network: NetxNetwork, given: NetxInput, result: NetxResult) -> None:
    write_output(
        output,
        {
            "spikes": result.spikes[len(network.blocks) - 1],
            "counts": result.counts,
            "potentials": result.potentials,
            "scores": result.scores(network),
            "predictions": result.predictions(network),
            "labels": given.labels,
        },
    )


def _outcome(network: NetxNetwork, result: NetxResult, given: NetxInput) -> str:
    from snnc.reporting.wording import predictions_sentence, share

    scores = result.scores(network)
    by = "membrane potential" if network.blocks[-1].neurons.is_readout else "number of spikes"
    if scores.shape[1] == 1:
        return (
            f"one output, its {by} {scores.min():,} .. {scores.max():,} (--output FILE.npz keeps that of each sample)"
        )
    predictions = result.predictions(network)
    if given.labels is None:
        return f"{predictions_sentence(predictions, given.classes)}, by {by}"
    right = int((predictions == given.labels).sum())
    return f"accuracy {share(right / len(predictions))} ({right:,} of {len(predictions):,}), by {by}"


def _warn_of_overflows(screen: Screen, network: NetxNetwork, result: NetxResult) -> int:
    overflows = [
        (block.name, what, count)
        for what, counts in (
            ("current u wrapped around", result.wraps),
            ("membrane potential v was cut to its limits", result.clips),
        )
        for block, count in zip(network.blocks, counts or (), strict=False)
        if count
    ]
    for name, what, count in overflows:
        screen.warn(f"{name}: a {what} {count:,} times, as on Lava; more than 24 bits would be needed")
    return int(bool(overflows))
