"""The Python interface to netx files of lava-dl: what ``snnc run`` and ``snnc inspect`` do with them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from snnc.common.options import taken
from snnc.common.progress import Progress, Told, progress_of
from snnc.common.signatures import called_with
from snnc.inputs.netx import NetxInput, netx_input
from snnc.models.data import Dataset
from snnc.program.netx import NetxNetwork, load_netx
from snnc.runtime.backends import run_netx as run_values
from snnc.runtime.netx import NetxResult, NetxSchedule
from snnc.runtime.options import NetxRunOptions

__all__ = ["NetxNetwork", "NetxResult", "load_netx", "run_netx"]


@dataclass(frozen=True)
class _RunNetxCall(NetxRunOptions):
    path: str | Path
    data: Dataset | str | Path | NDArray[Any]
    _: KW_ONLY
    options: NetxRunOptions | None = None
    record: Collection[int] | None = None
    progress: Progress | Told | None = None


@called_with(_RunNetxCall)
def run_netx(call: _RunNetxCall) -> NetxResult:
    """Run a netx file of lava-dl on data (docs/netx.md).

    Args:
        path: The file.
        data: Events, (samples, T, *shape), or images that are held, (samples, *shape), channels first: an array, an
            .npz file with ``x``, a data set or a spec such as ``mnist:data``.
        options: All options at once; those that are given singly count more.
        record: Indices of the blocks whose spike trains are kept; None: the last one.
        progress: Told how many samples are done.

    Returns:
        Spike counts, predictions and what else the run gave, for each sample.

    Raises:
        SnncError: Anything that the user can mend.
    """
    options = taken(NetxRunOptions, call)
    network = load_netx(call.path, num_layers=options.num_layers, skip_layers=options.skip_layers)
    given = netx_input(network, call.data, options)
    record = (len(network.blocks) - 1,) if call.record is None else call.record
    return run_on(call.path, network, given, options, record=record, progress=progress_of(call.progress))


def run_on(
    path: str | Path,
    network: NetxNetwork,
    given: NetxInput,
    options: NetxRunOptions,
    *,
    record: Collection[int],
    progress: Progress,
) -> NetxResult:
    """Run a network on what it takes.

    Args:
        path: Its file.
        network: What was read from it.
        given: As :func:`snnc.inputs.netx.netx_input` makes it.
        options: How to run it.
        record: Indices of the blocks whose spike trains are kept.
        progress: Told how many samples are done.

    Raises:
        SnncError: Anything that the user can mend.
    """
    progress.begin(f"running on {options.backend}", len(given.values))
    return run_values(
        path,
        network,
        given.values,
        netx_schedule(network, given, options),
        options,
        record=record,
        progress=progress,
    )


def netx_schedule(network: NetxNetwork, given: NetxInput, options: NetxRunOptions) -> NetxSchedule:
    """Return steps and resets of a run: T is that of the events or else what was asked for, or what the file says."""
    return NetxSchedule.of(
        network,
        given.timesteps or options.timesteps,
        reset_interval=options.reset_interval,
        reset_offset=options.reset_offset,
    )
