"""The networks that are compiled: small, and of the same weights on every machine and with every PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from snnc import models

Shape = tuple[int, ...]


def filled(network: nn.Module, seed: int) -> nn.Module:
    """Gives every weight and every running statistic a value of its own, and takes the network out of training.

    Args:
        network: Any network; its thresholds of activations are left as they are.
        seed: Of numpy's RandomState, whose stream is fixed for ever; PyTorch's initial weights are not.
    """
    random = np.random.RandomState(seed)

    def drawn(shape: torch.Size, spread: float) -> torch.Tensor:
        return torch.as_tensor(random.uniform(-spread, spread, tuple(shape)), dtype=torch.float32)

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            inputs = layer.weight[0].numel()
            layer.weight.data = drawn(layer.weight.shape, float(np.sqrt(6 / inputs)))
            if layer.bias is not None:
                layer.bias.data = drawn(layer.bias.shape, 0.3)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean = drawn(layer.running_mean.shape, 0.5)
            layer.running_var = 1.0 + drawn(layer.running_var.shape, 0.6)
            if layer.affine:
                layer.weight.data = 1.0 + drawn(layer.weight.shape, 0.5)
                layer.bias.data = drawn(layer.bias.shape, 0.4)
    return network.eval()


class Residual(nn.Module):
    """Blocks with identity and 1 x 1 shortcuts, a concatenation and maximum pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.one, self.two = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.three, self.four = nn.Conv2d(4, 6, 3, 2, 1), nn.Conv2d(6, 6, 3, padding=1)
        self.short = nn.Sequential(nn.Conv2d(4, 6, 1, 2, bias=False), nn.BatchNorm2d(6))
        self.pool = nn.MaxPool2d(2)
        self.end = nn.Linear(12 * 2 * 2, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(samples, 2, 8, 8) to 5 classes."""
        x = torch.relu(self.stem(x))
        x = torch.relu(self.two(torch.relu(self.one(x))) + x)
        y = torch.relu(self.three(x))
        x = torch.relu(self.four(y) + self.short(x))
        return self.end(self.pool(torch.cat((x, y), 1)).flatten(1))


class Branches(nn.Module):
    """Two paths that are concatenated, a third that is added, a transposed convolution, a mean over the image."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Conv2d(2, 3, 3, padding=1)
        self.right = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.ReLU())
        self.over = nn.Conv2d(2, 5, 1)
        self.up = nn.ConvTranspose2d(5, 4, 3, stride=2, padding=1, output_padding=1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(samples, 2, 8, 8) to 3 classes."""
        both = torch.cat([torch.relu(self.left(x)), self.right(x)], dim=1)
        both = torch.relu(both + self.over(x))
        return self.fc(torch.relu(self.up(both)).mean((2, 3)))


class Slices(nn.Module):
    """Slices of channels and of images, padding of both, a shortcut without weights, of any padding."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d((1, 2, 0, 1))
        self.one = nn.Conv2d(2, 6, 3)
        self.two = nn.Conv2d(3, 4, 3, padding=1, stride=2)
        self.three = nn.Conv2d(4, 6, 3, padding=(0, 1))
        self.end = nn.Linear(6 * 6 * 4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(samples, 2, 8, 8) to 4 classes."""
        x = torch.relu(self.one(self.pad(x)))
        y = torch.relu(self.two(x[:, 3:, :, 1:]))
        y = self.three(functional.pad(y, (0, 0, 2, 2)))
        z = functional.pad(x[:, 1:5, :6, ::2], (0, 0, 0, 0, 1, 1))
        z = z[..., :4]
        y = torch.relu(functional.pad(y, (0, 0, 0, 1))[:, :, :6] + z)
        return self.end(y.flatten(1))


class Doubled(nn.Module):
    """One layer's result is used three times, and paths of very different lengths meet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.deep = nn.Sequential(
            *(each for _ in range(3) for each in (nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()))
        )
        self.down = nn.AvgPool2d(2)
        self.end = nn.Linear(4 * 4 * 4, 4)
        self.across = nn.Linear(2 * 8 * 8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(samples, 2, 8, 8) to 4 classes."""
        first = torch.relu(self.stem(x))
        both = torch.relu(self.deep(first) + first)
        return self.end(self.down(both + first).flatten(1)) + self.across(x.flatten(1))


def grouped() -> nn.Sequential:
    """Groups, depthwise convolutions, strides and dilations that differ between the axes."""
    return nn.Sequential(
        nn.Conv2d(2, 6, (3, 2), padding=(1, 0), groups=2),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 8, (1, 3), stride=(2, 1), dilation=(1, 2), groups=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 4 * 3, 5),
    )


def pooled() -> nn.Sequential:
    """Average pooling that overlaps and is padded, adaptive pooling, normalisation before a padded convolution."""
    return nn.Sequential(
        nn.BatchNorm2d(2),
        nn.Conv2d(2, 4, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(3, 2, 1),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d((2, 3)),
        nn.Flatten(),
        nn.Linear(36, 5),
        nn.Softmax(dim=1),
    )


def overlapping() -> nn.Sequential:
    """Maximum pooling whose windows overlap and are padded, and over the whole image."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(4, 5, 1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 3),
    )


def chain() -> nn.Sequential:
    """Normalisation, pooling that folds away, groups: what sigma-delta neurons take too."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 8, 3, groups=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 10),
    )


def dense() -> nn.Sequential:
    """Features instead of images."""
    return nn.Sequential(
        nn.Linear(12, 20),
        nn.BatchNorm1d(20),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(20, 8, bias=False),
        nn.ReLU(),
        nn.Linear(8, 4),
    )


def wide() -> nn.Sequential:
    """A layer with more inputs than a core of a chip has room for."""
    return nn.Sequential(nn.Flatten(), nn.Linear(4 * 64 * 64, 24), nn.ReLU(), nn.Linear(24, 4))


def small_vgg() -> nn.Sequential:
    """VGG's plan with six convolutions, as the benchmarks have it, narrower."""
    layers: list[nn.Module] = []
    inputs = 3
    for outputs in (8, 16, 32):
        for _ in range(2):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            inputs = outputs
        layers.append(nn.AvgPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * 16, 10))


def bounded() -> nn.Sequential:
    """The residual blocks of snnc.models, with both kinds of shortcut, and thresholds that were learned."""

    def block(inputs: int, outputs: int, shortcut: Literal["padded", "convolution"]) -> nn.Module:
        return models.ResidualBlock(
            inputs, outputs, stride=2, shortcut=shortcut, activation=lambda: models.ClippedReLU(2.5)
        )

    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        models.ClippedReLU(2.0),
        block(4, 6, "padded"),
        block(6, 8, "convolution"),
        nn.Flatten(),
        nn.Linear(8 * 4, 5),
    )


# By name what makes the network, and the shape of a sample.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "branches": (Branches, (2, 8, 8)),
    "chain": (chain, (1, 8, 8)),
    "bounded": (bounded, (2, 8, 8)),
    "clipped-digits": (lambda: models.digits_cnn(activation="clipped"), (1, 8, 8)),
    "clipped-max": (lambda: models.digits_cnn(activation="clipped", pooling="max"), (1, 8, 8)),
    "dense": (dense, (12,)),
    "doubled": (Doubled, (2, 8, 8)),
    "grouped": (grouped, (2, 8, 8)),
    "lenet": (models.lenet, (1, 28, 28)),
    "lenet-max": (lambda: models.lenet(pooling="max"), (1, 28, 28)),
    "overlapping": (overlapping, (2, 8, 8)),
    "pooled": (pooled, (2, 8, 8)),
    "qcfs-digits": (lambda: models.digits_cnn(activation="qcfs"), (1, 8, 8)),
    "residual": (Residual, (2, 8, 8)),
    "slices": (Slices, (2, 8, 8)),
    "vgg": (small_vgg, (3, 32, 32)),
    "wide": (wide, (4, 64, 64)),
}


def network(name: str) -> nn.Module:
    """One of ``NETWORKS``, in evaluation mode; its weights follow from its name."""
    torch.manual_seed(0)
    return filled(NETWORKS[name][0](), sum(map(ord, name)))


def trained_digits(epochs: int = 3) -> nn.Module:
    """The network of the demo after a short training on one thread: the same on machines of one kind."""
    import snnc

    torch.manual_seed(0)
    made = models.digits_cnn()
    data = snnc.load_data("digits", split="train")
    images = torch.as_tensor(data.images * np.float32(data.unit))
    models.train(made, images, torch.as_tensor(data.labels), epochs=epochs, learning_rate=3e-3, threads=1)
    return made
