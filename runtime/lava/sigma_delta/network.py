"""A sigma-delta program as netx loads it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.emit import save
from snnc.compiler.program import SigmaDeltaProgram
from snnc.runtime.lava.population import Process, image_order
from snnc.runtime.lava.running_network import RunningNetwork
from snnc.runtime.lava.timeout import DEFAULT_TIMEOUT

# What the neurons of lava.proc.sdn hold from step to step; each kind has some of them.
STATE = ("sigma", "act", "residue")


class SigmaDeltaNetwork(RunningNetwork):
    """A network that is ready to run; always stop it (:func:`~snnc.runtime.lava.running_network.stopped_at_the_end`).

    All that computes is what ``netx.hdf5.Network`` makes of the file. A source sends the samples, each held for its
    steps, behind as many steps without input in which the network comes to rest; a recorder writes down what is sent.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
        models: ``fast`` or ``stock``.
        timeout: Seconds that processes may take to start, and for a sample.

    Raises:
        BackendError: Lava is not installed.
        OptionError: There are no such models.
    """

    def __init__(
        self, program: SigmaDeltaProgram, levels: NDArray[np.uint8], models: str, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        super().__init__()
        from lava.lib.dl.netx import hdf5
        from lava.proc.io.source import RingBuffer

        from snnc.runtime.lava.processes.recorder import message_recorder

        self._program = program
        self._samples = len(levels)
        path = self._folder.path / "network.net"
        save(program, path)
        self._netx = hdf5.Network(net_config=str(path))
        self._netx.net_config.f.close()
        delta, *blocks = self._netx.layers
        self._neurons: list[Process] = [delta.neuron, *(block.neuron for block in blocks)]
        self._shapes = [tuple(map(int, block.shape)) for block in blocks]
        source = RingBuffer(data=_stream(program, levels))
        source.s_out.connect(delta.neuron.a_in)
        sink = message_recorder(self._shapes, [self._record(index) for index in range(len(blocks))])
        for block, port in zip(blocks, sink.ports, strict=True):
            block.neuron.s_out.connect(port)
        # Lava keeps no reference to what is attached; without one it would be collected.
        self._attached = [source, sink]
        self._rest: list[tuple[Any, NDArray[Any]]] = []
        self._complete(delta.neuron, models, timeout)

    def come_to_rest(self) -> None:
        """Runs without input until nothing changes any more, and remembers that state."""
        self._engine.run(self._program.interval)
        variables = [getattr(each, name) for each in self._neurons for name in STATE if hasattr(each, name)]
        self._rest = [(variable, np.asarray(variable.get())) for variable in variables]

    def run_sample(self) -> None:
        """Runs the next sample, and sets all neurons back to rest."""
        self._engine.run(self._program.interval)
        for variable, value in self._rest:
            variable.set(value)

    def messages(self, index: int) -> NDArray[np.int32]:
        """What a layer sent, (samples, T, *layer shape): after all samples and before ``stop``."""
        from snnc.runtime.lava.processes.recorder import read_messages

        shape = self._program.layers[index].shape
        steps = read_messages(self._record(index), (int(np.prod(self._shapes[index])),))
        interval = self._program.interval
        found = steps[interval : interval * (self._samples + 1)].reshape(self._samples, interval, -1)
        restored = np.empty_like(found)
        restored[..., image_order(shape)] = found
        return restored.reshape(self._samples, interval, *shape)

    def _record(self, index: int) -> str:
        """The file that holds a layer's messages."""
        return str(self._folder.path / f"messages-{index}")


def _stream(program: SigmaDeltaProgram, levels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """No input for an interval, then each sample for one, (*axes of netx, steps)."""
    steps = np.repeat(np.concatenate([np.zeros_like(levels[:1]), levels]), program.interval, axis=0)
    return np.ascontiguousarray(steps.transpose(), np.int32)
