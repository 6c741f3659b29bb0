"""``snnc diagnose``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnc.cli.options import Architecture, Config, Data, Device, Json, Memory, NoConfig, Trust, Verbose, memory_size
from snnc.cli.screen import Screen

EXAMPLES = """\b
Example:
  snnc diagnose model.pt model.net --data cifar10:data
"""


def diagnose_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The network that the .net file was compiled from.")],
    net: Annotated[Path, typer.Argument(metavar="NET", help="The .net file that snnc compile wrote.")],
    data: Data,
    samples: Annotated[int, typer.Option("--samples", help="Look at the first so many samples.")] = 512,
    device: Device = "cpu",
    memory: Memory = None,
    architecture: Architecture = None,
    trust: Trust = False,
    config: Config = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Say what is wrong with a conversion, and what to try.

    Where accuracy is lost on the way from the ANN to spikes: to clipping, to rounding, or to spikes themselves; the
    layers with the largest errors first, split by cause; and in words what stands out.
    """
    screen = Screen(json=as_json, config=config)
    from snnc.api.analyse import diagnose
    from snnc.api.compile import load
    from snnc.inputs.data import evaluation_data
    from snnc.reporting.diagnosis import diagnosis_json, finding_lines, layer_errors_table, stages_table
    from snnc.reporting.wording import timing

    with screen.steps() as steps:
        steps.begin("reading the model and the data")
        program = load(net)
        dataset = evaluation_data(data, samples)

        def advance(done: int, total: int) -> None:
            steps.begin("comparing ANN and spikes", total)
            steps.advance(done)

        found = diagnose(
            program,
            model,
            dataset,
            device=device,
            memory=memory_size(memory),
            arch=architecture,
            trust=trust,
            advance=advance,
        )
    screen.show(f"{net} against {model} on {found.samples:,} samples of {dataset.name}, {timing(program)}")
    screen.show(stages_table(found.stages))
    screen.show(layer_errors_table(found.worst_first))
    for line in finding_lines(found.findings):
        screen.show(line)
    for note in found.notes:
        screen.note(note)
    screen.emit({"net": str(net), "model": str(model), "data": dataset.name, **diagnosis_json(found)})
    return 0
