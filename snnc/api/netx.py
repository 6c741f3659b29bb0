"""The Python interface to netx files of lava-dl: what ``snnc run`` and ``snnc inspect`` do with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from snnc.inputs.netx import NetxInput, netx_input
from snnc.models.data import Dataset
from snnc.program.netx import NetxNetwork, load_netx
from snnc.runtime.backends import run_netx as run_values
from snnc.runtime.netx import NetxResult, NetxSchedule

__all__ = ["NetxNetwork", "NetxResult", "load_netx", "run_netx"]


def run_netx(
    path: str | Path,
    data: Dataset | str | Path | NDArray[Any],
    *,
    backend: str = "sim",
    samples: int | None = None,
    timesteps: int | None = None,
    reset_interval: int | None = None,
    reset_offset: int | None = None,
    input_bits: int = 0,
    num_layers: int | None = None,
    skip_layers: int = 0,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    record: Collection[int] | None = None,
    batch_size: int | None = None,
    memory: int | None = None,
    lava_models: str | None = None,
    advance: Callable[[int], None] | None = None,
) -> NetxResult:
    """Runs a netx file of lava-dl on data (docs/netx.md).

    Args:
        path: The file.
        data: Events, (samples, T, *shape), or images that are held, (samples, *shape), channels first: an array, an
            .npz file with ``x``, a data set or a spec such as ``mnist:data``.
        backend: ``sim`` (the native simulator) or ``lava`` (the network that stock netx makes, nothing attached).
        samples: Run the first so many; None: all.
        timesteps: Steps of a sample; None: those of the events or else, of images, what the file says.
        reset_interval: Neurons are reset once in so many steps, as by netx's option; 0: never; None: as each sample
            reaches them.
        reset_offset: netx's; None: what has neurons reset with the first input that reaches them.
        input_bits: netx's ``input_message_bits``: bits of the numbers that arrive; 0: spikes.
        num_layers: Run so many entries of the file, as netx counts them; None: all.
        skip_layers: Leave out so many of these at the beginning.
        mean: What is subtracted from images that drive an input block; one number, or one for each channel.
        std: What they are divided by then.
        record: Indices of the blocks whose spike trains are kept; None: the last one.
        batch_size: Samples that ``sim`` computes at once; None: what memory allows.
        memory: Bytes that ``sim`` may take for what it computes at once.
        lava_models: What computes on ``lava``: ``fast`` (ours; None) or ``stock`` (Lava's).
        advance: Told how many samples are done.

    Returns:
        Spike counts, predictions and what else the run gave, for each sample.

    Raises:
        SnncError: Anything that the user can mend.
    """
    network = load_netx(path, num_layers=num_layers, skip_layers=skip_layers)
    given = netx_input(network, data, samples=samples, timesteps=timesteps, input_bits=input_bits, mean=mean, std=std)
    schedule = netx_schedule(network, given, timesteps, reset_interval, reset_offset)
    return run_values(
        path,
        network,
        given.values,
        schedule,
        backend,
        input_bits=input_bits,
        record=(len(network.blocks) - 1,) if record is None else record,
        batch_size=batch_size,
        lava_models=lava_models,
        memory=memory,
        advance=advance,
    )


def netx_schedule(
    network: NetxNetwork,
    given: NetxInput,
    timesteps: int | None,
    reset_interval: int | None,
    reset_offset: int | None,
) -> NetxSchedule:
    """Steps and resets of a run: T is that of the events or else what was asked for, or what the file says."""
    return NetxSchedule.of(
        network, given.timesteps or timesteps, reset_interval=reset_interval, reset_offset=reset_offset
    )
