"""Running a program on Lava's CPU simulator, as netx's processes with stock Lava processes attached.

Lava itself is imported when a network is built, never before.
"""

from snnc.runtime.lava.available import lava_available
from snnc.runtime.lava.engine import DEFAULT_MODELS, DEFAULT_TIMEOUT, LAVA_MODELS
from snnc.runtime.lava.run import run_lava

__all__ = ["DEFAULT_MODELS", "DEFAULT_TIMEOUT", "LAVA_MODELS", "lava_available", "run_lava"]
