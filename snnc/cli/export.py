"""``snnc export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnc.cli.options import Json, Verbose
from snnc.cli.outputs import Inputs
from snnc.cli.screen import Screen
from snnc.common.atomic_write import check_writable
from snnc.common.errors import OptionError

EXAMPLES = """\b
Examples:
  snnc export model.net --to nir -o model.nir
  snnc export model.net --to nir -o model.nir --neuron cuba
  snnc export model.nir --to net -o model.net
"""

FORMATS = ("nir", "net")


def export_command(
    net: Annotated[Path, typer.Argument(metavar="NET", help="The .net file, or a NIR graph that snnc export wrote.")],
    former_output: Annotated[
        Path | None, typer.Argument(metavar="OUT", hidden=True, help="The file, as earlier versions had it.")
    ] = None,
    *,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="OUT", help="The file to write.")] = None,
    to: Annotated[str, typer.Option("--to", metavar="nir|net", help="Its format: a NIR graph, or a .net file.")],
    neuron: Annotated[
        str,
        typer.Option(
            "--neuron",
            metavar="if|cuba",
            help="What neurons become in NIR: if (IF nodes, which reset by subtraction as their metadata say) or cuba "
            "(CubaLIF nodes and connections to themselves, which do so for every reader).",
        ),
    ] = "if",
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Write a compiled network in another format, for other tools.

    Nothing is lost: a NIR graph runs in snnc with the same spikes as the .net file.
    """
    screen = Screen(json=as_json)
    output = output or former_output
    if output is None:
        raise OptionError("is missing", where="--output", expected="snnc export NET --to nir|net -o OUT")
    if to not in FORMATS:
        raise OptionError("unknown format", where="--to", expected=" or ".join(FORMATS), found=repr(to))
    if to == "net" and neuron != "if":
        raise OptionError("is for --to nir", where="--neuron", found=neuron)
    check_writable(output, Inputs(net))
    from snnc.api.compile import export_nir, exportable, load
    from snnc.program.nir.layout import export_notes
    from snnc.reporting.wording import duration

    program = load(net)
    notes: tuple[str, ...] = ()
    if to == "nir":
        spikes = exportable(program)
        notes = export_notes(spikes, export_nir(spikes, output, neuron=neuron))
    else:
        program.save(output)
    size = output.stat().st_size
    for note in notes:
        screen.note(note)
    screen.show(f"wrote {output}: {len(program.layers):,} layers, {duration(program)}; {size:,} bytes")
    screen.emit(
        {
            "net": str(net),
            "output": str(output),
            "format": to,
            "neuron": neuron if to == "nir" else None,
            "bytes": size,
            "notes": list(notes),
        }
    )
    return 0
