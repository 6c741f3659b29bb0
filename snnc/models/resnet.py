"""Residual networks for 32 x 32 and 224 x 224 images.

Each is an ``nn.Sequential`` with named parts. Convolutions start with the normal distribution of He, Zhang, Ren, Sun
("Delving deep into rectifiers", ICCV 2015), as those of the original ResNets do.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from snnc.models.parts import Activation, ActivationMaker, Pooling, activation_maker, classifier, pooling_maker
from snnc.models.residual import Shortcut, residual_stage

__all__ = ["resnet18", "resnet19", "resnet20", "resnet34", "resnet34_imagenet"]


def resnet20(num_classes: int = 10, *, activation: Activation = "relu") -> nn.Sequential:
    """Build ResNet20 for images of 3 x 32 x 32: three stages of three blocks with 16, 32 and 64 channels.

    Source: He, Zhang, Ren, Sun: "Deep residual learning for image recognition", CVPR 2016, section 4.2, with n = 3;
    shortcuts without weights (option A), 0.27 million parameters for 10 classes. The names in its state_dict are those
    of the published CIFAR-10 weights in that form (``conv1``, ``bn1``, ``layer1.0.conv1``, ..., ``linear``).

    Args:
        num_classes: Number of outputs, at least 1.
        activation: ``relu``, ``clipped``, ``qcfs``, or a callable that makes an activation.

    Returns:
        A network from a float tensor of shape ``(N, 3, 32, 32)`` to logits of shape ``(N, num_classes)``.

    Raises:
        OptionError: An argument has no such value.
    """
    make = activation_maker(activation)
    head = OrderedDict[str, nn.Module](linear=classifier(64, num_classes))
    return _assemble(_small_stem(16, make), [(16, 3), (32, 3), (64, 3)], head, "padded", make)


def resnet18(num_classes: int = 10, *, activation: Activation = "relu") -> nn.Sequential:
    """Build ResNet18 for images of 3 x 32 x 32.

    Source: He, Zhang, Ren, Sun, CVPR 2016, table 1, with 1 x 1 convolutions in the shortcuts (option B). It differs in
    the stem, as is usual for CIFAR and in the literature on ANN-to-SNN conversion (such as Bu et al., ICLR 2022): one
    3 x 3 convolution of stride 1 and no pooling in place of 7 x 7, stride 2 and max pooling. 11.17 million parameters
    for 10 classes.

    Args:
        num_classes: Number of outputs, at least 1.
        activation: ``relu``, ``clipped``, ``qcfs``, or a callable that makes an activation.

    Returns:
        A network from a float tensor of shape ``(N, 3, 32, 32)`` to logits of shape ``(N, num_classes)``.

    Raises:
        OptionError: An argument has no such value.
    """
    make = activation_maker(activation)
    return _assemble(_small_stem(64, make), _WIDE_18, _head(num_classes), "convolution", make)


def resnet34(num_classes: int = 10, *, activation: Activation = "relu") -> nn.Sequential:
    """Build ResNet34 for images of 3 x 32 x 32.

    Source and differences: as for ``resnet18``. 21.28 million parameters for 10 classes.

    Args:
        num_classes: Number of outputs, at least 1.
        activation: ``relu``, ``clipped``, ``qcfs``, or a callable that makes an activation.

    Returns:
        A network from a float tensor of shape ``(N, 3, 32, 32)`` to logits of shape ``(N, num_classes)``.

    Raises:
        OptionError: An argument has no such value.
    """
    make = activation_maker(activation)
    return _assemble(_small_stem(64, make), _WIDE_34, _head(num_classes), "convolution", make)


def resnet34_imagenet(
    num_classes: int = 1000, *, activation: Activation = "relu", pooling: Pooling = "max"
) -> nn.Sequential:
    """Build ResNet34 for ImageNet's images of 3 x 224 x 224.

    Source: He, Zhang, Ren, Sun, CVPR 2016, table 1, with 1 x 1 convolutions in the shortcuts (option B). The names in
    its state_dict are those of torchvision's ``resnet34``, whose weights fit. 21.80 million parameters for 1,000
    classes.

    Args:
        num_classes: Number of outputs, at least 1.
        activation: ``relu``, ``clipped``, ``qcfs``, or a callable that makes an activation.
        pooling: ``max``, the original's, or ``average``, after the first convolution.

    Returns:
        A network from a float tensor of shape ``(N, 3, 224, 224)`` to logits of shape ``(N, num_classes)``.

    Raises:
        OptionError: An argument has no such value.
    """
    make = activation_maker(activation)
    stem = OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False),
        bn1=nn.BatchNorm2d(64),
        activation=make(),
        pooling=pooling_maker(pooling)(kernel_size=3, stride=2, padding=1),
    )
    return _assemble(stem, _WIDE_34, _head(num_classes), "convolution", make)


def resnet19(num_classes: int = 10, *, activation: Activation = "relu") -> nn.Sequential:
    """Build ResNet19 for images of 3 x 32 x 32: three stages of 3, 3 and 2 blocks with 128, 256 and 512 channels.

    Source: Zheng, Wu, Deng, Hu, Li: "Going deeper with directly-trained larger spiking neural networks", AAAI 2021,
    table of network structures: two linear layers, of 256 and of ``num_classes`` features, after global average
    pooling. 1 x 1 convolutions with batch normalisation in the shortcuts. It differs in being an ANN: ordinary batch
    normalisation instead of the threshold-dependent one. 12.6 million parameters for 10 classes.

    Args:
        num_classes: Number of outputs, at least 1.
        activation: ``relu``, ``clipped``, ``qcfs``, or a callable that makes an activation.

    Returns:
        A network from a float tensor of shape ``(N, 3, 32, 32)`` to logits of shape ``(N, num_classes)``.

    Raises:
        OptionError: An argument has no such value.
    """
    make = activation_maker(activation)
    head = OrderedDict[str, nn.Module](fc1=nn.Linear(512, 256), activation_fc1=make(), fc2=classifier(256, num_classes))
    stages = [(128, 3), (256, 3), (512, 2)]
    return _assemble(_small_stem(128, make), stages, head, "convolution", make)


# Channels and blocks of each stage.
_WIDE_18 = [(64, 2), (128, 2), (256, 2), (512, 2)]
_WIDE_34 = [(64, 3), (128, 4), (256, 6), (512, 3)]


def _small_stem(channels: int, activation: ActivationMaker) -> OrderedDict[str, nn.Module]:
    return OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(3, channels, kernel_size=3, padding=1, bias=False),
        bn1=nn.BatchNorm2d(channels),
        activation=activation(),
    )


def _head(num_classes: int) -> OrderedDict[str, nn.Module]:
    return OrderedDict[str, nn.Module](fc=classifier(512, num_classes))


def _assemble(
    stem: OrderedDict[str, nn.Module],
    stages: list[tuple[int, int]],
    head: OrderedDict[str, nn.Module],
    shortcut: Shortcut,
    activation: ActivationMaker,
) -> nn.Sequential:
    """Put stem, stages, global average pooling and head together, and draw the convolutions' weights."""
    parts = OrderedDict(stem)
    channels = stages[0][0]
    for number, (out_channels, blocks) in enumerate(stages, start=1):
        parts[f"layer{number}"] = residual_stage(
            channels, out_channels, blocks, stride=1 if number == 1 else 2, shortcut=shortcut, activation=activation
        )
        channels = out_channels
    parts["avgpool"] = nn.AdaptiveAvgPool2d(1)
    parts["flatten"] = nn.Flatten()
    parts.update(head)
    network = nn.Sequential(parts)
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return network
