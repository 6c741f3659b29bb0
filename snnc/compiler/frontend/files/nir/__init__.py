"""Reads graphs of NIR as networks to compile, whoever wrote them."""

from snnc.compiler.frontend.files.nir.read import FORMAT, read_nir

__all__ = ["FORMAT", "read_nir"]
