"""``snnc run`` of a netx file that snnc did not write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from snnc.cli.outputs import Inputs, check_output, write_output
from snnc.cli.screen import Screen
from snnc.common.errors import OptionError

if TYPE_CHECKING:
    from snnc.inputs.netx import NetxInput
    from snnc.program.netx import NetxNetwork
    from snnc.runtime.netx import NetxResult
    from snnc.runtime.options import NetxRunOptions


def refuse(given: Mapping[str, object], what: str) -> None:
    """Refuse options that are for another kind of file.

    Args:
        given: By option its value, None where it was left out.
        what: What they are not for.

    Raises:
        OptionError: One was given.
    """
    for option, value in given.items():
        if value is not None:
            raise not_for(option, str(value), what)


def not_for(option: str, found: str, what: str) -> OptionError:
    """Return what is said of an option that is for another kind of file.

    Args:
        option: How it is written.
        found: The value that was given.
        what: What it is not for.
    """
    return OptionError(f"is not for {what}", where=option, found=found, advice="leave it out")


def run_netx_file(
    screen: Screen, net: Path, data: str, options: NetxRunOptions, output: Path | None, config: Path | None
) -> int:
    """Run the file and show what it gave; 1 where a neuron's state left its 24 bits, else 0."""
    check_output(output, Inputs(net, config, data=(data,)))
    from snnc.api.netx import netx_schedule, run_on
    from snnc.inputs.netx import netx_input
    from snnc.program.netx import load_netx
    from snnc.reporting.netx import netx_run_json, netx_run_table, schedule_sentence

    backend = options.backend
    with screen.steps() as steps:
        steps.begin("reading the data")
        network = load_netx(net, num_layers=options.num_layers, skip_layers=options.skip_layers)
        given = netx_input(network, data, options)
        schedule = netx_schedule(network, given, options)
        record = () if output is None else (len(network.blocks) - 1,)
        result = run_on(net, network, given, options, record=record, progress=steps)
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
