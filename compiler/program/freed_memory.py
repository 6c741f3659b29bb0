"""How the C library deals with the memory that tensors leave behind."""

from __future__ import annotations

import numpy as np

# glibc follows the largest block that was ever returned, up to 32 MiB.
BLOCK = 31 << 20


def keep_freed_memory() -> None:
    """Makes the C library keep freed memory for the next tensor instead of returning it to the system.

    glibc returns what is free at the end of its heap as soon as it is twice the largest block that ever was allocated
    from the system and freed. Layers' tensors are often just above that: each is then fetched page by page anew, which
    costs a network of narrow convolutions a quarter of its time. One large block, never touched, raises the limit to
    62 MiB for the life of the process. Other C libraries are left as they are.
    """
    block = np.empty(BLOCK, np.uint8)
    del block
