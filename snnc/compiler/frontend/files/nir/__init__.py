"""Reads graphs of NIR as networks to compile, whoever wrote them."""

from snnc.compiler.frontend.files.nir.read import read_nir

__all__ = ["read_nir"]
