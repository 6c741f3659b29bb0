"""The file format: a Program as netx HDF5, and back."""

from snnc.program.net.reader import load
from snnc.program.net.writer import identity, save

__all__ = ["identity", "load", "save"]
