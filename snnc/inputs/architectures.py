"""The names of our own networks, as ``--arch`` and ``snnc train`` take them: ``resnet20``, ``vgg16:100:qcfs``.

Importing this imports no torch, since commands that only look at a name would wait for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from snnc import models
from snnc.common.errors import OptionError
from snnc.common.import_path import is_reference
from snnc.common.option_kinds import ACTIVATION_NAMES, POOLING_NAMES

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NAMES", "Architecture", "Factory", "architecture", "named"]

# What each name stands for: the function of that name in snnc.models.
NAMES = (
    "alexnet",
    "cifarnet",
    "digits_cnn",
    "lenet",
    "resnet18",
    "resnet19",
    "resnet20",
    "resnet34",
    "resnet34_imagenet",
    "vgg16",
    "vgg16_imagenet",
)
NAME_FORM = "NAME[:CLASSES][:relu|clipped|qcfs][:max|average]"


@dataclass(frozen=True)
class Architecture:
    """One of our networks, with what was chosen about it; None is the network's own default.

    Attributes:
        name: One of ``NAMES``.
        num_classes: Number of outputs.
        activation: ``relu``, ``clipped`` or ``qcfs``.
        pooling: ``max`` or ``average``.
    """

    name: str
    num_classes: int | None = None
    activation: str | None = None
    pooling: str | None = None

    def __str__(self) -> str:
        chosen = (self.num_classes, self.activation, self.pooling)
        return ":".join([self.name, *(str(each) for each in chosen if each is not None)])

    def build(self) -> nn.Module:
        """Make the network, with new weights from torch's global generator.

        Raises:
            OptionError: The network has no such choice.
        """
        builder: Callable[..., nn.Module] = getattr(models, self.name)
        chosen = {"num_classes": self.num_classes, "activation": self.activation, "pooling": self.pooling}
        given = {name: value for name, value in chosen.items() if value is not None}
        for name, value in given.items():
            if name not in inspect.signature(builder).parameters:
                raise OptionError(f"{self.name} has no choice of {name}", where="--arch", found=str(value))
        return builder(**given)


def named(text: str) -> Architecture | None:
    """Read the name of one of our networks, with what is chosen about it.

    Args:
        text: A name, and after it in any order, each after a colon: a number of classes, an activation, a pooling.

    Returns:
        The network; None where the text is not of this form, and so perhaps ``module:factory``.
    """
    name, *choices = text.split(":")
    if name not in NAMES:
        return None
    found = Architecture(name)
    for choice in choices:
        if choice.isdecimal() and found.num_classes is None:
            found = replace(found, num_classes=int(choice))
        elif choice in ACTIVATION_NAMES and found.activation is None:
            found = replace(found, activation=choice)
        elif choice in POOLING_NAMES and found.pooling is None:
            found = replace(found, pooling=choice)
        else:
            return None
    return found


@dataclass(frozen=True)
class Factory:
    """A network of the user's own.

    Attributes:
        reference: ``module:factory``.
    """

    reference: str

    def __str__(self) -> str:
        return self.reference

    def build(self) -> nn.Module:
        """Make the network. This runs the module's code.

        Raises:
            OptionError: There is no such module or factory, or it makes no network.
        """
        from snnc.compiler.frontend.files.state import build_network

        return build_network(self.reference)


def architecture(text: str, where: str = "--arch") -> Architecture | Factory:
    """Find what makes a network.

    Args:
        text: The name of one of ours (see :func:`named`), or ``module:factory``.
        where: The option, for the error.

    Raises:
        OptionError: The text is neither.
    """
    ours = named(text)
    if ours is not None:
        return ours
    if not is_reference(text):
        raise OptionError(
            "cannot be understood",
            where=where,
            expected=f"module:factory, or {NAME_FORM} with one of the names {', '.join(NAMES)}",
            found=repr(text),
        )
    return Factory(text)
