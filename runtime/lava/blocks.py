"""The neurons of a layer that netx does not load, as one of Lava's LIF processes."""

from __future__ import annotations

import numpy as np

from snnc.compiler.emit.layout import VOLTAGE_DECAY, current_decay, fired_above
from snnc.compiler.program import Layer
from snnc.runtime.lava.parts import Parts
from snnc.runtime.lava.population import Population
from snnc.runtime.lava.schedule import Schedule


def neuron_block(layer: Layer, depth: int, schedule: Schedule, parts: Parts) -> Population:
    """The same neurons as netx makes of a layer, in the order of the layer, with one axis.

    Args:
        layer: The layer.
        depth: Its place in the pipeline, from 0.
        schedule: The schedule.
        parts: Where processes come from.
    """
    options = {
        "shape": (layer.neurons,),
        "vth": fired_above(layer),
        # Lava's fixed-point LIF adds one.
        "du": current_decay(layer) - 1,
        "dv": VOLTAGE_DECAY,
    }
    if layer.memoryless:
        process = parts.lif(**options)
    else:
        process = parts.lif_reset(
            **options, reset_interval=schedule.interval, reset_offset=schedule.reset_offset(depth)
        )
    return Population(process, (layer.neurons,), np.arange(layer.neurons))
