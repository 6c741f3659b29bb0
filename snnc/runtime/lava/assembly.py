"""The populations of a program and everything between them, of whatever parts they are made."""

from __future__ import annotations

from collections.abc import Mapping

from snnc.program import Program
from snnc.runtime.lava.control import Control
from snnc.runtime.lava.parts import Parts
from snnc.runtime.lava.population import Population, Process, message_bits
from snnc.runtime.lava.schedule import Schedule
from snnc.runtime.lava.synapses import attach_synapse, neuron_block


class Assembly:
    """What lies around the chain: the other populations, all further synapses, biases, resets and gates.

    Args:
        program: The program.
        schedule: The schedule.
        parts: Where processes come from.
        source: The input.
        chain: The populations of the chain, whose first synapses are there already, by their index.

    Attributes:
        populations: All populations, by their index; the input is -1.
        attached: Processes that nothing else refers to; the caller keeps them, since Lava does not.
    """

    def __init__(
        self,
        program: Program,
        schedule: Schedule,
        parts: Parts,
        source: Population,
        chain: Mapping[int, Population],
    ) -> None:
        self._program = program
        self._parts = parts
        self.populations = {-1: source}
        for index in range(len(program.layers)):
            known = chain.get(index)
            self.populations[index] = known or neuron_block(program, index, schedule, parts)
        control = Control(program, schedule, parts)
        self.attached: list[Process] = list(control.processes)
        for index, layer in enumerate(program.layers):
            self._attach_synapses(index, first=1 if index in chain else 0)
            self.attached += control.attach(layer, program.depths[index], self.populations[index])

    @property
    def readout(self) -> Population:
        """The neurons whose potential holds the result."""
        return self.populations[len(self._program.layers) - 1]

    def _attach_synapses(self, index: int, *, first: int) -> None:
        """Attach the synapses of a layer from the ``first`` on."""
        program = self._program
        for synapse in program.layers[index].synapses[first:]:
            self.attached.append(
                attach_synapse(
                    self._parts,
                    synapse,
                    program.source_shape(synapse.source),
                    source=self.populations[synapse.source],
                    target=self.populations[index],
                    delay=program.delay(index, synapse),
                    message_bits=message_bits(program) if synapse.source < 0 else 0,
                )
            )
