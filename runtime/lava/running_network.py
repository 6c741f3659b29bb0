"""What every network that runs on Lava needs: an engine, a folder for its records, and an end whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from snnc.runtime.lava.available import import_lava
from snnc.runtime.lava.engine import Engine
from snnc.runtime.lava.models import check_models
from snnc.runtime.lava.population import Process
from snnc.runtime.lava.record_folder import RecordFolder
from snnc.runtime.lava.registration import Registration
from snnc.runtime.lava.timeout import DEFAULT_TIMEOUT


class RunningNetwork:
    """Base of the networks: made before their processes, and told when all of these are there.

    Each of Lava's processes may be a process of the operating system, so a network always has to be stopped
    (:func:`stopped_at_the_end`).

    Raises:
        BackendError: Lava is not installed.
    """

    def __init__(self) -> None:
        import_lava()
        self._registration = Registration()
        self._folder = RecordFolder()

    def _complete(self, process: Process, models: str, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Makes the network ready to run.

        Args:
            process: One of its processes: whichever is told runs all that it is connected with.
            models: ``fast`` or ``stock``.
            timeout: Seconds that processes may take to start, and for one call of :meth:`run`.

        Raises:
            OptionError: There are no such models.
        """
        self._engine = Engine(process, check_models(models), timeout)
        self._registration.complete()

    def run(self, steps: int) -> None:
        """Runs some steps."""
        self._engine.run(steps)

    def stop(self, *, failed: bool = False) -> None:
        """Ends every process of the network and removes what they wrote.

        Args:
            failed: Something went wrong, so processes may no longer answer.
        """
        try:
            self._engine.stop(failed=failed)
        finally:
            self._registration.remove()
            self._folder.remove()


Network = TypeVar("Network", bound=RunningNetwork)


@contextmanager
def stopped_at_the_end(network: Network) -> Iterator[Network]:
    """A network as long as the block lasts.

    Args:
        network: The network, ready to run.
    """
    try:
        yield network
    except BaseException:
        network.stop(failed=True)
        raise
    network.stop()
