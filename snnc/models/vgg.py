"""VGG16 for 32 x 32 images, as the literature on ANN-to-SNN conversion uses it, and for ImageNet's 224 x 224."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from snnc.common.errors import OptionError
from snnc.models.parts import Activation, Pooling, Step, activation_maker, chain_features, chain_head

__all__ = ["vgg16", "vgg16_imagenet"]

# Configuration D.
_STEPS: tuple[Step, ...] = (
    *(64, 64, "pool"),
    *(128, 128, "pool"),
    *(256, 256, 256, "pool"),
    *(512, 512, 512, "pool"),
    *(512, 512, 512, "pool"),
)
_CHANNELS = 512

# Width of the hidden linear layers of the original VGG16, and the side of the image that reaches them from 224 x 224.
_HIDDEN_FEATURES = 4096
_SIDE_BEFORE_HEAD = 7


def vgg16(
    num_classes: int = 10,
    *,
    linear_layers: int = 1,
    activation: Activation = "relu",
    pooling: Pooling = "average",
) -> nn.Sequential:
    """Build VGG16 with batch normalisation for images of 3 x 32 x 32.

    Source: Simonyan and Zisserman: "Very deep convolutional networks for large-scale image recognition", ICLR 2015,
    configuration D. It differs in the batch normalisation after each convolution, in average instead of maximum
    pooling unless that is asked for, and in the input size: five poolings leave 512 features, which one linear layer
    classifies by default, as in the energy estimate of the conversion paper (section 9). 14.7 million parameters for
    10 classes.

    Args:
        num_classes: Number of outputs, at least 1.
        linear_layers: Number of linear layers, 1 to 3. With 3 the head is the original's: 4096, 4096, classes.
        activation: ``relu``, ``clipped``, ``qcfs``, or a callable that makes an activation.
        pooling: ``average`` or ``max``.

    Returns:
        A network from a float tensor of shape ``(N, 3, 32, 32)`` to logits of shape ``(N, num_classes)``.

    Raises:
        OptionError: ``linear_layers`` is not 1, 2 or 3, or another argument has no such value.
    """
    if linear_layers not in (1, 2, 3):
        raise OptionError("cannot build VGG16", where="linear_layers", expected="1, 2 or 3", found=repr(linear_layers))
    make = activation_maker(activation)
    features = chain_features(_STEPS, batch_norm=True, bias=False, activation=make, pooling=pooling)
    head = chain_head(_CHANNELS, [_HIDDEN_FEATURES] * (linear_layers - 1), num_classes, activation=make)
    return nn.Sequential(*features, nn.Flatten(), *head)


def vgg16_imagenet(
    num_classes: int = 1000, *, batch_norm: bool = False, activation: Activation = "relu", pooling: Pooling = "max"
) -> nn.Sequential:
    """Build VGG16 for ImageNet's images of 3 x 224 x 224, with three linear layers.

    Source: Simonyan and Zisserman, ICLR 2015, configuration D. The names in its state_dict are those of torchvision's
    ``vgg16``, and with batch normalisation of its ``vgg16_bn``, whose weights fit. It differs from both in nothing, but
    that images of other sizes do not fit. 138.36 million parameters for 1,000 classes.

    Args:
        num_classes: Number of outputs, at least 1.
        batch_norm: Normalise after each convolution, which the original does not.
        activation: ``relu``, ``clipped``, ``qcfs``, or a callable that makes an activation.
        pooling: ``max``, the original's, or ``average``.

    Returns:
        A network from a float tensor of shape ``(N, 3, 224, 224)`` to logits of shape ``(N, num_classes)``.

    Raises:
        OptionError: An argument has no such value.
    """
    make = activation_maker(activation)
    features = chain_features(_STEPS, batch_norm=batch_norm, bias=True, activation=make, pooling=pooling)
    places = _SIDE_BEFORE_HEAD * _SIDE_BEFORE_HEAD
    head = chain_head(_CHANNELS * places, [_HIDDEN_FEATURES] * 2, num_classes, activation=make)
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            features=nn.Sequential(*features), flatten=nn.Flatten(), classifier=nn.Sequential(*head)
        )
    )
