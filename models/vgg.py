"""VGG16 for 32 x 32 images, as the literature on ANN-to-SNN conversion uses it."""

from __future__ import annotations

from torch import nn

from snnc.errors import OptionError

# Output channels of the 3 x 3 convolutions, one tuple per image size; an average pooling by 2 follows each tuple.
_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))

# Width of the hidden linear layers of the original VGG16.
_HIDDEN_FEATURES = 4096


def vgg16(num_classes: int = 10, *, linear_layers: int = 1) -> nn.Sequential:
    """Builds VGG16 with batch normalisation and average pooling for images of 3 x 32 x 32.

    Source: Simonyan and Zisserman: "Very deep convolutional networks for large-scale image recognition", ICLR 2015,
    configuration D. It differs in the batch normalisation after each convolution, in average instead of maximum
    pooling (spiking neurons cannot take a maximum), and in the input size: five poolings leave 512 features, which
    one linear layer classifies by default, as in the energy estimate of the conversion paper (section 9).

    Args:
        num_classes: Number of outputs, at least 1.
        linear_layers: Number of linear layers, 1 to 3. With 3 the head is the original's: 4096, 4096, classes.

    Returns:
        A network from a float tensor of shape ``(N, 3, 32, 32)`` to logits of shape ``(N, num_classes)``.

    Raises:
        OptionError: ``linear_layers`` is not 1, 2 or 3.
    """
    if linear_layers not in (1, 2, 3):
        raise OptionError("cannot build VGG16", where="linear_layers", expected="1, 2 or 3", found=repr(linear_layers))
    layers: list[nn.Module] = []
    channels = 3
    for stage in _STAGES:
        for out_channels in stage:
            layers += [
                # The batch normalisation that follows has a bias of its own.
                nn.Conv2d(channels, out_channels, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm2d(out_channels),
                nn.ReLU(),
            ]
            channels = out_channels
        layers.append(nn.AvgPool2d(2))
    layers.append(nn.Flatten())
    features = channels
    for _ in range(linear_layers - 1):
        layers += [nn.Linear(features, _HIDDEN_FEATURES), nn.ReLU(), nn.Dropout(0.5)]
        features = _HIDDEN_FEATURES
    layers.append(nn.Linear(features, num_classes))
    return nn.Sequential(*layers)
