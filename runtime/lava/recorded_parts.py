"""Parts that are not made but written down: which process with which arguments, and what is connected with what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

# How the axes of a port are rearranged: the method of Lava's port, and its argument.
Rearrangement = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class RecordedConnection:
    """A port that sends, and one that receives.

    Attributes:
        source: Number of the process that sends.
        source_port: Its port.
        rearranged: What happens to the axes on the way.
        target: Number of the process that receives.
        target_port: Its port.
    """

    source: int
    source_port: str
    rearranged: tuple[Rearrangement, ...]
    target: int
    target_port: str


@dataclass(frozen=True, eq=False)
class RecordedPort:
    """A port, as far as connecting asks for it.

    Attributes:
        record: Where connections are written down.
        process: Number of the process that it belongs to.
        name: Its name there.
        rearranged: What happened to its axes.
    """

    record: list[RecordedConnection]
    process: int
    name: str
    rearranged: tuple[Rearrangement, ...] = ()

    def reshape(self, shape: Sequence[int]) -> RecordedPort:
        """The same port with other axes."""
        return replace(self, rearranged=(*self.rearranged, ("reshape", tuple(map(int, shape)))))

    def transpose(self, axes: Sequence[int]) -> RecordedPort:
        """The same port with its axes in another order."""
        return replace(self, rearranged=(*self.rearranged, ("transpose", tuple(map(int, axes)))))

    def connect(self, target: RecordedPort) -> None:
        """Has this port send to another."""
        assert not target.rearranged
        self.record.append(RecordedConnection(self.process, self.name, self.rearranged, target.process, target.name))


@dataclass(frozen=True, eq=False)
class RecordedProcess:
    """A process with the ports of neurons, synapses and sources; each uses those that it has on Lava.

    Attributes:
        number: Its place in the record.
        kind: The name of Lava's class, or ``Source``.
        options: What it is made with.
        connections: Where connections are written down.
    """

    number: int
    kind: str
    options: Mapping[str, Any]
    connections: list[RecordedConnection] = field(repr=False)

    @property
    def s_in(self) -> RecordedPort:
        """Where synapses receive."""
        return RecordedPort(self.connections, self.number, "s_in")

    @property
    def a_out(self) -> RecordedPort:
        """Where synapses send."""
        return RecordedPort(self.connections, self.number, "a_out")

    @property
    def a_in(self) -> RecordedPort:
        """Where neurons receive."""
        return RecordedPort(self.connections, self.number, "a_in")

    @property
    def s_out(self) -> RecordedPort:
        """Where neurons and sources send."""
        return RecordedPort(self.connections, self.number, "s_out")


class RecordedParts:
    """Writes down what is asked for.

    Attributes:
        processes: All processes, in the order in which they were asked for.
        connections: All connections, likewise.
    """

    def __init__(self) -> None:
        self.processes: list[RecordedProcess] = []
        self.connections: list[RecordedConnection] = []

    def source(self, shape: tuple[int, ...]) -> RecordedProcess:
        """What sends the input."""
        return self._add("Source", {"shape": shape})

    def lif(self, **options: Any) -> RecordedProcess:
        """Neurons."""
        return self._add("LIF", options)

    def lif_reset(self, **options: Any) -> RecordedProcess:
        """Neurons that are cleared once in each interval."""
        return self._add("LIFReset", options)

    def conv(self, *, weight: NDArray[np.int32], **options: Any) -> RecordedProcess:
        """Synapses that share weights."""
        return self._add("Conv", {"weight": weight, **options})

    def dense(self, *, weights: NDArray[np.int32], **options: Any) -> RecordedProcess:
        """Synapses between all."""
        return self._add("Dense", {"weights": weights, **options})

    def sparse(self, *, weights: csr_matrix, **options: Any) -> RecordedProcess:
        """Synapses between some."""
        return self._add("Sparse", {"weights": weights, **options})

    def delay_sparse(self, *, weights: csr_matrix, delays: csr_matrix, **options: Any) -> RecordedProcess:
        """Synapses between some that hold spikes back."""
        return self._add("DelaySparse", {"weights": weights, "delays": delays, **options})

    def _add(self, kind: str, options: dict[str, Any]) -> RecordedProcess:
        process = RecordedProcess(len(self.processes), kind, options, self.connections)
        self.processes.append(process)
        return process
