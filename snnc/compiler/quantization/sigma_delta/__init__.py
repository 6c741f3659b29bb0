"""The second lowering: a chain of convolutions and dense layers to sigma-delta neurons, which netx has."""

from snnc.compiler.quantization.sigma_delta.compile import compile_sigma_delta

__all__ = ["compile_sigma_delta"]
