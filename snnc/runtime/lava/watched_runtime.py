"""Lava's runtime, which notices that one of its processes has ended or no longer answers.

Lava's own (lava/magma/runtime/runtime.py) waits without end, for a process that was killed for its memory too.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from typing import Any

from lava.magma.compiler.executable import Executable
from lava.magma.core.process.message_interface_enum import ActorType
from lava.magma.runtime.mgmt_token_enums import MGMT_RESPONSE, enum_equal
from lava.magma.runtime.runtime import Runtime

from snnc.common.errors import BackendError, first_line

# Seconds between two looks at processes that owe an answer.
POLL = 0.2
# Seconds that a process which says that it failed may take to end.
FAREWELL = 5.0


class WatchedRuntime(Runtime):  # type: ignore[misc]  # lava-nc has no type information
    """The runtime of a network; its processes are those of the executable.

    Args:
        executable: What Lava's compiler made.
        timeout: Seconds for which the runtime waits for an answer: to having started all, and to each run.
    """

    def __init__(self, executable: Executable, timeout: float) -> None:
        super().__init__(executable, ActorType.MultiProcessing)
        self._timeout = timeout
        self._names = [type(each).__name__ for each in executable.proc_builders]
        executable.assign_runtime_to_all_processes(self)

    def initialize(self, node_cfg_idx: int = 0) -> None:
        """Start all processes.

        Raises:
            BackendError: One could not be started, or ended, or does not answer.
        """
        self._build_watchdog_manager()
        self._build_message_infrastructure()
        self._build_channels()
        self._build_sync_channels()
        for port in self.service_to_runtime:
            self._watch(port)
        self._build_processes()
        self._build_runtime_services()
        self._start_ports()
        try:
            self._wait_for_all()
        finally:
            for started in self.exception_q:
                started.close()
                # It closes its other end only once it is no longer referred to, as a traceback does.
                started._writer.close()
            del self.exception_q
        self._is_initialized = True

    def _wait_for_all(self) -> None:
        """Come back when all processes are ready."""
        deadline = time.monotonic() + self._timeout
        for started in self.exception_q:
            while True:
                # It sends None once it is ready, or what went wrong.
                with contextlib.suppress(queue.Empty):
                    if error := started.get(timeout=POLL):
                        raise self._failed(error)
                    break
                self._check(deadline)

    def _get_resp_for_run(self) -> None:
        for port in self.service_to_runtime:
            self._wait(port)
            if enum_equal(port.peek(), MGMT_RESPONSE.ERROR):
                # Lava would wait for all processes to end, of which others wait for the one that failed.
                end = time.monotonic() + FAREWELL
                while time.monotonic() < end:
                    self._check(end)
                    time.sleep(POLL)
                raise BackendError("a process of Lava's failed and does not say why")
        super()._get_resp_for_run()

    def _watch(self, port: Any) -> None:
        """Have a port wait for what arrives no longer than it may take."""
        receive = port.recv

        def watched() -> Any:
            self._wait(port)
            return receive()

        port.recv = watched

    def _wait(self, port: Any) -> None:
        if port.probe():
            return
        arrived = threading.Event()
        port.observer = arrived.set
        try:
            deadline = time.monotonic() + self._timeout
            while not port.probe():
                self._check(deadline)
                arrived.wait(POLL)
        finally:
            port.observer = None

    def _check(self, deadline: float) -> None:
        """Raise BackendError where a process has ended, or the time is over."""
        actors = self._messaging_infrastructure.actors
        for actor, name in zip(actors, [*self._names, *["service"] * len(actors)], strict=False):
            if not actor.is_alive():
                if actor.exception:
                    raise self._failed(actor.exception[0])
                raise BackendError(
                    f"a process of Lava's has ended: {name}, {_end(actor.exitcode)}",
                    advice="if memory ran out, take the fast models or fewer workers",
                )
        if time.monotonic() > deadline:
            raise BackendError(
                f"Lava has not answered for {self._timeout:g} s: one of its processes hangs, or is very slow",
                advice="if it is slow, give it more time with --lava-timeout",
            )

    @staticmethod
    def _failed(error: BaseException) -> BackendError:
        return BackendError(f"Lava failed: {type(error).__name__}: {first_line(error)}")


def _end(code: int | None) -> str:
    """Return how a process ended, in words."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"with exit code {code}"
