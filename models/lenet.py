"""LeNet-5 with rectified linear units, for 28 x 28 images such as MNIST."""

from __future__ import annotations

from torch import nn

from snnc.models.choices import Activation, Pooling, activation_maker, classifier, pooling_maker


def lenet(
    num_classes: int = 10, in_channels: int = 1, *, activation: Activation = "relu", pooling: Pooling = "average"
) -> nn.Sequential:
    """Builds LeNet-5 for images of 28 x 28 pixels.

    Source: LeCun, Bottou, Bengio, Haffner: "Gradient-based learning applied to document recognition", Proceedings of
    the IEEE 86(11), 1998, figure 2. The sizes of all layers are those of the original. It differs in what a
    conversion to spiking neurons needs and what has become usual since:

    - ReLU (or what is chosen) instead of the scaled tanh;
    - plain average (or maximum) pooling, without the original's trainable gain, bias and non-linearity per channel;
    - the second convolution sees every channel of the first one (the original leaves connections out);
    - a linear last layer trained with cross entropy instead of radial basis functions;
    - the original's border of 2 pixels around the 28 x 28 image is the first convolution's zero padding.

    Args:
        num_classes: Number of outputs, at least 1.
        in_channels: Number of channels of the input image, at least 1.
        activation: ``relu``, ``clipped``, ``qcfs``, or a callable that makes an activation.
        pooling: ``average`` or ``max``.

    Returns:
        A network from a float tensor of shape ``(N, in_channels, 28, 28)`` to logits of shape ``(N, num_classes)``.

    Raises:
        OptionError: An argument has no such value.
    """
    make, pool = activation_maker(activation), pooling_maker(pooling)
    return nn.Sequential(
        nn.Conv2d(in_channels, 6, kernel_size=5, padding=2),
        make(),
        pool(2),
        nn.Conv2d(6, 16, kernel_size=5),
        make(),
        pool(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120),
        make(),
        nn.Linear(120, 84),
        make(),
        classifier(84, num_classes),
    )
