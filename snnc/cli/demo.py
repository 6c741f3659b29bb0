"""``snnc demo``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnc.cli.options import Json, Verbose
from snnc.cli.outputs import save_model
from snnc.cli.run import warn_of_wraps
from snnc.cli.screen import Screen, Steps
from snnc.common.atomic_write import check_writable
from snnc.common.errors import OptionError, OutputError
from snnc.common.progress import PartOf

if TYPE_CHECKING:
    from torch import nn

    from snnc.models.data import Dataset
    from snnc.program import CompiledNetwork
    from snnc.runtime.agreement import Agreement

EXAMPLES = """\b
Example, and how to go on:
  snnc demo
  snnc validate digits.pt digits.net --data digits
  snnc compile digits.pt --calib digits -T 4 -o digits4.net
"""

EPOCHS = 30
TIMESTEPS = 8


@dataclass(frozen=True)
class _Training:
    """A trained network and what it is worth."""

    network: nn.Module
    accuracy: float


def demo_command(
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="OUT.net", help="The file to write; the trained network goes beside it."
        ),
    ] = Path("digits.net"),
    lava: Annotated[
        bool | None,
        typer.Option("--lava/--no-lava", help="Demand Lava, or leave it out.  [default: run it if it is installed]"),
    ] = None,
    lava_samples: Annotated[int, typer.Option("--lava-samples", metavar="N", help="How many images Lava runs.")] = 20,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Train, compile, run and compare a small network.

    Trains a small CNN on scikit-learn's digits (30 epochs, seconds), compiles it with T = 8, runs all test images on
    the simulator and some on Lava. Leaves digits.pt and digits.net. Ends with exit code 1 if sim and Lava differ in
    any spike or readout.
    """
    if lava_samples < 1:
        raise OptionError("is too small", where="--lava-samples", expected="at least 1", found=str(lava_samples))
    model = output.with_suffix(".pt")
    if model == output:
        raise OutputError("is the trained network's name", where=str(output), expected="a name that ends in .net")
    check_writable(output)
    check_writable(model)
    screen = Screen(json=as_json)
    from snnc.api.compile import compile_recorded
    from snnc.api.run import run
    from snnc.common.errors import BackendError
    from snnc.compiler.compilation import shortfall
    from snnc.compiler.options import CompileOptions
    from snnc.inputs.tasks import matched
    from snnc.models.data import load_data
    from snnc.reporting.run import energy_table, run_json, run_table
    from snnc.reporting.validation import agreement_json, agreement_lines, verdict_json, verdict_line
    from snnc.reporting.wording import share, timing
    from snnc.runtime.energy import count_operations, estimate_energy
    from snnc.runtime.lava import lava_available

    missing = lava_available() if lava is not False else None
    if lava and missing:
        raise BackendError(f"the lava backend cannot run: {missing}")
    start = time.perf_counter()
    test = load_data("digits", split="test")
    assert test.labels is not None
    with screen.steps() as steps:
        training = _train(model, test, steps)
        program = compile_recorded(
            model,
            "digits",
            CompileOptions(timesteps=TIMESTEPS),
            progress=lambda title, _done, _total: steps.begin(f"compiling: {title}"),
        ).program
        program.save(output)
        result = run(program, test, progress=steps)
        agreement = None
        if lava is not False and not missing:
            steps.begin("running on Lava", min(lava_samples, len(test)))
            agreement = _compare(program, test.take(lava_samples), steps)
    seconds = time.perf_counter() - start

    counts = count_operations(program, result)
    accuracy = result.accuracy(test.labels)
    screen.show(verdict_line(program.provenance))
    if bad := shortfall(program):
        screen.warn(bad)
    screen.show(f"ANN accuracy  {share(training.accuracy)}  on {len(test):,} test images of the digits")
    screen.show(f"SNN accuracy  {share(accuracy)}  {timing(program)}, {program.target}, 8-bit weights, on sim")
    screen.show(run_table(program, counts))
    screen.show(energy_table(estimate_energy(program, counts)))
    for note in program.provenance.notes:
        screen.note(note)
    notes = []
    if agreement is not None:
        for line in agreement_lines(agreement):
            screen.show(line)
    elif missing:
        notes.append(f"Lava was not run: {missing} (uv python install 3.10, or pyenv install 3.10, gets that Python)")
    for note in notes:
        screen.note(note)
    screen.show(f"wrote {output} and {model}, in {seconds:.0f} s")
    screen.emit(
        {
            "net": str(output),
            "model": str(model),
            "data": test.name,
            "backend": "sim",
            "ann_accuracy": training.accuracy,
            "snn_accuracy": accuracy,
            "verdict": verdict_json(program.provenance.verdict),
            "seconds": seconds,
            "notes": [*program.provenance.notes, *notes],
            "lava": None if agreement is None else agreement_json(agreement),
            **run_json(program, result, matched(program, test)),
        }
    )
    failed = warn_of_wraps(screen, program, result)
    if agreement is not None and not agreement.complete:
        screen.warn("sim and Lava differ")
        failed = 1
    return failed


def _train(path: Path, test: Dataset, steps: Steps) -> _Training:
    """Train the network, the same one every time, and save it."""
    import torch

    from snnc.inputs.data import raw_values
    from snnc.models import accuracy, digits_cnn, train
    from snnc.models.data import load_data

    data = load_data("digits", split="train")
    assert data.labels is not None and test.labels is not None
    steps.begin("training", EPOCHS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = digits_cnn()
    train(
        network,
        torch.as_tensor(raw_values(data), dtype=torch.float32),
        torch.as_tensor(data.labels),
        epochs=EPOCHS,
        batch_size=64,
        learning_rate=3e-3,
        seed=0,
        threads=1,
        progress=lambda done, _total, _loss: steps.advance(done),
    )
    save_model(network, path)
    images = torch.as_tensor(raw_values(test), dtype=torch.float32)
    return _Training(network, accuracy(network, images, torch.as_tensor(test.labels)))


def _compare(program: CompiledNetwork, data: Dataset, steps: Steps) -> Agreement:
    """Run a few images on both backends."""
    from snnc.inputs.data import input_levels
    from snnc.runtime.agreement import compare_runs
    from snnc.runtime.backends import run_levels
    from snnc.runtime.options import RunOptions

    levels = input_levels(program, data).values
    reference = run_levels(program, levels, RunOptions(record=True))
    lava = RunOptions(backend="lava", record=True)
    found = run_levels(program, levels, lava, progress=PartOf(steps, says=False))
    return compare_runs(program, reference, found)
