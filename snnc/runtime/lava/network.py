"""A program as a Lava network: netx's chain, with what netx cannot load attached to it (docs/lowering.md).

Only processes that Lava ships are used: LIF, LIFReset, Conv, Dense, Sparse, DelaySparse, and the buffers of
lava.proc.io.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from snnc.program import Program
from snnc.program.net import save
from snnc.program.targets import get_target
from snnc.runtime.lava.assembly import Assembly
from snnc.runtime.lava.engine import DEFAULT_MODELS, DEFAULT_TIMEOUT
from snnc.runtime.lava.parts import LavaParts
from snnc.runtime.lava.population import (
    Population,
    Process,
    image_order,
    input_order,
    input_shape,
    input_stream,
    message_bits,
)
from snnc.runtime.lava.running_network import RunningNetwork, stopped_at_the_end
from snnc.runtime.lava.schedule import Schedule
from snnc.runtime.lava.synapses import check_delays


class LavaNetwork(RunningNetwork):
    """A network that is ready to run; always stop it (see :func:`open_network`).

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
        models: What computes: ``fast`` (our process models, all in this process) or ``stock`` (Lava's, each in a
            process of the operating system).
        timeout: Seconds that these processes may take to start, and for one call of :meth:`run`.

    Raises:
        BackendError: Lava is not installed, or a delay is longer than the target's synapses can hold spikes back.
        OptionError: There are no such models.
    """

    def __init__(
        self,
        program: Program,
        levels: NDArray[np.uint8],
        models: str = DEFAULT_MODELS,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        check_delays(program)
        super().__init__()
        from lava.proc.io.sink import Read

        self.program = program
        self.schedule = Schedule.of(program, len(levels))
        blocks = self._load_chain()
        parts = LavaParts()
        source = Population(
            parts.source(input_stream(program, levels, self.schedule)), input_shape(program), input_order(program)
        )
        if blocks:
            source.process.s_out.connect(blocks[0].inp)
        chain = {
            index: Population(block.neuron, tuple(block.shape), image_order(program.layers[index].shape))
            for index, block in zip(program.chain, blocks, strict=True)
        }
        self._assembly = Assembly(program, self.schedule, parts, source, chain)
        # Lava keeps no reference to what is attached; without one it would be collected.
        self._attached: list[Process] = [*blocks]
        if program.spiking_layers:
            self._attach_recorder()
        self._read = Read(
            buffer=self.schedule.samples + self.schedule.reads_before,
            interval=self.schedule.interval,
            offset=self.schedule.read_offset,
        )
        self._read.connect_var(self._assembly.readout.process.u)
        self._complete(self._read, models, timeout)

    def spikes(self, index: int) -> NDArray[np.bool_]:
        """Return every spike of a layer, (samples, T, *layer shape); after all steps and before ``stop``."""
        from snnc.runtime.lava.processes.recorder import read_record

        population = self._assembly.populations[index]
        depth = self.program.depths[index] + self.program.lead_of(index)
        steps = read_record(self._record(index), population.shape)
        trains = np.stack([steps[self.schedule.window(depth, sample)] for sample in range(self.schedule.samples)])
        return population.restore(trains, self.program.layers[index].shape)

    def readout(self) -> NDArray[np.int64]:
        """Return the membrane potential of the readout after each sample, (samples, *shape), weight units."""
        potential = self._read.data.get().astype(np.int64)[..., self.schedule.reads_before :]
        # u holds weight units shifted left, so this division leaves no remainder.
        samples = np.moveaxis(potential, -1, 0) >> get_target(self.program.target).synaptic_input_shift
        return self._assembly.readout.restore(samples, self.program.readout.shape)

    def _load_chain(self) -> list[Process]:
        """Return the blocks that netx makes of the program's chain; none where the program has none."""
        if not self.program.chain:
            return []
        from lava.lib.dl.netx import hdf5

        path = self._folder.path / "network.net"
        save(self.program, path)
        self._netx = hdf5.Network(
            net_config=str(path),
            input_message_bits=message_bits(self.program),
            reset_interval=self.schedule.interval,
            # netx adds one, and one more for each layer.
            reset_offset=self.schedule.reset_offset(0) - 1,
        )
        self._netx.net_config.f.close()
        blocks = list(self._netx.layers)
        for index, block in zip(self.program.chain, blocks, strict=True):
            # With lead layers are further apart.
            offset = self.schedule.reset_offset(self.program.depths[index])
            block.neuron.proc_params.overwrite("reset_offset", offset)
        self._keep_weights(blocks)
        return blocks

    def _keep_weights(self, blocks: list[Process]) -> None:
        """Tell dense synapses that their weights have both signs and all bits, as the file means them.

        netx scales weights up until they fill all bits, and Lava guesses from their values whether all have one sign.
        Where none is positive it then takes -256, which a purely inhibitory synapse does not have, for -255, and drops
        the wrong bits of the others (lava/utils/weightutils.py).
        """
        from lava.utils.weightutils import SignMode

        weight_bits = get_target(self.program.target).weight_bits
        for index, block in zip(self.program.chain, blocks, strict=True):
            if self.program.layers[index].synapses[0].kind == "dense":
                block.synapse.proc_params.overwrite("sign_mode", SignMode.MIXED)
                block.synapse.proc_params.overwrite("num_weight_bits", weight_bits)

    def _attach_recorder(self) -> None:
        from snnc.runtime.lava.processes.recorder import recorder

        indices = range(len(self.program.spiking_layers))
        populations = [self._assembly.populations[index] for index in indices]
        sink = recorder([each.shape for each in populations], [self._record(index) for index in indices])
        for population, port in zip(populations, sink.ports, strict=True):
            population.process.s_out.connect(port)
        self._attached.append(sink)

    def _record(self, index: int) -> str:
        """Return the file that holds a layer's spikes."""
        return str(self._folder.path / f"spikes-{index}")


@contextmanager
def open_network(
    program: Program, levels: NDArray[np.uint8], models: str = DEFAULT_MODELS, timeout: float = DEFAULT_TIMEOUT
) -> Iterator[LavaNetwork]:
    """Yield a network that is stopped whatever happens, since each process may be one of the operating system.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
        models: ``fast`` or ``stock``.
        timeout: As for :class:`LavaNetwork`.
    """
    with stopped_at_the_end(LavaNetwork(program, levels, models, timeout)) as network:
        yield network
