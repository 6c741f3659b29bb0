"""The backends by name: one meaning, three machines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import OptionError
from snnc.common.progress import Progress, Unheard
from snnc.program import CompiledNetwork
from snnc.program.netx import NetxNetwork
from snnc.runtime.agreement import count_overflows
from snnc.runtime.netx.result import NetxResult
from snnc.runtime.netx.schedule import NetxSchedule
from snnc.runtime.netx.simulator import NetxSimulator
from snnc.runtime.result import RunResult
from snnc.runtime.simulators import native_simulator

if TYPE_CHECKING:
    import torch

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
    progress: Progress = Unheard(),
) -> NetxResult:
    """Run a netx file.

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
        progress: Told how many samples are done.

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
            values, schedule, input_bits=input_bits, record=record, batch_size=batch_size, progress=progress
        )
    if backend != "lava":
        raise OptionError("unknown backend", where="backend", expected=", ".join(NETX_BACKENDS), found=repr(backend))
    if memory is not None:
        raise OptionError("is for the sim backend only", where="memory", found="backend lava")
    from snnc.runtime.lava.engine import DEFAULT_MODELS
    from snnc.runtime.lava.netx import run_netx_on_lava

    return run_netx_on_lava(
        path,
        network,
        values,
        schedule,
        input_bits=input_bits,
        record=record,
        models=lava_models or DEFAULT_MODELS,
        progress=progress,
    )


Backend = Literal["sim", "lava", "loihi"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)


def run_levels(
    program: CompiledNetwork,
    levels: NDArray[np.uint8],
    backend: str,
    *,
    record: bool = False,
    batch_size: int | None = None,
    lava_models: str | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    lava_timeout: float | None = None,
    device: str | torch.device = "cpu",
    memory: int | None = None,
    stop_at: Sequence[int] = (),
    progress: Progress = Unheard(),
) -> RunResult:
    """Run a program on a backend.

    Only ``sim`` sees membrane potentials: for the others it counts ``wraps``, unless no layer can overflow.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
        backend: ``sim`` (the native simulator), ``lava`` (Lava's CPU simulator) or ``loihi`` (a board).
        record: Keep every spike in the result.
        batch_size: Samples that ``sim`` computes at once; None: what memory allows. The others take one by one.
        lava_models: What computes on ``lava``: ``fast`` (ours; None) or ``stock`` (Lava's).
        workers: How many networks ``lava`` runs side by side; None: one, or as many as a cluster has room for.
        cluster: Where they run: None (this machine), ``dask:ADDRESS``, ``ray`` or ``ray:ADDRESS``.
        lava_timeout: Seconds that ``lava`` may take to start, and for a sample; None: 600.
        device: Where ``sim`` computes, as torch names it.
        memory: Bytes that ``sim`` may take for what it computes at once; None: what is fastest.
        stop_at: Numbers of steps, 1..T, after which ``sim`` reports too, in ``earlier``.
        progress: Told how many samples are done, and by ``lava`` once, after its first samples, how long the others
            will take.

    Raises:
        OptionError: There is no such backend, the batch size is below 1, the memory is too small, a number of steps is
            not among 1..T, or an option has a value that it cannot have, or is for another backend.
        BackendError: The backend is not installed, or failed.
        DataError: There are no samples, or their shape does not fit.
    """
    if batch_size is not None and batch_size < 1:
        raise OptionError("is too small", where="batch size", expected="at least 1", found=str(batch_size))
    if backend != "lava":
        for name, value in (
            ("lava models", lava_models),
            ("workers", workers),
            ("cluster", cluster),
            ("lava timeout", lava_timeout),
        ):
            if value is not None:
                raise OptionError("is for the lava backend only", where=name, found=f"{value} with backend {backend}")
    if backend == "sim":
        return native_simulator(program, device, memory=memory).run(
            levels, record=record, batch_size=batch_size, stop_at=stop_at, progress=progress
        )
    for name, unused in (("stop at", not stop_at), ("memory", memory is None), ("device", str(device) == "cpu")):
        if not unused:
            raise OptionError("is for the sim backend only", where=name, found=f"backend {backend}")
    if backend == "lava":
        from snnc.runtime.lava import run_lava

        result = run_lava(
            program,
            levels,
            models=lava_models,
            workers=workers,
            cluster=cluster,
            timeout=lava_timeout,
            record=record,
            progress=progress,
        )
        return replace(result, wraps=count_overflows(program, levels))
    if backend == "loihi":
        from snnc.runtime.hardware import run_loihi

        result = run_loihi(program, levels, record=record, progress=progress)
        return replace(result, wraps=count_overflows(program, levels))
    raise OptionError("unknown backend", where="backend", expected=", ".join(BACKENDS), found=repr(backend))
