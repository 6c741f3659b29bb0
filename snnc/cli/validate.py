"""``snnc validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnc.cli.options import (
    Architecture,
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
    Trust,
    Verbose,
    Workers,
    memory_size,
)
from snnc.cli.screen import Screen, long_run
from snnc.common.errors import OptionError

EXAMPLES = """\b
Example:
  snnc validate model.net --model model.pt --data mnist:data --samples 1000 --max-drop 0.5
"""


def validate_command(
    net: Net,
    model: Annotated[
        Path, typer.Option("--model", metavar="MODEL", help="The network that the .net file was compiled from.")
    ],
    data: Data,
    samples: Annotated[
        int | None, typer.Option("--samples", help="Compare on the first so many samples.  [default: all]")
    ] = None,
    lava_samples: Annotated[int, typer.Option("--lava-samples", help="How many of them Lava runs.")] = 10,
    lava: Annotated[
        bool | None,
        typer.Option("--lava/--no-lava", help="Demand Lava, or leave it out.  [default: run it if it is installed]"),
    ] = None,
    lava_models: LavaModels = None,
    workers: Workers = None,
    cluster: Cluster = None,
    lava_timeout: LavaTimeout = None,
    maximum_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop", metavar="POINTS", help="Fail if the accuracy drops by more percentage points than this."
        ),
    ] = None,
    device: Device = "cpu",
    memory: Memory = None,
    architecture: Architecture = None,
    trust: Trust = False,
    config: Config = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Compare ANN, simulator and Lava.

    The ANN's activations with the simulator's firing rates, layer by layer, and the simulator with Lava, spike by
    spike. Of sigma-delta neurons: with sums of messages, and message by message.

    The ANN gets the data as they are, so that their rounding to input levels is judged too. Ends with exit code 1 if
    sim and Lava differ in any spike or readout, if a membrane potential overflowed, if a value of a sigma-delta network
    is further from the ANN than its rounding can take it, or if the accuracy drops by more than --max-drop.
    """
    screen = Screen(json=as_json, config=config)
    from snnc.api.analyse import validate
    from snnc.api.compile import load
    from snnc.inputs.data import evaluation_data
    from snnc.reporting.program import timing_json
    from snnc.reporting.validation import validation_json, validation_lines, validation_table
    from snnc.reporting.wording import clipping_notes, timing

    if maximum_drop is not None and not maximum_drop >= 0:
        raise OptionError("is out of range", where="--max-drop", expected="0 or more points", found=str(maximum_drop))
    with screen.steps() as steps:
        steps.begin("reading the model and the data")
        program = load(net)
        dataset = evaluation_data(data, samples)

        def advance(backend: str, done: int, total: int) -> None:
            steps.begin("comparing ANN and sim" if backend == "sim" else "comparing sim and Lava", total)
            steps.advance(done)

        result = validate(
            program,
            model,
            dataset,
            lava=lava,
            lava_samples=lava_samples,
            lava_models=lava_models,
            workers=workers,
            cluster=cluster,
            lava_timeout=lava_timeout,
            device=device,
            memory=memory_size(memory),
            arch=architecture,
            trust=trust,
            advance=advance,
            announce=lambda seconds: steps.say(long_run(seconds, min(lava_samples, len(dataset)))),
        )
    if maximum_drop is not None and result.drop is None:
        raise OptionError("needs data with labels", where="--max-drop", found=dataset.name)

    failures = result.failures(maximum_drop)
    notes = [*result.notes, *clipping_notes(result.clipped)]
    screen.show(f"{net} against {model} on {result.samples:,} samples of {dataset.name}, {timing(program)}")
    screen.show(validation_table(result))
    for line in validation_lines(result):
        screen.show(line)
    for note in notes:
        screen.note(note)
    for failure in failures:
        screen.warn(failure)
    screen.show("failed" if failures else "passed")
    screen.emit(
        {
            "net": str(net),
            "model": str(model),
            "data": dataset.name,
            **timing_json(program),
            "passed": not failures,
            "failures": list(failures),
            "notes": notes,
            **validation_json(result),
        }
    )
    return 1 if failures else 0
