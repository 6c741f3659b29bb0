"""``snnc inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnc.cli.options import Json, Net, Verbose
from snnc.cli.outputs import Inputs
from snnc.cli.run_netx import refuse
from snnc.cli.screen import Screen
from snnc.common.atomic_write import check_writable
from snnc.common.plotting import check_picture
from snnc.program.targets import target_names


def inspect_netx_file(screen: Screen, net: Path) -> int:
    """Show what the file describes."""
    from snnc.program.netx import load_netx
    from snnc.reporting.netx import input_sentence, netx_json, netx_table, output_sentence

    network = load_netx(net)
    screen.show(f"{net}: netx of lava-dl, {input_sentence(network)}")
    screen.show(netx_table(network))
    screen.show(output_sentence(network))
    for note in network.notes:
        screen.note(note)
    screen.emit({"net": str(net), "bytes": net.stat().st_size, **netx_json(network)})
    return 0


EXAMPLES = """\b
Examples:
  snnc inspect model.net
  snnc inspect model.net --target loihi1 --plot cores.png
"""


def inspect_command(
    net: Net,
    chip: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="|".join(target_names()),
            help="The chip to place it on.  [default: what it was made for]",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Draw the chips' cores and how full they are: FILE.pdf, .png or .svg."
        ),
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Show what a .net file holds, and the cores that it takes.

    That is what its integers are worth beside the ANN, layers, thresholds, ranges of membrane potentials, resources,
    the ANN's energy and provenance. Of a netx file that snnc did not write: layers, neurons, weights.
    """
    screen = Screen(json=as_json)
    if plot is not None:
        check_picture(plot)
        check_writable(plot, Inputs(net))
    from snnc.program.netx import is_netx

    if is_netx(net):
        refuse({"--target": chip, "--plot": plot}, f"{net}, which snnc did not write")
        return inspect_netx_file(screen, net)
    from snnc.api.compile import load
    from snnc.api.inspect import place
    from snnc.compiler.compilation import shortfall
    from snnc.program.targets import get_target
    from snnc.reporting import wording
    from snnc.reporting.placement import placement_sentence, placement_table
    from snnc.reporting.placement_picture import plot_placement
    from snnc.reporting.program import ann_joules, program_json, program_table, resources
    from snnc.reporting.validation import verdict_line

    program = load(net)
    target = get_target(program.target)
    coding = "graded spikes of 8 bits" if program.coding.kind == "graded" else "rate coded"
    screen.show(
        f"{net}: for {target.description}, {wording.timing(program)}, "
        f"input {wording.shape(program.coding.shape)} ({coding})"
    )
    screen.show(verdict_line(program.provenance))
    if bad := shortfall(program):
        screen.note(bad)
    screen.show(program_table(program, absolute=True))
    found = resources(program)
    screen.show(
        f"{found['neurons']:,} neurons, {found['synapses']:,} synapses, {found['weights']:,} stored weights of "
        f"{target.weight_bits} bits"
    )
    placement = place(program, chip)
    screen.show(placement_table(placement))
    screen.show(f"{placement.target.name}: {placement_sentence(placement)}")
    for error in placement.errors():
        screen.note(str(error))
    macs = sum(layer.macs for layer in program.ann)
    energies = ", ".join(f"{wording.joules(value)} by {name}" for name, value in ann_joules(program).items())
    screen.show(f"the ANN takes {macs:,} multiply-accumulates per sample ({energies}, an estimate)")
    provenance = program.provenance
    options = ", ".join(f"{name} {value or 'none'}" for name, value in provenance.option_texts.items())
    screen.show(f"compiled by snnc {provenance.snnc} with {options}")
    screen.show(
        f"model {provenance.model[:16]}, calibrated on {provenance.calibration_samples:,} samples "
        f"{provenance.calibration[:16]} (SHA-256)"
    )
    for note in provenance.notes:
        screen.note(note)
    if plot is not None:
        plot_placement(placement, plot, title=f"{net.name} on {placement.target.description}")
    screen.emit({"net": str(net), "bytes": net.stat().st_size, **program_json(program, placement)})
    return 0
