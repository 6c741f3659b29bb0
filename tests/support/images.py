"""Small images, as arrays and as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def some_images(count: int = 5, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, channels, 4, 3), dtype=np.uint8)


def write_image(path: Path, mode: str = "L", size: tuple[int, int] = (3, 4), value: object = 7) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)
    return path
