"""In which order a convolution's values lie best in memory."""

from __future__ import annotations

import torch


def convolution_order(
    image: tuple[int, ...], kernel: tuple[int, ...], padding: tuple[int, int], dilation: tuple[int, int]
) -> torch.memory_format:
    """The order for a convolution on a CPU.

    Channels last is up to three times as fast where channels are few. oneDNN crashes in it on images one pixel wide
    that are padded by more than the kernel reaches (torch 2.3.1), so that such ones keep the usual order.

    Args:
        image: (height, width).
        kernel: (height, width).
        padding: (vertical, horizontal).
        dilation: (vertical, horizontal).
    """
    reach = (step * (size - 1) for step, size in zip(dilation, kernel, strict=True))
    beyond = any(pad > each for pad, each in zip(padding, reach, strict=True))
    return torch.contiguous_format if beyond or min(image) == 1 else torch.channels_last
