"""Running a program on a Loihi board, for which Intel's lava-loihi extension is needed."""

from snnc.runtime.hardware.board import loihi_available, run_loihi

__all__ = ["loihi_available", "run_loihi"]
