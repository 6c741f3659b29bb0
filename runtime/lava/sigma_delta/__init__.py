"""Sigma-delta programs on Lava's CPU simulator: what netx makes of the file, with nothing attached but a source."""

from snnc.runtime.lava.sigma_delta.run import run_sigma_delta

__all__ = ["run_sigma_delta"]
