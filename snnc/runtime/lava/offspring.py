"""Processes, threads and shared memory of Lava's, which outlive a network unless they are ended."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from scipy.sparse import SparseEfficiencyWarning

from snnc.common.errors import BackendError

# From <sys/prctl.h>: the signal that a process gets when its parent ends.
PR_SET_PDEATHSIG = 1

_is_starting = False


@contextlib.contextmanager
def offspring() -> Iterator[None]:
    """Have processes forked within the block ignore what interrupts us, and end, on Linux, when we are killed.

    Ctrl-C reaches all processes of a terminal; the parent alone decides what happens then.

    Raises:
        BackendError: We are a process that may have none below it, as the workers of dask are.
    """
    if multiprocessing.current_process().daemon:
        raise BackendError(
            "Lava's models run in processes of their own, and this worker may not start any",
            advice="choose the fast models, which need none",
        )
    global _is_starting  # a hook of fork gets no arguments
    _register()
    method = multiprocessing.get_start_method()
    # Lava's processes are made of what cannot be pickled.
    multiprocessing.set_start_method("fork", force=True)
    _is_starting = True
    try:
        yield
    finally:
        _is_starting = False
        with contextlib.suppress(ValueError):  # a worker of joblib's has a way of its own that cannot be chosen by name
            multiprocessing.set_start_method(method, force=True)


def end_offspring(runtime: Any) -> None:
    """Kill the processes of a runtime, which may no longer answer, and give back its threads and its shared memory.

    Args:
        runtime: Lava's.
    """
    infrastructure = runtime._messaging_infrastructure
    # Else its destructor would ask processes that are gone to stop.
    runtime._is_started = runtime._is_running = False
    if infrastructure is None:
        return
    for actor in infrastructure.actors:
        with contextlib.suppress(ValueError):  # it has ended, and was closed
            actor.kill()
    for actor in infrastructure.actors:
        actor.join()
    # Ends the threads that wait at our ends of the channels.
    runtime.join()
    _give_back(infrastructure.smm)


def _give_back(memory: Any) -> None:
    """End the process that manages shared memory, in whatever state it is."""
    manager = memory and memory._manager
    # It can be shut down once it has been started.
    if not hasattr(manager, "shutdown"):
        return
    process = manager._process
    if process.is_alive():
        # One that was stopped would not hear that it has to end.
        os.kill(process.pid, signal.SIGCONT)
    else:
        for handle in memory._shared_memory_handles:
            with contextlib.suppress(FileNotFoundError):
                handle.unlink()
    memory.shutdown()


@functools.cache
def _register() -> None:
    os.register_at_fork(after_in_child=_end_with_parent)


def _end_with_parent() -> None:
    if not _is_starting:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Lava's DelaySparse builds its matrices in a way that scipy finds slow.
    warnings.simplefilter("ignore", SparseEfficiencyWarning)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Registration:
    """Lava's list of all processes and variables that were ever made, which would keep every network alive.

    A network holds its whole input and what it computed last, so a run of many networks would fill the memory.
    """

    def __init__(self) -> None:
        from lava.magma.core.process.process import ProcessServer
        from lava.magma.core.process.variable import VarServer

        self._lists: tuple[tuple[Any, str], ...] = ((ProcessServer(), "processes"), (VarServer(), "vars"))
        self._known = [len(getattr(server, name)) for server, name in self._lists]
        self._own: list[set[int]] = []

    def complete(self) -> None:
        """Note that all processes of the network are there."""
        self._own = [
            {id(each) for each in getattr(server, name)[known:]}
            for (server, name), known in zip(self._lists, self._known, strict=True)
        ]

    def remove(self) -> None:
        """Have Lava forget the network."""
        for (server, name), own in zip(self._lists, self._own, strict=False):
            kept = []
            for each in getattr(server, name):
                if id(each) not in own:
                    kept.append(each)
                elif name == "processes":
                    _detach(each)
            setattr(server, name, kept)


def _detach(process: Any) -> None:
    from lava.magma.core.process.ports.ports import ImplicitVarPort

    # Its destructor would stop a runtime that has stopped.
    process.runtime = None
    # Lava writes ports by which variables are read into the class of the model.
    model = process.model_class
    for name, port in list(vars(model).items() if model else ()):
        if isinstance(port, ImplicitVarPort) and port.process is process:
            delattr(model, name)
