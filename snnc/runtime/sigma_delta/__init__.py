"""The native simulator of sigma-delta networks: the integers of Lava's fixed-point models, computed exactly."""

from snnc.runtime.sigma_delta.simulator import SigmaDeltaSimulator

__all__ = ["SigmaDeltaSimulator"]
