"""The description of a chip."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WeightRange:
    """Which integers weights may be: multiples of a step within [low, high].

    Attributes:
        low: The smallest.
        high: The largest.
        step: Distance of neighbouring weights.
    """

    low: int
    high: int
    step: int


@dataclass(frozen=True, kw_only=True)
class Target:
    """The limits of one chip, for a program built from integrate-and-fire neurons.

    Weights, thresholds and biases are counted in weight units: a spike through a synapse of weight 1 and exponent 0
    adds 1 to the input of a neuron. The state registers are finer by ``synaptic_input_shift`` bits.

    A limit that the maker has not published is None: a check has to pass over it, and to say so.

    Attributes:
        name: The name that ``--target`` takes.
        description: Name of the chip for people.
        weight_bits: Bits of a stored weight mantissa.
        weight_minimum: Smallest weight mantissa of a synapse group that holds both signs.
        weight_maximum: Largest weight mantissa of such a group.
        weight_step: Distance between neighbouring weight mantissas of such a group.
        weight_magnitude_maximum: Largest magnitude of a weight mantissa in a group that holds one sign only. There
            the sign bit is free, and every integer up to it can be stored. It is also the largest mantissa of a
            threshold, which a self-inhibiting synapse subtracts, and of a gate.
        weight_exponent_maximum: Largest power of two that scales all weights of a synapse group.
        threshold_bits: Bits of the threshold, unsigned, in weight units.
        bias_mantissa_bits: Bits of the mantissa of a neuron's own bias, signed. Networks of others have such biases;
            snnc sends them through synapses (``bias_step``).
        state_bits: Bits of each of the two state registers u and v, signed; u wraps around silently beyond them.
        synaptic_input_shift: Bits by which weighted input and threshold are shifted left into the registers.
        input_accumulator_bits: Bits of the register that sums the weighted input of one time step after that shift,
            signed.
        maximum_delay: Largest delay of a synapse, in time steps.
        graded_bits: Bits of the integer payload that a spike can carry, 0 without graded spikes. With enough of them
            pixels are sent as they are.
        neurons_per_core: Largest number of neurons (compartments) of a core.
        input_axons_per_core: Largest number of input axons (synapse lists addressed by incoming spikes) of a core.
        output_axons_per_core: Largest number of output axons (core-to-core edges leaving it) of a core.
        memory_per_core: Bytes of a core for synapses.
        cores_per_chip: Number of neuromorphic cores of a chip.
    """

    name: str
    description: str
    weight_bits: int
    weight_minimum: int
    weight_maximum: int
    weight_step: int
    weight_magnitude_maximum: int
    weight_exponent_maximum: int
    threshold_bits: int
    bias_mantissa_bits: int
    state_bits: int
    synaptic_input_shift: int
    input_accumulator_bits: int | None
    maximum_delay: int
    graded_bits: int
    neurons_per_core: int
    input_axons_per_core: int | None
    output_axons_per_core: int | None
    memory_per_core: int
    cores_per_chip: int

    @property
    def spike_weights(self) -> WeightRange:
        """The weight mantissas of a synapse group that holds both signs."""
        return WeightRange(self.weight_minimum, self.weight_maximum, self.weight_step)

    @property
    def membrane_limit(self) -> int:
        """First magnitude, in weight units, that a membrane must not reach: from here on u wraps around.

        The register is signed, so that one of its bits is the sign.
        """
        return int(2 ** (self.state_bits - 1 - self.synaptic_input_shift))

    @property
    def input_limit(self) -> int | None:
        """First magnitude, in weight units, that the input of one neuron in one time step must not reach."""
        if self.input_accumulator_bits is None:
            return None
        return int(2 ** (self.input_accumulator_bits - 1 - self.synaptic_input_shift))

    @property
    def threshold_maximum(self) -> int:
        """Largest threshold, in weight units."""
        return int(2**self.threshold_bits) - 1

    @property
    def bias_mantissas(self) -> tuple[int, int]:
        """The smallest and the largest bias mantissa."""
        limit = int(2 ** (self.bias_mantissa_bits - 1))
        return -limit, limit - 1

    @property
    def bias_step(self) -> int:
        """What a synapse counts that carries the coarse part of a bias, in weight units; a power of two.

        A second synapse carries the rest, within half a step on both sides. Weights of both signs are multiples of
        ``weight_step``: an exponent below 0 makes ones of them.
        """
        rest = min(-self.weight_minimum, self.weight_maximum + self.weight_step) // self.weight_step
        return min(1 << (2 * rest).bit_length() - 1, self.weight_step << self.weight_exponent_maximum)

    @property
    def bias_maximum(self) -> int:
        """Largest magnitude of a bias that these two synapses carry, in weight units."""
        coarse = min(-self.weight_minimum, self.weight_maximum) // self.weight_step
        return coarse * self.bias_step

    def carries(self, payload: int) -> bool:
        """Return whether a spike can carry a payload.

        Args:
            payload: From 0.
        """
        return payload.bit_length() <= self.graded_bits
