"""The operations that can be compiled, one row each.

Importing the families puts their rows into the table, in the order of the lists that errors show.
"""

from snnc.compiler.frontend.operations import (  # noqa: I001 - the order is that of the lists
    weighted,
    activations,
    pooling,
    joins,
    shaping,
)

__all__ = ["activations", "joins", "pooling", "shaping", "weighted"]
