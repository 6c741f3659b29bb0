"""What each chip can hold, as data that the passes and the runtime read."""

from __future__ import annotations

from snnc.common.registry import import_all
from snnc.program.targets import chips
from snnc.program.targets.chips.loihi1 import LOIHI1
from snnc.program.targets.chips.loihi2 import LOIHI2
from snnc.program.targets.registry import (
    DEPLOYABLE,
    INTEGRATE_AND_FIRE,
    SIGMA_DELTA,
    Neuron,
    check_neuron,
    get_target,
    register,
    target_names,
)
from snnc.program.targets.target import Target, WeightRange

__all__ = [
    "DEPLOYABLE",
    "INTEGRATE_AND_FIRE",
    "LOIHI1",
    "LOIHI2",
    "SIGMA_DELTA",
    "Neuron",
    "Target",
    "WeightRange",
    "check_neuron",
    "get_target",
    "register",
    "target_names",
]

import_all(chips)
