"""A network whose first layer is dense and reads thousands of pixels, held against its ANN for growing T.

    python benchmarks/dense_first.py DATA
    python benchmarks/dense_first.py DATA --timesteps 8 64 --epochs 10

DATA is a folder that holds the class folders of CIFAR-10's pictures in ``train`` and ``test``. The network, 3,072 to
256 to 10, is trained here, which takes a minute; accuracies are those on the test images.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import nn

import snnc


def trained(data: snnc.Dataset, epochs: int) -> nn.Sequential:
    """Return the network, trained."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3072, 256), nn.ReLU(), nn.Linear(256, 10))
    images, labels = torch.as_tensor(np.asarray(data.images[:])), torch.as_tensor(data.labels)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1 - epoch / epochs)
        for batch in torch.randperm(len(images)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[batch].float() / 255), labels[batch]).backward()
            optimizer.step()
    return network.eval()


def main() -> None:
    """Train, compile for each T, and print accuracies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a folder with train and test")
    parser.add_argument("--timesteps", type=int, nargs="+", default=[8, 32, 128])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--samples", type=int, default=10000)
    given = parser.parse_args()
    training = snnc.load_data(given.data, split="train")
    test = snnc.load_data(given.data, split="test").subset(given.samples, 0)
    network = trained(training, given.epochs)
    with torch.no_grad():
        ann = network(torch.as_tensor(np.asarray(test.images[:])).float() / 255).argmax(1).numpy()
    print(f"ANN     {100 * (ann == test.labels).mean():.2f} %")
    for timesteps in given.timesteps:
        program = snnc.compile(network, training, timesteps=timesteps)
        result = snnc.run(program, test)
        print(f"T = {timesteps:<4}{100 * result.accuracy(test.labels):.2f} %", flush=True)


if __name__ == "__main__":
    main()
