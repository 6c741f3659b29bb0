"""Networks that are stopped whatever happens: each of Lava's processes may be a process of the operating system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar


class Stoppable(Protocol):
    """A network."""

    def stop(self, *, failed: bool = False) -> None:
        """Ends every process; where something failed, they may no longer answer."""
        ...


Network = TypeVar("Network", bound=Stoppable)


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
