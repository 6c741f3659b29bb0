"""A program as a Lava network: netx's chain with self-inhibition, biases and gates attached (design.md 5).

Only processes that Lava ships are used: LIF, LIFReset, Conv, Dense, Sparse, and the buffers of lava.proc.io.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.compiler.emit import save
from snnc.compiler.program import Layer, Program, Scaled
from snnc.errors import BackendError
from snnc.runtime.lava.available import import_lava
from snnc.runtime.lava.schedule import Schedule

# A bias is a multiple of 256 and a rest in -128..127.
BIAS_STEP = 256

# lava-nc has no type information.
Process = Any


class LavaNetwork:
    """A network that is ready to run; always stop it (see :func:`open_network`).

    Args:
        program: The program; its layers must form a chain.
        levels: Input levels, (samples, *input shape).

    Raises:
        BackendError: Lava is not installed, or the layers do not form a chain.
    """

    def __init__(self, program: Program, levels: NDArray[np.uint8]) -> None:
        check_chain(program)
        import_lava()
        from lava.lib.dl.netx import hdf5
        from lava.proc.io.sink import Read
        from lava.proc.io.source import RingBuffer as Source

        from snnc.runtime.lava.processes.recorder import Recorder

        self.program = program
        self.schedule = Schedule(program.timesteps, len(program.layers), len(levels))
        graded = program.coding.kind == "graded"
        self._folder = tempfile.TemporaryDirectory(prefix="snnc-lava-")
        path = Path(self._folder.name) / "network.net"
        save(program, path)
        self._netx = hdf5.Network(
            net_config=str(path),
            input_message_bits=8 if graded else 0,
            reset_interval=self.schedule.interval,
            reset_offset=1,
        )
        self._netx.net_config.f.close()
        self._keep_weights()
        # Lava keeps no reference to what is attached here; without one it would be collected.
        self._attached: list[Process] = []
        self._attach_all()
        self._source = Source(data=self._stream(levels))
        self._source.s_out.connect(self._netx.inp)
        for index, block in enumerate(self._netx.layers[:-1]):
            recorder = Recorder(shape=tuple(block.out.shape), path=self._record(index))
            block.out.connect(recorder.a_in)
            self._attached.append(recorder)
        self._read = Read(
            buffer=self.schedule.samples + self.schedule.reads_before,
            interval=self.schedule.interval,
            offset=self.schedule.read_offset,
        )
        self._read.connect_var(self._netx.layers[-1].neuron.u)

    def run(self, steps: int) -> None:
        """Runs some steps of the schedule."""
        from lava.magma.core.run_conditions import RunSteps
        from lava.magma.core.run_configs import Loihi2SimCfg

        self._netx.run(condition=RunSteps(steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))

    def stop(self) -> None:
        """Ends every process of the network and removes what they wrote."""
        try:
            self._netx.stop()
        finally:
            self._folder.cleanup()

    def spikes(self, index: int) -> NDArray[np.bool_]:
        """Every spike of a layer, (samples, T, *layer shape); after all steps and before ``stop``."""
        from snnc.runtime.lava.processes.recorder import read_record

        steps = read_record(self._record(index), tuple(self._netx.layers[index].out.shape))
        trains = np.stack([steps[self.schedule.window(index, sample)] for sample in range(self.schedule.samples)])
        return trains if trains.ndim == 3 else np.ascontiguousarray(trains.transpose(0, 1, 4, 3, 2))

    def _record(self, index: int) -> str:
        """The file that holds a layer's spikes."""
        return str(Path(self._folder.name) / f"spikes-{index}")

    def readout(self) -> NDArray[np.int64]:
        """Membrane potential of the readout after each sample, (samples, *shape), weight units."""
        potential = self._read.data.get().astype(np.int64)[..., self.schedule.reads_before :]
        # u holds weight units shifted left by 6 bits, so this division leaves no remainder.
        samples = np.moveaxis(potential, -1, 0) >> 6
        return samples if samples.ndim == 2 else np.ascontiguousarray(samples.transpose(0, 3, 2, 1))

    def _stream(self, levels: NDArray[np.uint8]) -> NDArray[np.int32]:
        """The source's data: axes as netx wants them, (width, height, channels, steps) or (features, steps)."""
        schedule, shape = self.schedule, self.program.coding.shape
        padded = np.zeros((schedule.samples, schedule.interval, *shape), np.int32)
        padded[:, : schedule.timesteps] = self.program.coding.spikes(levels, schedule.timesteps)
        steps = padded.reshape(-1, *shape)
        if self.program.layers[0].synapses[0].kind == "dense":
            return np.ascontiguousarray(steps.reshape(len(steps), -1).T)
        return np.ascontiguousarray(steps.transpose(3, 2, 1, 0))

    def _keep_weights(self) -> None:
        """Tells dense synapses that their weights have both signs and eight bits, as the file means them.

        netx scales weights up until they fill eight bits, and Lava guesses from their values whether all have one sign.
        Where none is positive it then takes -256, which a purely inhibitory synapse does not have, for -255, and drops
        the wrong bits of the others (lava/utils/weightutils.py).
        """
        from lava.utils.weightutils import SignMode

        for layer, block in zip(self.program.layers, self._netx.layers, strict=True):
            if layer.synapses[0].kind == "dense":
                block.synapse.proc_params.overwrite("sign_mode", SignMode.MIXED)
                block.synapse.proc_params.overwrite("num_weight_bits", 8)

    def _attach_all(self) -> None:
        from lava.proc.lif.process import LIF

        layers = self.program.layers
        schedule = self.schedule
        always_on = LIF(
            shape=(len(layers),),
            vth=0,
            bias_mant=1,
            bias_exp=6,
            du=4095,
            dv=0,
            v=np.array([schedule.bias_start(index) for index in range(len(layers))]),
        )
        owners = [index for index, layer in enumerate(layers) for _ in range(layer.gate.count if layer.gate else 0)]
        clock = LIF(
            shape=(len(owners),),
            vth=schedule.timesteps,
            bias_mant=1,
            bias_exp=6,
            du=4095,
            dv=0,
            v=np.array([schedule.gate_start(index) for index in owners]),
        )
        self._attached += [always_on, clock]
        for index, (layer, block) in enumerate(zip(layers, self._netx.layers, strict=True)):
            self._attach_bias(layer, index, block, always_on)
            if layer.threshold and layer.gate:
                self._attach_inhibition(layer.neurons, layer.threshold, block)
                columns = np.array([owner == index for owner in owners], dtype=np.int64)
                weights = csr_matrix(np.ones((layer.neurons, 1), np.int64) * -layer.gate.pulse.mantissa * columns)
                self._attach(weights, layer.gate.pulse.exponent, clock.s_out, block)

    def _attach_inhibition(self, neurons: int, threshold: Scaled, block: Process) -> None:
        """Reset by subtraction: a spike takes theta off its own neuron's potential one step later."""
        diagonal = np.arange(neurons)
        weights = csr_matrix((np.full(neurons, -threshold.mantissa), (diagonal, diagonal)))
        self._attach(weights, threshold.exponent, block.neuron.s_out.reshape((neurons,)), block)

    def _attach_bias(self, layer: Layer, index: int, block: Process, always_on: Process) -> None:
        """The bias, from the layer's always-on neuron, as multiples of 256 and the rest."""
        bias = np.broadcast_to(layer.bias, layer.shape).astype(np.int64)
        if len(layer.shape) == 3:
            bias = bias.transpose(2, 1, 0)
        rest = (bias.ravel() + BIAS_STEP // 2) % BIAS_STEP - BIAS_STEP // 2
        coarse = (bias.ravel() - rest) // BIAS_STEP
        # Weights of both signs are even on the chip: twice the number, and an exponent that halves it again.
        for values, exponent in ((rest, -1), (coarse, 7)):
            if values.any():
                rows = np.flatnonzero(values)
                columns = np.full(len(rows), index)
                shape = (layer.neurons, len(self.program.layers))
                self._attach(csr_matrix((2 * values[rows], (rows, columns)), shape), exponent, always_on.s_out, block)

    def _attach(self, weights: csr_matrix, exponent: int, spikes: Process, block: Process) -> None:
        """A synapse from ``spikes`` into a block's neurons."""
        from lava.proc.sparse.process import Sparse

        synapse = Sparse(weights=weights, weight_exp=exponent)
        spikes.connect(synapse.s_in)
        synapse.a_out.reshape(tuple(block.shape)).connect(block.neuron.a_in)
        self._attached.append(synapse)


def check_chain(program: Program) -> None:
    """Raises BackendError where a layer reads anything else than the layer before it, and nothing besides."""
    for index, layer in enumerate(program.layers):
        if [synapse.source for synapse in layer.synapses] != [index - 1]:
            raise BackendError(
                "cannot run on Lava yet",
                where=layer.where,
                expected="one synapse, from the layer before it",
                found=f"synapses from {[synapse.source for synapse in layer.synapses]}",
            )


@contextmanager
def open_network(program: Program, levels: NDArray[np.uint8]) -> Iterator[LavaNetwork]:
    """A network that is stopped whatever happens: every Lava process is a process of the operating system."""
    network = LavaNetwork(program, levels)
    try:
        yield network
    finally:
        network.stop()
