"""``snnc bundle``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnc.cli.amounts import memory_size
from snnc.cli.options import Data, Device, Json, Memory, Net, Verbose
from snnc.cli.outputs import check_writable
from snnc.cli.run import clipping_notes
from snnc.cli.screen import Screen

EXAMPLES = """\b
Example:
  snnc bundle model.net --data digits --samples 100 -o lab.tar.gz
"""


def bundle_command(
    net: Net,
    data: Data,
    samples: Annotated[int, typer.Option("--samples", help="Pack the first so many samples.")] = 100,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The bundle, a .tar.gz file.")] = Path(
        "lab.tar.gz"
    ),
    device: Device = "cpu",
    memory: Memory = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Pack a network for a laboratory with a Loihi 2 board, where snnc is not installed.

    The bundle holds the network, samples, every spike and readout that the simulator gives for them, and a script that
    needs only Lava and numpy: it runs the samples on a board, or on Lava's CPU simulator, compares, measures time and
    energy where there is a board, and writes a result that snnc report --lab reads.
    """
    screen = Screen(json=as_json)
    bytes_at_once = memory_size(memory)
    check_writable(output, instead_of=net)
    from snnc.api import load
    from snnc.devices import chosen_device
    from snnc.inputs import evaluation_data, input_levels
    from snnc.neurons import spiking
    from snnc.runtime.backends import run_levels
    from snnc.runtime.hardware.lab import write_bundle

    with screen.steps() as steps:
        steps.begin("reading the data")
        program = spiking(load(net), "snnc bundle", "lava-dl runs its .net file with nothing else (docs/sdnn.md)")
        dataset = evaluation_data(data, samples)
        levels = input_levels(program, dataset)
        steps.begin("running on sim", len(dataset))
        expected = run_levels(
            program,
            levels.values,
            "sim",
            record=True,
            device=chosen_device(device),
            memory=bytes_at_once,
            advance=steps.advance,
        )
        steps.begin("packing")
        write_bundle(program, levels.values, expected, output, data=dataset.name, labels=dataset.labels)
    size = output.stat().st_size
    spikes = sum(int(counts.sum()) for counts in expected.spike_counts)
    screen.show(f"{output}: {net}, {len(dataset):,} samples of {dataset.name}, {spikes:,} spikes; {size:,} bytes")
    screen.show("its README.txt says what to do with it")
    notes = clipping_notes(levels.clipped)
    for note in notes:
        screen.note(note)
    screen.emit(
        {
            "bundle": str(output),
            "bytes": size,
            "net": str(net),
            "data": dataset.name,
            "samples": len(dataset),
            "spikes": spikes,
            "notes": notes,
        }
    )
    return 0
