"""How many positions a sliding window takes: the one formula of convolutions and pooling."""

from __future__ import annotations


def window_output(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Number of positions that a sliding window takes along one axis.

    Args:
        size: Length of the axis.
        kernel: Length of the window, in entries.
        stride: Distance of neighbouring positions.
        padding: Zeros put before and behind the axis each.
        dilation: Distance of neighbouring entries of the window.

    Raises:
        ValueError: The window is larger than the padded input.
    """
    span = dilation * (kernel - 1) + 1
    if size + 2 * padding < span:
        raise ValueError(f"expected at least {span} rows or columns, found {size} padded by {padding} on each side")
    return (size + 2 * padding - span) // stride + 1
