"""Running a compiled network: on the simulator, on Lava or on a board, in one process or in several."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.devices import chosen_device
from snnc.common.errors import OverflowWarning
from snnc.common.options import taken
from snnc.common.progress import Progress, Told, progress_of
from snnc.common.signatures import called_with
from snnc.compiler.parallel import Processes
from snnc.inputs.data import Data, Levels, as_program, evaluation_data, input_levels
from snnc.inputs.tasks import matched
from snnc.program import CompiledNetwork
from snnc.program.net import identity
from snnc.runtime.agreement import overflow_messages
from snnc.runtime.backends import run_levels
from snnc.runtime.options import AUTOMATIC, RunOptions
from snnc.runtime.result import RunResult, SampleRange
from snnc.runtime.resumable import ResumableRun

__all__ = ["Run", "run", "run_identity", "run_on", "run_shared"]


def run_identity(
    program: CompiledNetwork, backend: str, *, record: bool, stop_at: Sequence[int]
) -> Mapping[str, object]:
    """Return what a result depends on beside the data; options that change only how it is computed are none of it."""
    return {
        "network": identity(program),
        "backend": backend,
        "stop-at": ",".join(map(str, sorted(set(stop_at)))),
        "spikes": record,
        "snnc": version("snnc"),
    }


Run = Callable[[NDArray[np.uint8]], RunResult]


def run_shared(levels: NDArray[np.uint8], processes: Processes, run: Run) -> RunResult:
    """Run samples in several processes, which all have to call this with the same arguments.

    Args:
        levels: Input levels of all samples, (samples, *input shape).
        processes: They, connected.
        run: Runs some of the samples, at least one.

    Returns:
        What ``run(levels)`` would have given: samples do not see one another, and numbers of spikes are sums.
    """
    if processes.count == 1:
        return run(levels)
    part = processes.part(len(levels))
    # With fewer samples than processes a first one stands in for what is missing, so that all know the result's form.
    own = run(levels[part] if part.stop > part.start else levels[:1])
    return _merged(own, part, len(levels), processes)


def _merged(own: RunResult, part: slice, samples: int, processes: Processes) -> RunResult:
    idle = part.stop == part.start

    def placed(values: NDArray[Any]) -> NDArray[Any]:
        whole = np.zeros((samples, *values.shape[1:]), values.dtype)
        whole[part] = values[: part.stop - part.start]
        processes.add_up(whole)
        return whole

    def sent(values: NDArray[Any]) -> NDArray[Any]:
        # In bytes, which all number types can be added up as: only one process has what is not 0.
        return placed(values.view(np.uint8)).view(values.dtype)

    def summed(values: NDArray[np.int64]) -> NDArray[np.int64]:
        total = np.zeros_like(values) if idle else np.array(values, order="C")
        processes.add_up(total)
        return total

    return RunResult(
        readout=placed(own.readout),
        spike_counts=tuple(summed(each) for each in own.spike_counts),
        input_counts=summed(own.input_counts),
        wraps=None if own.wraps is None else tuple(summed(np.array(own.wraps, np.int64)).tolist()),
        spikes=None if own.spikes is None else tuple(map(sent, own.spikes)),
        earlier={steps: _merged(each, part, samples, processes) for steps, each in own.earlier.items()},
    )


@dataclass(frozen=True)
class _RunCall(RunOptions):
    program: CompiledNetwork | str | Path
    data: Data
    _: KW_ONLY
    options: RunOptions | None = None
    resume: str | Path | None = None
    processes: Processes | None = None
    progress: Progress | Told | None = None


@called_with(_RunCall)
def run(call: _RunCall) -> RunResult:
    """Run a compiled network on data.

    Args:
        program: The program, or its .net file.
        data: As for :func:`compile`; the test split is taken where there is one.
        options: All options at once; those that are given singly count more.
        resume: A file that finished samples are kept in, about once a minute, and from which the same run goes on if
            it was interrupted; removed at the end. Each of several processes needs one of its own. None: nothing is
            kept. It never changes the result.
        processes: Connected processes, each of which runs a share of the samples; all get the whole result.
        progress: Told how many samples are done, and by ``lava``, after its first samples, how long the others take.

    Returns:
        Readout and spikes. Where ``result.wraps`` is not all zero, a membrane overflowed and the result means nothing;
        ``result.earlier[t]`` is what a run gives that ends after t steps, for each t of ``stop_at``;
        ``result.outputs(program)`` are the outputs in the network's own units.

    Warns:
        OverflowWarning: That is so; for each such layer.

    Raises:
        SnncError: Anything that the user can mend.
    """
    network, options = as_program(call.program), taken(RunOptions, call)
    # Labels that fit no output are refused now, and not where somebody takes the accuracy.
    dataset = matched(network, evaluation_data(call.data, options.samples), options.task).dataset
    levels = input_levels(network, dataset)
    with ResumableRun(None if call.resume is None else Path(call.resume)) as resumable:
        told = progress_of(call.progress)
        result = run_on(network, levels, options, resumable, processes=call.processes or Processes(), progress=told)
        resumable.finish()
    for message in overflow_messages(network, result):
        warnings.warn(message, OverflowWarning, stacklevel=3)
    return replace(result, of=SampleRange(dataset.name, 0, len(dataset)))


def run_on(
    network: CompiledNetwork,
    levels: Levels,
    options: RunOptions,
    resumable: ResumableRun,
    *,
    processes: Processes,
    progress: Progress,
    going_on: Callable[[int], None] | None = None,
) -> RunResult:
    """Run a program on input levels.

    Args:
        network: The program.
        levels: What it gets; ``options.samples`` counts no more.
        options: How to run it.
        resumable: What keeps samples that are done.
        processes: Those that share the samples; all call this with the same arguments and get the same.
        progress: Told how many samples are done; the step is one of running on the backend.
        going_on: Told how many samples were done already, where the run goes on.

    Raises:
        SnncError: Anything that the user can mend.
    """
    progress.begin(f"running on {options.backend}", len(levels.values))
    return run_shared(
        levels.values,
        processes,
        lambda share: resumable.run(
            share,
            lambda piece, told: run_levels(
                network,
                piece,
                options,
                device=_device(options),
                progress=told,
            ),
            identity=lambda: run_identity(network, options.backend, record=options.record, stop_at=options.stop_at),
            progress=progress,
            going_on=going_on,
        ),
    )


def _device(options: RunOptions) -> torch.device:
    """Return where the simulator computes; the other backends have no choice, and refuse one."""
    own = options.backend != "sim" and options.device == AUTOMATIC
    return chosen_device("cpu" if own else options.device)
