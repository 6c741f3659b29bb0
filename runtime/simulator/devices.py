"""What the simulator needs of the device that it computes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Memory for what is computed at once. On a CPU what its caches hold, for each thread: larger chunks wait for memory,
# in smaller ones starting an operation takes as long as doing it.
CPU_MEMORY = 36 << 20
# On a GPU what keeps all of it at work, and is there on any.
GPU_MEMORY = 1 << 30


def default_memory(device: torch.device) -> int:
    """Bytes that are best computed on at once, for each thread."""
    return CPU_MEMORY if device.type == "cpu" else GPU_MEMORY


@contextmanager
def exact_products(device: torch.device) -> Iterator[None]:
    """Keeps matrix products of float32 in float32, as long as the block lasts, and records nothing for gradients."""
    with torch.no_grad():
        if device.type != "cuda":
            yield
            return
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            yield
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before
