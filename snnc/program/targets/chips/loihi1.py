"""Intel's first Loihi.

Sources, by the short names used in the comments:

- Davies 2018: M. Davies et al., "Loihi: a neuromorphic manycore processor with on-chip learning", IEEE Micro 38(1),
  82-99, 2018.
- Brief 2021: Intel Labs, "Taking neuromorphic computing to the next level with Loihi 2", technology brief, 2021.
- nengo-loihi: its block.py and builder/discretize.py, written against Intel's NxSDK and run on Loihi 1.
- Brian2Loihi: its loihi_synapses.py, an emulator compared with Loihi 1 bit by bit (C. Michaelis et al., "Brian2Loihi:
  an emulator for the neuromorphic chip Loihi using the spiking neural network simulator Brian", Frontiers in
  Neuroinformatics 16, 2022).
- Lava: lava-nc 0.10.0, the bit-accurate models of LIF (proc/lif/models.py), of the connections
  (proc/dense/models.py, utils/weightutils.py) and their documentation.
"""

from __future__ import annotations

from snnc.program.targets.registry import register
from snnc.program.targets.target import Target

_KIBIBYTE = 1024

LOIHI1 = register(
    Target(
        name="loihi1",
        description="Intel Loihi",
        # Davies 2018 p. 87: 1 to 9 bits, signed or unsigned. A nine-bit weight is eight stored bits and a sign.
        weight_bits=8,
        # Lava, utils/weightutils.py: with both signs in a group (SignMode.MIXED) the sign takes one of the eight bits
        # and the last bit of the weight is dropped: even numbers from -2**8 to 2**8 - 2. Brian2Loihi: -256 to 254.
        weight_minimum=-256,
        weight_maximum=254,
        weight_step=2,
        # Lava, utils/weightutils.py: 2**8 - 1 where all weights of a group have one sign.
        weight_magnitude_maximum=255,
        # Brian2Loihi: -8 to 7.
        weight_exponent_maximum=7,
        # Lava, LIF: unsigned, 0 to 131071; nengo-loihi: VTH_MAN_MAX.
        threshold_bits=17,
        # Lava, LIF: -4096 to 4095. nengo-loihi stays within 4095 on both sides.
        bias_mantissa_bits=13,
        # Lava, LIF: u and v are 24 bits wide; nengo-loihi: U_BITS, 23 and a sign.
        state_bits=24,
        # Lava, LIF: threshold and synaptic input are shifted by 6; nengo-loihi: VTH_EXP.
        synaptic_input_shift=6,
        # nengo-loihi: Q_BITS, 21 and a sign. Lava does not model this register.
        input_accumulator_bits=22,
        # Davies 2018 table 1: six bits, unsigned. Brian2Loihi and lava-dl (slayer/block/cuba.py) allow 62, one less
        # than the field could hold.
        maximum_delay=62,
        # Davies 2018, "Spiking neural networks": spikes are single-bit impulses.
        graded_bits=0,
        # Davies 2018 p. 86 and p. 89, constraint 1.
        neurons_per_core=1024,
        # Davies 2018 p. 89, constraint 4; nengo-loihi: MAX_IN_AXONS.
        input_axons_per_core=4096,
        # Davies 2018 p. 89, constraint 3; nengo-loihi: MAX_OUT_AXONS.
        output_axons_per_core=4096,
        # Davies 2018 p. 89, constraint 2: 128 KB; nengo-loihi: MAX_SYNAPSE_BITS = 1048576.
        # Davies 2018 p. 89 counts synaptic state alone; neurons and routing tables have memory of their own.
        memory_per_core=128 * _KIBIBYTE,
        # Davies 2018 p. 86.
        cores_per_chip=128,
    )
)
