"""Random networks of every supported operation, compiled for growing T and held against the module that they came from.

    python benchmarks/meaning.py --networks 100 --targets loihi2 loihi1

More steps are to be more exact: a network's correlation with its module grows with T and reaches 0.99 at T = 256, or
the compilation warned. Prints a line for each network, and at the end how many hold.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

import snnc
from snnc.program.verdict import LEAST_EXPLAINED

STEPS = (8, 32, 256)
WANTED = 0.99


class Residual(nn.Module):
    """``relu(x + f(x))``."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum, rectified."""
        return torch.relu(x + self.inner(x))


class Joined(nn.Module):
    """``cat(f(x), g(x))`` along the channels."""

    def __init__(self, one: nn.Module, other: nn.Module) -> None:
        super().__init__()
        self.one, self.other = one, other

    def forward(self, x: Tensor) -> Tensor:
        """Return both, one after the other."""
        return torch.cat([self.one(x), self.other(x)], 1)


class Sliced(nn.Module):
    """All rows and columns but the first."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the slice."""
        return x[:, :, 1:, 1:]


def random_network(seed: int) -> tuple[nn.Module, Tensor]:
    """Return a network with random weights, whose normalisations know its data, and 400 samples.

    Args:
        seed: Decides all of it.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    channels, side = int(rng.integers(1, 4)), int(rng.integers(7, 13))
    data = smooth_images(400, channels, side, rng)
    parts: list[nn.Module] = []
    shape = data.shape[1:]

    def add(*modules: nn.Module) -> None:
        nonlocal shape
        parts.extend(modules)
        shape = nn.Sequential(*modules).eval()(torch.zeros(1, *shape)).shape[1:]

    if rng.random() < 0.2:
        add(nn.BatchNorm2d(channels))
    if rng.random() < 0.15:
        add(nn.AvgPool2d(2))
    for _ in range(int(rng.integers(1, 4))):
        add(*block(shape, rng))
    end = rng.random()
    if end < 0.35 and shape[1] > 1:
        add(nn.AdaptiveAvgPool2d(1))
    elif end < 0.45 and shape[1] > 2:
        add(nn.Conv2d(shape[0], 6, 1), nn.MaxPool2d(2))
    add(nn.Flatten())
    if rng.random() < 0.4:
        add(nn.Linear(shape[0], 24), nn.ReLU(), *([nn.BatchNorm1d(24)] if rng.random() < 0.4 else []))
    add(nn.Linear(shape[0], int(rng.integers(2, 11))))
    network = nn.Sequential(*parts)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, 0, 0.3)
            part.momentum = None
    network.train()
    with torch.no_grad():
        network(data[:300])
    return network.eval(), data


def block(shape: torch.Size, rng: np.random.Generator) -> list[nn.Module]:
    """Return an operation with an activation, and perhaps a pooling."""
    channels, side = shape[0], shape[1]
    wide = int(rng.integers(4, 13))

    def convolution(inputs: int, outputs: int) -> nn.Conv2d:
        return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bool(rng.random() < 0.7))

    def plain() -> list[nn.Module]:
        normalised = [nn.BatchNorm2d(wide)] if rng.random() < 0.5 else []
        return [convolution(channels, wide), *normalised, nn.ReLU()]

    kinds: list[Callable[[], list[nn.Module]]] = [
        plain,
        plain,
        lambda: [nn.Conv2d(channels, wide, 3, stride=2, padding=1), nn.ReLU()],
        lambda: [nn.Conv2d(channels, channels, 3, padding=1, groups=channels), nn.Conv2d(channels, wide, 1), nn.ReLU()],
        lambda: [convolution(channels, wide), nn.ReLU(), nn.BatchNorm2d(wide)],
        lambda: [convolution(channels, wide), nn.ReLU(), Residual(convolution(wide, wide))],
        lambda: [Joined(convolution(channels, wide), nn.Conv2d(channels, 4, 1)), nn.ReLU()],
        lambda: [nn.Conv2d(channels, wide, 3, padding=2, dilation=2), nn.ReLU()],
        lambda: [nn.ConvTranspose2d(channels, wide, 2, stride=2), nn.ReLU()] if side < 9 else plain(),
        lambda: [*plain(), Sliced()] if side > 3 else plain(),
        lambda: [nn.ZeroPad2d(1), nn.Conv2d(channels, wide, 3), nn.ReLU()],
    ]
    found = kinds[int(rng.integers(len(kinds)))]()
    choice = rng.random()
    if side > 4 and choice < 0.25:
        found.append(nn.AvgPool2d(2))
    elif side > 4 and choice < 0.5:
        found.append(nn.MaxPool2d(2))
    return found


def smooth_images(count: int, channels: int, side: int, rng: np.random.Generator) -> Tensor:
    """Return images in 0..1 whose neighbouring pixels are alike."""
    coarse = torch.as_tensor(rng.uniform(size=(count, channels, 4, 4)), dtype=torch.float32)
    fine = nn.functional.interpolate(coarse, (side, side), mode="bilinear", align_corners=True)
    return (fine + 0.1 * torch.as_tensor(rng.uniform(size=fine.shape), dtype=torch.float32)).clamp(0, 1)


def correlations(seed: int, target: str) -> tuple[list[float], bool]:
    """Return a network's correlation with its module for each T, nan where it is refused, and whether it was warned of.

    Args:
        seed: Of the network.
        target: The chip.
    """
    network, data = random_network(seed)
    with torch.no_grad():
        wanted = network(data[300:]).double().numpy()
    found, warned = [], False
    for timesteps in STEPS:
        try:
            program = snnc.compile(network, data[:300], timesteps=timesteps, target=target)
        except snnc.SnncError as error:
            print(f"  seed {seed}, T = {timesteps}: {error}")
            found.append(float("nan"))
            warned = True
            continue
        outputs = program.logits(snnc.run(program, data[300:]).readout).reshape(wanted.shape)
        found.append(float(np.corrcoef(outputs.ravel(), wanted.ravel())[0, 1]))
        verdict, notes = program.provenance.verdict, program.provenance.notes
        # What is no warning stands in the first line of the output, or in a note.
        warned = any(note.startswith(f"T = {timesteps} is more than") for note in notes)
        warned |= verdict is not None and bool(verdict.failures() or (verdict.explained or 0) < LEAST_EXPLAINED)
    return found, warned


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--targets", nargs="+", default=["loihi2", "loihi1"])
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for target in given.targets:
        good = told = 0
        for seed in range(given.first, given.first + given.networks):
            values, warned = correlations(seed, target)
            holds = values[-1] >= WANTED and values[0] <= values[1] + 0.005 and values[1] <= values[2] + 0.005
            good += holds
            told += warned and not holds
            mark = "" if holds else "  warned of" if warned else "  NOT warned of"
            print(f"{target} {seed:4d}  {'  '.join(f'{each:.4f}' for each in values)}{mark}", flush=True)
        print(f"{target}: {good} of {given.networks} hold, {told} of the others were warned of")


if __name__ == "__main__":
    main()
