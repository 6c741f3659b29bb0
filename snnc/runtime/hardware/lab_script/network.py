"""Lava's processes, made of their description, and their end."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

from snnc.runtime.hardware.lab_script.bundle_folder import Bundle

# From <sys/prctl.h>: the signal that a process gets when its parent ends.
PR_SET_PDEATHSIG = 1

_was_interrupted = False


@contextlib.contextmanager
def stopped_at_the_end(process: Any) -> Iterator[None]:
    """Run a network within the block; where that fails, kill its processes, which may no longer answer.

    Args:
        process: Any process of the network.
    """
    try:
        yield
        process.stop()
    except BaseException:
        _end(process.runtime)
        raise


def _end(runtime: Any) -> None:
    """Kill Lava's processes and give back its shared memory, however far it got."""
    infrastructure = getattr(runtime, "_messaging_infrastructure", None)
    for actor in getattr(infrastructure, "actors", ()):
        with contextlib.suppress(ValueError):  # it has ended, and was closed
            actor.kill()
            actor.join()
    manager: Any = getattr(infrastructure, "smm", None)
    # It can be shut down once it has been started.
    if hasattr(manager, "shutdown"):
        manager.shutdown()
    for process in multiprocessing.active_children():
        process.kill()
        process.join()
    if runtime is not None:
        # Else its destructor would wait for processes that are gone.
        runtime._is_started = runtime._is_running = False


def watch_offspring() -> None:
    """Have processes started from here on leave Ctrl-C to us, whom it reaches too, and end when we do, on Linux.

    What terminates us ends them first.
    """
    os.register_at_fork(after_in_child=_begin)
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def check_interrupt() -> None:
    """Raise KeyboardInterrupt where one was raised before and got lost.

    Python drops what is raised while it starts a process.
    """
    if _was_interrupted:
        raise KeyboardInterrupt


def _interrupt(*_: object) -> None:
    global _was_interrupted  # a signal handler has no other way to leave something behind
    _was_interrupted = True
    raise KeyboardInterrupt


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def build(bundle: Bundle, input_port: Any) -> list[Any]:
    """Return Lava's processes, connected; Lava keeps none of them, so the caller does.

    Args:
        bundle: The bundle.
        input_port: What sends the input.

    Returns:
        The processes by their numbers; None for the input.
    """
    from lava.proc.conv.process import Conv
    from lava.proc.dense.process import Dense
    from lava.proc.lif.process import LIF, LIFReset
    from lava.proc.sparse.process import DelaySparse, Sparse

    kinds = {each.__name__: each for each in (Conv, Dense, DelaySparse, LIF, LIFReset, Sparse)}
    processes: list[Any] = []
    for each in bundle.form["processes"]:
        options = {name: _option(bundle, name, value) for name, value in each["options"].items()}
        processes.append(None if each["kind"] == "Source" else kinds[each["kind"]](**options))
    for each in bundle.form["connections"]:
        source = processes[each["source"]]
        port = input_port if source is None else getattr(source, each["source_port"])
        for method, axes in each["rearranged"]:
            port = {"reshape": port.reshape, "transpose": port.transpose}[method](tuple(axes))
        port.connect(getattr(processes[each["target"]], each["target_port"]))
    return processes


def _option(bundle: Bundle, name: str, value: Any) -> Any:
    if name == "sign_mode":
        from lava.utils.weightutils import SignMode

        return SignMode[value]
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict) and "array" in value:
        return bundle.arrays[value["array"]]
    if isinstance(value, dict):
        from scipy.sparse import csr_matrix

        name = value["matrix"]
        parts = tuple(bundle.arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
        return csr_matrix(parts, shape=tuple(value["shape"]))
    return value
