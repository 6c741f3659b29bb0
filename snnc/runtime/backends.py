"""The backends by name: one meaning, three machines."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import OptionError
from snnc.common.options import options_of
from snnc.common.progress import Progress, Unheard
from snnc.program import CompiledNetwork
from snnc.program.netx import NetxNetwork
from snnc.runtime.agreement import count_overflows
from snnc.runtime.netx.result import NetxResult
from snnc.runtime.netx.schedule import NetxSchedule
from snnc.runtime.netx.simulator import NetxSimulator
from snnc.runtime.options import Backend, LavaOptions, NetxRunOptions, RunOptions
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
    options: NetxRunOptions = NetxRunOptions(),
    *,
    record: Collection[int] = (),
    progress: Progress = Unheard(),
) -> NetxResult:
    """Run a netx file.

    Args:
        path: The file, which Lava reads by itself.
        network: What it describes.
        values: As for :meth:`NetxSimulator.run`.
        schedule: Steps and resets.
        options: How to run it: ``sim`` is the native simulator, ``lava`` the processes that netx makes, and nothing
            else. What decides ``network``, ``values`` and ``schedule`` counts no more.
        record: Indices of the blocks whose spike trains are kept.
        progress: Told how many samples are done.

    Raises:
        OptionError: There is no such backend, or an option is for the other one, or cannot have its value.
        BackendError: Lava is not installed, or failed.
        DataError: The data do not fit the network.
    """
    backend: str = options.backend
    if backend == "sim":
        if options.lava_models is not None:
            raise OptionError("is for the lava backend only", where="lava models", found=options.lava_models)
        simulator = NetxSimulator(network, memory=options.memory)
        return simulator.run(
            values,
            schedule,
            input_bits=options.input_bits,
            record=record,
            batch_size=options.batch_size,
            progress=progress,
        )
    if backend != "lava":
        raise OptionError("unknown backend", where="backend", expected=", ".join(NETX_BACKENDS), found=repr(backend))
    if options.memory is not None:
        raise OptionError("is for the sim backend only", where="memory", found="backend lava")
    from snnc.runtime.lava.engine import DEFAULT_MODELS
    from snnc.runtime.lava.netx import run_netx_on_lava

    return run_netx_on_lava(
        path,
        network,
        values,
        schedule,
        input_bits=options.input_bits,
        record=record,
        models=options.lava_models or DEFAULT_MODELS,
        progress=progress,
    )


def run_levels(
    program: CompiledNetwork,
    levels: NDArray[np.uint8],
    options: RunOptions = RunOptions(),
    *,
    device: str | torch.device = "cpu",
    progress: Progress = Unheard(),
) -> RunResult:
    """Run a program on the backend that the options name.

    Only ``sim`` sees membrane potentials: for the others it counts ``wraps``, unless no layer can overflow.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
        options: How to run it; ``samples`` and ``device`` count no more.
        device: Where ``sim`` computes, as torch names it.
        progress: Told how many samples are done, and by ``lava`` once, after its first samples, how long the others
            will take.

    Raises:
        OptionError: There is no such backend, the batch size is below 1, the memory is too small, a number of steps is
            not among 1..T, or an option has a value that it cannot have, or is for another backend.
        BackendError: The backend is not installed, or failed.
        DataError: There are no samples, or their shape does not fit.
    """
    backend: str = options.backend
    if options.batch_size is not None and options.batch_size < 1:
        raise OptionError("is too small", where="batch size", expected="at least 1", found=str(options.batch_size))
    if backend != "lava":
        for each in options_of(LavaOptions):
            value = getattr(options, each.name)
            if value is not None:
                raise OptionError(
                    "is for the lava backend only",
                    where=each.name.replace("_", " "),
                    found=f"{value} with backend {backend}",
                )
    if backend == "sim":
        return native_simulator(program, device, memory=options.memory).run(
            levels,
            record=options.record,
            batch_size=options.batch_size,
            stop_at=options.stop_at,
            progress=progress,
        )
    for name, unused in (
        ("stop at", not options.stop_at),
        ("memory", options.memory is None),
        ("device", str(device) == "cpu"),
    ):
        if not unused:
            raise OptionError("is for the sim backend only", where=name, found=f"backend {backend}")
    if backend == "lava":
        from snnc.runtime.lava import run_lava

        result = run_lava(program, levels, options, record=options.record, progress=progress)
        return replace(result, wraps=count_overflows(program, levels))
    if backend == "loihi":
        from snnc.runtime.hardware import run_loihi

        result = run_loihi(program, levels, record=options.record, progress=progress)
        return replace(result, wraps=count_overflows(program, levels))
    raise OptionError("unknown backend", where="backend", expected=", ".join(get_args(Backend)), found=repr(backend))
