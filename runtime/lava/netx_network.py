"""Somebody's netx file as netx makes a Lava network of it, with nothing attached but input and recorder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.netx import NetxNetwork
from snnc.runtime.lava.population import Process
from snnc.runtime.lava.running_network import RunningNetwork
from snnc.runtime.netx.schedule import NetxSchedule


class NetxLavaNetwork(RunningNetwork):
    """A network that is ready to run; always stop it (:func:`~snnc.runtime.lava.running_network.stopped_at_the_end`).

    Args:
        path: The file.
        network: What it describes.
        values: What arrives, (samples, T or 1, *input shape).
        schedule: Steps and resets.
        input_bits: netx's ``input_message_bits``.
        models: ``fast`` or ``stock``.
    """

    def __init__(
        self,
        path: str | Path,
        network: NetxNetwork,
        values: NDArray[np.integer[Any]],
        schedule: NetxSchedule,
        *,
        input_bits: int,
        models: str,
    ) -> None:
        super().__init__()
        from lava.lib.dl.netx import hdf5

        self._network = network
        self._schedule = schedule
        self._netx = hdf5.Network(
            net_config=str(path),
            num_layers=network.num_layers,
            skip_layers=network.skip_layers,
            input_message_bits=input_bits,
            reset_interval=schedule.reset_interval,
            reset_offset=schedule.reset_offset,
        )
        self._netx.net_config.f.close()
        self._blocks: list[Process] = list(self._netx.layers)
        # Lava keeps no reference to what is attached; without one it would be collected.
        self._attached = [self._recorder()]
        if network.takes_biases:
            self._blocks[0].neuron.bias_mant.init = lava_order(values[0, 0])
        else:
            self._attached.append(self._source(values))
        self._complete(self._blocks[-1].neuron, models)

    def set_biases(self, biases: NDArray[np.integer[Any]]) -> None:
        """Gives the input block other biases, (*input shape), between two steps."""
        self._blocks[0].neuron.bias_mant.set(lava_order(biases))

    def potentials(self) -> NDArray[np.int32]:
        """Membrane potentials v of the last block's neurons as it is now, of its shape."""
        shape = self._network.blocks[-1].shape
        potentials: NDArray[Any] = np.asarray(self._blocks[-1].neuron.v.get()).reshape(shape[::-1])
        return potentials.transpose().astype(np.int32)

    def spikes(self, index: int) -> NDArray[np.bool_]:
        """Spikes of a block in each step of its own time so far, (steps, *shape)."""
        from snnc.runtime.lava.processes.recorder import read_record

        steps = read_record(self._record(index), tuple(self._blocks[index].shape))
        # Lava turns the axes of images around.
        aligned = steps[self._schedule.latency(index) :]
        return aligned.transpose(0, *range(aligned.ndim - 1, 0, -1))

    def _source(self, values: NDArray[np.integer[Any]]) -> Process:
        """What sends all samples one after another, and then nothing."""
        from lava.proc.io.source import RingBuffer

        network, schedule = self._network, self._schedule
        held = np.broadcast_to(values, (len(values), schedule.timesteps, *values.shape[2:]))
        events = held.reshape(-1, *values.shape[2:])
        port = self._blocks[0].inp
        if len(port.shape) == 1:
            events = events.reshape(len(events), -1)
        idle = np.zeros((schedule.latency(len(network.blocks) - 1), *events.shape[1:]), np.int32)
        stream = np.concatenate([events, idle]).astype(np.int32)
        source = RingBuffer(data=np.ascontiguousarray(stream.transpose()))
        source.s_out.connect(port)
        return source

    def _recorder(self) -> Process:
        from snnc.runtime.lava.processes.recorder import recorder

        indices = range(len(self._blocks))
        sink = recorder([tuple(block.shape) for block in self._blocks], [self._record(index) for index in indices])
        for block, port in zip(self._blocks, sink.ports, strict=True):
            block.neuron.s_out.connect(port)
        return sink

    def _record(self, index: int) -> str:
        """The file that holds a block's spikes."""
        return str(self._folder.path / f"spikes-{index}")


def lava_order(values: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Values of a layer with its axes as Lava has them: (width, height, channels)."""
    return np.ascontiguousarray(values.transpose(), np.int32)
