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
            threshold that a self-inhibiting synapse can subtract exactly.
        weight_exponent_minimum: Smallest power of two that scales all weights of a synapse group.
        weight_exponent_maximum: Largest such power.
        threshold_bits: Bits of the threshold, unsigned, in weight units.
        bias_mantissa_bits: Bits of the bias mantissa, signed, in units of the state registers.
        bias_exponent_bits: Bits of the bias exponent, unsigned: a bias is ``mantissa * 2**exponent``.
        state_bits: Bits of each of the two state registers u and v, signed; u wraps around silently beyond them.
        synaptic_input_shift: Bits by which weighted input and threshold are shifted left into the registers.
        input_accumulator_bits: Bits of the register that sums the weighted input of one time step after that shift,
            signed.
        maximum_delay: Largest delay of a synapse, in time steps.
        graded_input: Whether a spike can carry an integer payload, so that pixels can be sent as they are.
        graded_bits: Bits of that payload, 0 without graded spikes.
        neurons_per_core: Largest number of neurons (compartments) of a core.
        input_axons_per_core: Largest number of input axons (synapse lists addressed by incoming spikes) of a core.
        output_axons_per_core: Largest number of output axons (core-to-core edges leaving it) of a core.
        memory_per_core: Bytes of a core for synapses.
        memory_shared: Whether neurons and axons take their share of ``memory_per_core`` too.
        cores_per_chip: Number of neuromorphic cores of a chip.
    """

    name: str
    description: str
    weight_bits: int
    weight_minimum: int
    weight_maximum: int
    weight_step: int
    weight_magnitude_maximum: int
    weight_exponent_minimum: int
    weight_exponent_maximum: int
    threshold_bits: int
    bias_mantissa_bits: int
    bias_exponent_bits: int
    state_bits: int
    synaptic_input_shift: int
    input_accumulator_bits: int | None
    maximum_delay: int
    graded_input: bool
    graded_bits: int
    neurons_per_core: int
    input_axons_per_core: int | None
    output_axons_per_core: int | None
    memory_per_core: int
    memory_shared: bool
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
    def threshold_mantissa_maximum(self) -> int:
        """Largest mantissa of a threshold that is a self-inhibiting weight (``weight_magnitude_maximum``)."""
        return self.weight_magnitude_maximum

    @property
    def bias_mantissa_minimum(self) -> int:
        """Smallest bias mantissa."""
        return -int(2 ** (self.bias_mantissa_bits - 1))

    @property
    def bias_mantissa_maximum(self) -> int:
        """Largest bias mantissa."""
        return int(2 ** (self.bias_mantissa_bits - 1)) - 1

    @property
    def bias_exponent_maximum(self) -> int:
        """Largest bias exponent; the smallest is 0."""
        return int(2**self.bias_exponent_bits) - 1

    @property
    def neurons_per_chip(self) -> int:
        """Largest number of neurons of a chip, all cores together."""
        return self.neurons_per_core * self.cores_per_chip
