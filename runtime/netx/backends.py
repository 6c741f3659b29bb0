"""A netx file on the native simulator, or on Lava's."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.netx import NetxNetwork
from snnc.errors import OptionError
from snnc.runtime.netx.result import NetxResult
from snnc.runtime.netx.schedule import NetxSchedule
from snnc.runtime.netx.simulator import NetxSimulator

NETX_BACKENDS = ("sim", "lava")


def run_netx(
    path: str | Path,
    network: NetxNetwork,
    values: NDArray[np.integer[Any]],
    schedule: NetxSchedule,
    backend: str = "sim",
    *,
    input_bits: int = 0,
    record: Collection[int] = (),
    batch_size: int | None = None,
    lava_models: str | None = None,
    memory: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> NetxResult:
    """Runs a netx file.

    Args:
        path: The file, which Lava reads by itself.
        network: What it describes.
        values: As for :meth:`NetxSimulator.run`.
        schedule: Steps and resets.
        backend: ``sim`` (the native simulator) or ``lava`` (the processes that netx makes, and nothing else).
        input_bits: As for :meth:`NetxSimulator.run`.
        record: Indices of the blocks whose spike trains are kept.
        batch_size: Samples that ``sim`` computes at once.
        lava_models: What computes on ``lava``: ``fast`` (ours; None) or ``stock`` (Lava's).
        memory: Bytes that ``sim`` may take for what it computes at once.
        advance: Told how many samples are done.

    Raises:
        OptionError: There is no such backend, or an option is for the other one, or cannot have its value.
        BackendError: Lava is not installed, or failed.
        DataError: The data do not fit the network.
    """
    if backend == "sim":
        if lava_models is not None:
            raise OptionError("is for the lava backend only", where="lava models", found=lava_models)
        simulator = NetxSimulator(network, memory=memory)
        return simulator.run(
            values, schedule, input_bits=input_bits, record=record, batch_size=batch_size, advance=advance
        )
    if backend != "lava":
        raise OptionError("unknown backend", where="backend", expected=", ".join(NETX_BACKENDS), found=repr(backend))
    if memory is not None:
        raise OptionError("is for the sim backend only", where="memory", found="backend lava")
    from snnc.runtime.lava.models import DEFAULT_MODELS
    from snnc.runtime.lava.netx_run import run_netx_on_lava

    return run_netx_on_lava(
        path,
        network,
        values,
        schedule,
        input_bits=input_bits,
        record=record,
        models=lava_models or DEFAULT_MODELS,
        advance=advance,
    )
