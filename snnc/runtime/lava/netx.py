"""Running samples through a netx file on Lava's CPU simulator."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import BackendError, SnncError, first_line
from snnc.common.progress import PartOf, Progress, Unheard
from snnc.program.netx import NetxNetwork
from snnc.runtime.lava.population import Process, from_lava_order, lava_order
from snnc.runtime.lava.running_network import RunningNetwork, stopped_at_the_end
from snnc.runtime.lava.stream import BUDGET
from snnc.runtime.netx.result import NetxResult
from snnc.runtime.netx.schedule import NetxSchedule, checked_values
from snnc.runtime.result import pieces


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
            self._blocks[0].neuron.bias_mant.init = _as_biases(values[0, 0])
        else:
            self._attached.append(self._source(values))
        self._complete(self._blocks[-1].neuron, models)

    def set_biases(self, biases: NDArray[np.integer[Any]]) -> None:
        """Give the input block other biases, (*input shape), between two steps."""
        self._blocks[0].neuron.bias_mant.set(_as_biases(biases))

    def potentials(self) -> NDArray[np.int32]:
        """Return the membrane potentials v of the last block's neurons as they are now, of its shape."""
        shape = self._network.blocks[-1].shape
        return from_lava_order(np.asarray(self._blocks[-1].neuron.v.get(), np.int32), shape)

    def spikes(self, index: int) -> NDArray[np.bool_]:
        """Return the spikes of a block in each step of its own time so far, (steps, *shape)."""
        from snnc.runtime.lava.processes.recorder import read_record

        steps = read_record(self._record(index), tuple(self._blocks[index].shape))
        return from_lava_order(steps[self._schedule.latency(index) :], self._network.blocks[index].shape, leading=1)

    def _source(self, values: NDArray[np.integer[Any]]) -> Process:
        """Return what sends all samples one after another, and then nothing."""
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
        """Return the file that holds a block's spikes."""
        return str(self._folder.path / f"spikes-{index}")


def _as_biases(values: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    return np.ascontiguousarray(lava_order(values), np.int32)


def run_netx_on_lava(
    path: str | Path,
    network: NetxNetwork,
    values: NDArray[np.integer[Any]],
    schedule: NetxSchedule,
    *,
    input_bits: int,
    record: Collection[int],
    models: str,
    progress: Progress = Unheard(),
) -> NetxResult:
    """Stream samples through the network that stock netx makes of a file.

    Where samples are separate and synapses have delays or lead back, each sample gets a network of its own, since what
    is under way would reach the next one.

    Args:
        path: The file.
        network: What it describes.
        values: As for :meth:`snnc.runtime.netx.NetxSimulator.run`.
        schedule: Steps and resets.
        input_bits: As there.
        record: Indices of the blocks whose spike trains are kept.
        models: ``fast`` (our process models, in one process) or ``stock`` (Lava's). The result is the same.
        progress: Told how many samples are done.

    Returns:
        What the simulator gives, but for wraps and clips, which Lava does not tell.

    Raises:
        BackendError: Lava is not installed, or failed.
        DataError: The data do not fit the network.
    """
    values = checked_values(network, values, schedule, input_bits)
    size = len(values)
    if schedule.separates_samples:
        widest = sum(block.size for block in network.blocks) + int(np.prod(network.input_shape))
        size = 1 if network.remembers else max(1, BUDGET // (4 * widest * schedule.timesteps))
    results: list[NetxResult] = []
    for piece in pieces(len(values), size):
        try:
            lava = NetxLavaNetwork(path, network, values[piece], schedule, input_bits=input_bits, models=models)
            with stopped_at_the_end(lava):
                results.append(_run(lava, network, values[piece], schedule, record, PartOf(progress, piece.start)))
        except SnncError:
            raise
        except Exception as error:  # whatever Lava raises when one of its processes fails
            raise BackendError(f"Lava failed: {type(error).__name__}: {first_line(error)}") from error
    return _joined(results)


def _run(
    lava: NetxLavaNetwork,
    network: NetxNetwork,
    values: NDArray[np.integer[Any]],
    schedule: NetxSchedule,
    record: Collection[int],
    progress: Progress,
) -> NetxResult:
    timesteps, latency = schedule.timesteps, schedule.latency(len(network.blocks) - 1)
    # Behind which of Lava's steps biases change, and the potentials of a sample are to be read.
    changes: dict[int, NDArray[np.integer[Any]]] = {}
    if network.takes_biases:
        per_sample = values.shape[1]
        flat = values.reshape(-1, *values.shape[2:])
        changes = {index * timesteps // per_sample: biases for index, biases in enumerate(flat) if index}
    reads = {(sample + 1) * timesteps + latency for sample in range(len(values))}
    potentials, now = [], 0
    for step in sorted({*changes, *reads}):
        lava.run(step - now)
        now = step
        if step in reads:
            potentials.append(lava.potentials())
            progress.advance(len(potentials))
        if step in changes:
            lava.set_biases(changes[step])
    spike_counts, spikes = [], {}
    for index in range(len(network.blocks)):
        train = lava.spikes(index)[: len(values) * timesteps].reshape(
            len(values), timesteps, *network.blocks[index].shape
        )
        spike_counts.append(train.sum((0, 1), dtype=np.int64))
        if index in record:
            spikes[index] = train
    input_counts = None
    if not network.takes_biases:
        input_counts = (values != 0).sum((0, 1), dtype=np.int64) * (timesteps // values.shape[1])
    return NetxResult(
        counts=train.sum(1, dtype=np.int64),
        potentials=np.stack(potentials),
        spike_counts=tuple(spike_counts),
        input_counts=input_counts,
        wraps=None,
        clips=None,
        spikes=spikes,
    )


def _joined(results: list[NetxResult]) -> NetxResult:
    """Return one result for samples that ran one after another."""
    first = results[0]
    if len(results) == 1:
        return first
    counted = [each.input_counts for each in results if each.input_counts is not None]
    return NetxResult(
        counts=np.concatenate([each.counts for each in results]),
        potentials=np.concatenate([each.potentials for each in results]),
        spike_counts=tuple(
            sum(counts, np.zeros_like(counts[0]))
            for counts in zip(*(each.spike_counts for each in results), strict=True)
        ),
        input_counts=sum(counted, np.zeros_like(counted[0])) if counted else None,
        wraps=None,
        clips=None,
        spikes={index: np.concatenate([each.spikes[index] for each in results]) for index in first.spikes},
    )
