"""Reads ONNX models, with the package ``onnx``, which only takes the file apart."""

from snnc.compiler.frontend.files.onnx.read import read_onnx

__all__ = ["read_onnx"]
