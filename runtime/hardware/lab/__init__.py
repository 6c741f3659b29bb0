"""A bundle that runs a network in a laboratory without snnc, and the result that comes back."""

from snnc.runtime.hardware.lab.bundle import write_bundle


__all__ = ["write_bundle"]
