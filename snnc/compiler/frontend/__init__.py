"""From model files and modules to the graph."""

from snnc.compiler.frontend.coding import choose_coding
from snnc.compiler.frontend.tracing import refusal, trace

__all__ = ["choose_coding", "refusal", "trace"]
