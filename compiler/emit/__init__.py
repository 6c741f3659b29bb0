"""The file format: a Program as netx HDF5, and back."""

from snnc.compiler.emit.reader import load
from snnc.compiler.emit.writer import save

__all__ = ["load", "save"]
