"""What the tests of the command line share: a compiled network, and how a command is called."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from snnc.cli import main
from snnc.models import digits_cnn, train
from snnc.models.data import load_data

Call = Callable[..., str]


class Folder:
    """A trained network and its .net file, made once for all tests."""

    def __init__(self, path: Path) -> None:
        self.model = path / "digits.pt"
        self.net = path / "digits.net"
        torch.manual_seed(0)
        network = digits_cnn()
        data = load_data("digits", split="train")
        images = torch.as_tensor(data.images * np.float32(data.unit))
        train(network, images, torch.as_tensor(data.labels), epochs=8, learning_rate=3e-3, threads=1)
        torch.save(network, self.model)
        assert main(["compile", str(self.model), "--calib", "digits", "-o", str(self.net), "-q"]) == 0


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snnc", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
