"""The file format: a Program as netx HDF5, and back."""

from snnc.program.net.reader import load
from snnc.program.net.writer import save

__all__ = ["load", "save"]
