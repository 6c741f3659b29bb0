"""Reads graphs of NIR as networks to compile, whoever wrote them."""

from snnc.compiler.frontend.files.nir.read import NIR, read_nir

__all__ = ["NIR", "read_nir"]
