"""Reads programs of ``torch.export``, without ``torch.export.load``."""

from snnc.compiler.frontend.exported.read import read_exported

__all__ = ["read_exported"]
