"""Reads ONNX models, with the package ``onnx``, which only takes the file apart."""

from snnc.compiler.frontend.files.onnx.read import FORMAT, read_onnx

__all__ = ["FORMAT", "read_onnx"]
