"""One run of several processes that torchrun started: each takes a share of the samples, all get the whole result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.parallel import Processes
from snnc.program import CompiledNetwork
from snnc.program.net import identity
from snnc.runtime.result import RunResult


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
