"""Makes exported-VERSION.pt2, a small program of torch.export, and exported.npz, what it computes.

    .venv/bin/python tests/data/make_exported.py
    .venv-newest/bin/python tests/data/make_exported.py

The layout of the archive changed between the two; tests read both under every PyTorch.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).parent
SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Dropout(0.3)
        )
        self.side = nn.Conv2d(2, 2, 1, bias=False)
        self.head = nn.Linear(64, 3)

    def forward(self, x):
        x = self.features(x)
        x = torch.cat([x, torch.relu(self.side(x))], 1)
        return self.head(x.view(x.size(0), -1))
"""


def main() -> None:
    names: dict[str, Any] = {"__name__": "net"}
    exec(compile(SOURCE, "net.py", "exec"), names)
    torch.manual_seed(0)
    network = names["Net"]().eval()
    images = torch.linspace(-1, 1, 3 * 64).reshape(3, 1, 8, 8)
    with torch.no_grad():
        if (HERE / "exported.npz").exists():
            stored = np.load(HERE / "exported.npz")
            network.load_state_dict({name: torch.as_tensor(stored[name]) for name in network.state_dict()})
        arrays = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
        np.savez_compressed(HERE / "exported.npz", expected=network(images).numpy(), **arrays)
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(network, (images[:1],)), buffer)
    version = ".".join(torch.__version__.split(".")[:2])
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(HERE / f"exported-{version}.pt2", "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith(".json"):
                # Where this machine keeps its libraries is nobody's business.
                content = re.sub(rb'[^" ]*/site-packages/', b"site-packages/", content)
            target.writestr(zipfile.ZipInfo(name), content)


if __name__ == "__main__":
    main()
