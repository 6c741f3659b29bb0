"""``snnc diagnose``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnc.analysis.options import DiagnoseOptions
from snnc.cli.options import Config, Data, Json, Model, NoConfig, Verbose, model_and_net
from snnc.cli.parameters import with_options
from snnc.cli.screen import Screen

EXAMPLES = """\b
Example:
  snnc diagnose model.pt model.net --data cifar10:data
"""


@with_options
def diagnose_command(
    model: Model,
    net: Annotated[Path, typer.Argument(metavar="NET", help="The .net file that snnc compile made of it.")],
    data: Data,
    options: DiagnoseOptions,
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
    model, net = model_and_net(model, net, None, "snnc diagnose MODEL NET --data DATA")
    from snnc.api.analyse import diagnose
    from snnc.api.compile import load
    from snnc.inputs.data import evaluation_data
    from snnc.reporting.diagnosis import diagnosis_json, finding_lines, layer_errors_table, stages_table
    from snnc.reporting.wording import timing

    with screen.steps() as steps:
        steps.begin("reading the model and the data")
        program = load(net)
        dataset = evaluation_data(data, options.samples)
        found = diagnose(model, program, dataset, options=options, progress=steps)
    screen.show(f"{net} against {model} on {found.samples:,} samples of {dataset.name}, {timing(program)}")
    screen.show(stages_table(found))
    screen.show(layer_errors_table(found.worst_first))
    for line in finding_lines(found.findings):
        screen.show(line)
    for note in found.notes:
        screen.note(note)
    screen.emit({"net": str(net), "model": str(model), "data": dataset.name, **diagnosis_json(found)})
    return 0
