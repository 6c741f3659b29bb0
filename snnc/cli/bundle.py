"""``snnc bundle``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnc.cli.options import Config, Data, Json, Net, NoConfig, Verbose
from snnc.cli.outputs import Inputs
from snnc.cli.parameters import with_options
from snnc.cli.screen import Screen
from snnc.common.atomic_write import check_writable
from snnc.runtime.options import BundleOptions

EXAMPLES = """\b
Example:
  snnc bundle model.net --data digits --samples 100 -o lab.tar.gz
"""


@with_options
def bundle_command(
    net: Net,
    data: Data,
    options: BundleOptions,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT.tar.gz", help="The bundle, a .tar.gz file.")
    ] = Path("lab.tar.gz"),
    config: Config = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Pack a network for a laboratory where snnc is not installed.

    The bundle holds the network, samples, every spike and readout that the simulator gives for them, and a script that
    needs only Lava and numpy: it runs the samples on a board, or on Lava's CPU simulator, compares, measures time and
    energy where there is a board, and writes a result that snnc report --lab reads.
    """
    screen = Screen(json=as_json, config=config)
    check_writable(output, Inputs(net, config, data=(data,)))
    from snnc.api.bundle import bundle
    from snnc.reporting.wording import clipping_notes

    with screen.steps() as steps:
        packed = bundle(net, data, output, options=options, progress=steps)
    size = output.stat().st_size
    screen.show(
        f"{output}: {net}, {packed.samples:,} samples of {packed.data}, {packed.spikes:,} spikes; {size:,} bytes"
    )
    screen.show("its README.txt says what to do with it")
    notes = clipping_notes(packed.clipped)
    for note in notes:
        screen.note(note)
    screen.emit(
        {
            "bundle": str(output),
            "bytes": size,
            "net": str(net),
            "data": packed.data,
            "samples": packed.samples,
            "spikes": packed.spikes,
            "notes": notes,
        }
    )
    return 0
