"""Running samples of a sigma-delta program on Lava's CPU simulator."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import BackendError, OptionError, SnncError, first_line
from snnc.common.progress import Progress, Unheard, long_run
from snnc.program import SigmaDeltaProgram
from snnc.program.net import save
from snnc.runtime.lava.available import import_lava
from snnc.runtime.lava.engine import DEFAULT_TIMEOUT, LavaRun
from snnc.runtime.lava.population import Process, from_lava_order
from snnc.runtime.lava.running_network import RunningNetwork, stopped_at_the_end
from snnc.runtime.lava.stream import samples_per_stream
from snnc.runtime.result import RunResult, join_results, pieces

# What the neurons of lava.proc.sdn hold from step to step; each kind has some of them.
STATE = ("sigma", "act", "residue")


class SigmaDeltaNetwork(RunningNetwork):
    """A network that is ready to run; always stop it (:func:`~snnc.runtime.lava.running_network.stopped_at_the_end`).

    All that computes is what ``netx.hdf5.Network`` makes of the file. A source sends the samples, each held for its
    steps, after as many steps without input in which the network comes to rest; a recorder writes down what is sent.

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
        """Run without input until nothing changes any more, and remember that state."""
        self._engine.run(self._program.interval)
        variables = [getattr(each, name) for each in self._neurons for name in STATE if hasattr(each, name)]
        self._rest = [(variable, np.asarray(variable.get())) for variable in variables]

    def run_sample(self) -> None:
        """Run the next sample, and set all neurons back to rest."""
        self._engine.run(self._program.interval)
        for variable, value in self._rest:
            variable.set(value)

    def messages(self, index: int) -> NDArray[np.int32]:
        """Return what a layer sent, (samples, T, *layer shape): after all samples and before ``stop``."""
        from snnc.runtime.lava.processes.recorder import read_messages

        shape = self._program.layers[index].shape
        steps = read_messages(self._record(index), (int(np.prod(self._shapes[index])),))
        interval = self._program.interval
        found = steps[interval : interval * (self._samples + 1)].reshape(self._samples, interval, -1)
        return from_lava_order(found, shape, leading=2)

    def _record(self, index: int) -> str:
        """Return the file that holds a layer's messages."""
        return str(self._folder.path / f"messages-{index}")


def _stream(program: SigmaDeltaProgram, levels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return no input for an interval, then each sample for one, (*axes of netx, steps)."""
    steps = np.repeat(np.concatenate([np.zeros_like(levels[:1]), levels]), program.interval, axis=0)
    return np.ascontiguousarray(steps.transpose(), np.int32)


def run_sigma_delta(
    program: SigmaDeltaProgram, levels: NDArray[np.uint8], how: LavaRun, progress: Progress = Unheard()
) -> RunResult:
    """Run samples one after another on stock netx.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape), at least one sample.
        how: How. The models are those of synapses; neurons are Lava's.
        progress: Told how many samples are done, and once, after the first one, how long the others will take.

    Returns:
        The same as the simulator's result, but for ``wraps``, which Lava does not tell.

    Raises:
        BackendError: Lava is not installed, or failed while running.
        OptionError: Several workers or a cluster are wanted.
    """
    if how.workers not in (None, 1) or how.cluster is not None:
        raise OptionError(
            "sigma-delta networks run on one worker",
            where="workers" if how.cluster is None else "cluster",
            found=str(how.workers if how.cluster is None else how.cluster),
        )
    results: list[RunResult] = []
    for piece in pieces(len(levels), samples_per_stream(program)):
        results.append(_run_piece(program, levels, piece, how, progress))
    return join_results(results)


def _run_piece(
    program: SigmaDeltaProgram, levels: NDArray[np.uint8], piece: slice, how: LavaRun, progress: Progress
) -> RunResult:
    """Run a piece of the samples on a network of its own; by the first of all it says how long the others take."""
    own = levels[piece]
    try:
        import_lava()
        with stopped_at_the_end(SigmaDeltaNetwork(program, own, how.models, how.timeout)) as network:
            network.come_to_rest()
            for sample in range(piece.start, piece.stop):
                began = time.perf_counter()
                network.run_sample()
                if sample == 0:
                    seconds = (time.perf_counter() - began) * (len(levels) - 1)
                    progress.say(long_run(seconds, len(levels)))
                progress.advance(sample + 1)
            return _result(program, network, own, record=how.record)
    except SnncError:
        raise
    except Exception as error:  # whatever Lava raises when one of its processes fails
        raise BackendError(f"Lava failed: {type(error).__name__}: {first_line(error)}") from error


def _result(
    program: SigmaDeltaProgram, network: SigmaDeltaNetwork, levels: NDArray[np.uint8], *, record: bool
) -> RunResult:
    counts, kept = [], []
    for index in range(len(program.spiking_layers)):
        messages = network.messages(index)
        counts.append(np.count_nonzero(messages, axis=(0, 1)).astype(np.int64))
        if record:
            kept.append(messages)
    return RunResult(
        readout=network.messages(len(program.layers) - 1)[:, -1].astype(np.int64),
        spike_counts=tuple(counts),
        input_counts=np.count_nonzero(levels, axis=0).astype(np.int64),
        wraps=None,
        spikes=tuple(kept) if record else None,
    )
