"""Intel's Loihi 2; the short names of sources are those of :mod:`snnc.program.targets.chips.loihi1`.

"loihi" alone means this one: it is the chip that can be had today, and the one that Lava's processes are made for.
"""

from __future__ import annotations

from snnc.program.targets.registry import register
from snnc.program.targets.target import Target

_KIBIBYTE = 1024

LOIHI2 = register(
    Target(
        name="loihi2",
        description="Intel Loihi 2",
        # Lava's connections, which are made for Loihi 2: eight bits, the rest as for Loihi 1.
        weight_bits=8,
        weight_minimum=-256,
        weight_maximum=254,
        weight_step=2,
        weight_magnitude_maximum=255,
        # Not published for Loihi 2. Lava's simulator takes any exponent; the range of Loihi 1 is taken over.
        weight_exponent_maximum=7,
        # Lava, LIF: the neuron that the compiled network is built of has the same widths on both chips. Loihi 2's
        # programmable neurons are not bound to them; its LIF microcode is part of Intel's unpublished extension.
        threshold_bits=17,
        bias_mantissa_bits=13,
        state_bits=24,
        synaptic_input_shift=6,
        # Not published, and not modelled by Lava.
        input_accumulator_bits=None,
        # Lava, proc/dense/models.py: "a maximum of 6 bits for delays". 62 as for Loihi 1, so that lava-dl agrees.
        maximum_delay=62,
        # Brief 2021: spikes may carry integer payloads of up to 32 bits.
        graded_bits=32,
        # Brief 2021: up to 8192 per core; how many fit depends on the neuron program and on the memory left.
        neurons_per_core=8192,
        # Not published: axon tables share the core's memory.
        input_axons_per_core=None,
        output_axons_per_core=None,
        # Brief 2021: 192 KB per core, divided freely between synapses, neurons and axons, whose share
        # is not published: placement counts synapses alone.
        memory_per_core=192 * _KIBIBYTE,
        # Brief 2021: 128. Users of the boards report that 120 of them can be used.
        cores_per_chip=128,
    ),
    "loihi",
)
