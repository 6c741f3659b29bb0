"""Lava's processes written down anew, step by step and sample by sample, in Python's unbounded integers.

Sources: lava/proc/lif/models.py (AbstractPyLifModelFixed, PyLifResetModelBitAcc), lava/proc/dense/models.py
(PyDenseModelBitAcc, PyDelayDenseModelBitAcc), lava/proc/conv/models.py (PyConvModelFixed), netx/hdf5.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from snnc.program.netx import Block, Connections, NetxNetwork


def signed(value: int, bits: int) -> int:
    """A two's complement number of so many bits."""
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def decayed(value: int, decay: int) -> int:
    """What is left of a state, rounded towards 0."""
    kept = abs(value * (4096 - decay)) >> 12
    return kept if value * (4096 - decay) >= 0 else -kept


class Lif:
    """One neuron."""

    def __init__(self, current_decay: int, voltage_decay: int, threshold: int) -> None:
        self.u = self.v = 0
        self._decays = (current_decay, voltage_decay)
        self._threshold = threshold
        self.wraps = self.clips = 0

    def step(self, arriving: int, bias: int) -> bool:
        """Whether it fires."""
        aligned = signed(arriving << 6, 32)
        exact = decayed(self.u, self._decays[0]) + (arriving << 6)
        current = signed(decayed(self.u, self._decays[0]) + aligned, 32)
        if current > 1 << 23:
            current -= 1 << 24
        elif current <= -(1 << 23):
            current += 1 << 24
        self.wraps += current != exact
        self.u = current
        sought = decayed(self.v, self._decays[1]) + current + (bias << 6)
        self.v = min(max(sought, -(1 << 23) + 1), (1 << 23) - 1)
        self.clips += self.v != sought
        if self.v > self._threshold << 6:
            self.v = 0
            return True
        return False

    def reset(self) -> None:
        """As LIFReset does before a step."""
        self.u = self.v = 0


def summed(connections: Connections, values: np.ndarray, delay: int | None, *, is_graded: bool) -> np.ndarray:
    """What the synapses of one delay add up to, (neurons,), for one step's values of the source's shape."""
    weight = connections.weight.astype(object)
    if connections.kind == "dense":
        if delay is not None:
            weight = np.where(connections.delay == delay, weight, 0)
        sums = weight @ values.ravel().astype(object)
        if is_graded and delay is None:
            return np.array([signed(each, 32) >> connections.shift for each in sums], object)
        return np.array([signed(each >> connections.shift, 32) for each in sums], object)
    outputs, per_group, height, width = weight.shape
    (down, across), (top, left), (rows, columns) = connections.stride, connections.padding, connections.dilation
    padded = np.pad(values.astype(object), ((0, 0), (top, top), (left, left)))
    taller = (padded.shape[1] - rows * (height - 1) - 1) // down + 1
    wider = (padded.shape[2] - columns * (width - 1) - 1) // across + 1
    found = np.zeros((outputs, taller, wider), object)
    for out in range(outputs):
        first = out // (outputs // connections.groups) * per_group
        for y in range(taller):
            for x in range(wider):
                window = padded[
                    first : first + per_group,
                    y * down : y * down + rows * height : rows,
                    x * across : x * across + columns * width : columns,
                ][:, :height, :width]
                found[out, y, x] = signed((weight[out] * window).sum(), 24)
    return found.ravel()


class ReferenceBlock:
    """Synapses, which answer a step later, and neurons."""

    def __init__(self, block: Block, *, is_graded: bool) -> None:
        neurons = block.neurons
        self._block = block
        self._is_graded = is_graded
        self.neurons = [Lif(neurons.current_decay, neurons.voltage_decay, neurons.threshold) for _ in range(block.size)]
        self._bias = [int(each) for each in neurons.bias.ravel()]
        # By Lava's step what arrives then.
        self._waiting: dict[int, np.ndarray] = {}

    def arriving(self, step: int) -> np.ndarray:
        """What the synapses send in a step."""
        return self._waiting.pop(step, np.zeros(self._block.size, object))

    def receive(self, step: int, values: np.ndarray) -> None:
        """Spikes, or numbers, of a step."""
        connections = self._block.connections
        assert connections is not None
        self._take(step, values, connections)

    def send_back(self, step: int, fired: np.ndarray) -> None:
        """Spikes of a step, over the synapses from the neurons to themselves."""
        if self._block.recurrent is not None:
            self._take(step, fired, self._block.recurrent)

    def _take(self, step: int, values: np.ndarray, connections: Connections) -> None:
        delays = [None] if connections.delay is None else sorted({int(each) for each in connections.delay.ravel()})
        for delay in delays:
            at = step + 1 + (delay or 0)
            part = summed(connections, values, delay, is_graded=self._is_graded)
            before = self._waiting.get(at, np.zeros(self._block.size, object))
            self._waiting[at] = np.array([signed(each, 32) for each in before + part], object)

    def fire(self, arriving: np.ndarray, biases: np.ndarray | None, *, reset: bool) -> np.ndarray:
        """Spikes of a step, of the block's shape."""
        own = self._bias if biases is None else [int(each) for each in biases.ravel()]
        fired = []
        for lif, input_, bias in zip(self.neurons, arriving, own, strict=True):
            if reset:
                lif.reset()
            fired.append(lif.step(int(input_), bias))
        return np.array(fired).reshape(self._block.shape)


def lava_steps(
    network: NetxNetwork,
    inputs: np.ndarray,
    steps: int,
    *,
    reset_interval: int | None,
    reset_offset: int,
    is_graded: bool = False,
) -> Iterator[tuple[list[np.ndarray], list[ReferenceBlock]]]:
    """Spikes of all blocks in each of Lava's steps, and the blocks.

    Args:
        network: The network.
        inputs: What arrives in each step from the first on, (steps, *input shape); the last one stays for an input
            block, and nothing follows for others.
        steps: How many of Lava's steps.
        reset_interval: netx's; None: never.
        reset_offset: netx's.
        is_graded: Whether numbers arrive and not spikes.
    """
    blocks = [ReferenceBlock(block, is_graded=is_graded and not index) for index, block in enumerate(network.blocks)]
    for step in range(1, steps + 1):
        value = inputs[min(step, len(inputs)) - 1]
        if not network.takes_biases and step > len(inputs):
            value = np.zeros_like(value)
        sent = [value] if not network.takes_biases else []
        fired = []
        for index, block in enumerate(blocks):
            reset = reset_interval is not None and step % reset_interval == (1 + reset_offset + index) % reset_interval
            if index == 0 and network.takes_biases:
                spikes = block.fire(np.zeros(network.blocks[0].size, object), value, reset=reset)
            else:
                spikes = block.fire(block.arriving(step), None, reset=reset)
            block.send_back(step, spikes)
            fired.append(spikes)
        sent += fired
        for index, block in enumerate(blocks):
            if network.takes_biases and index == 0:
                continue
            block.receive(step, sent[index - 1 if network.takes_biases else index])
        yield fired, blocks
