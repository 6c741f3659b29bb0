"""Running a program on a Loihi board, for which Intel's lava-loihi extension is needed."""

from snnc.runtime.hardware.available import loihi_available
from snnc.runtime.hardware.run import run_loihi

__all__ = ["loihi_available", "run_loihi"]
