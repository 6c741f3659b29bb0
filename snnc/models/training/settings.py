"""What a training run depends on, and the values that the paper and the data sets suggest."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from snnc.common.errors import OptionError
from snnc.models.training.augmentation import Augmentation

__all__ = ["Recipe", "TrainingSettings", "default_learning_rate", "recipe"]

# Up to so many classes the paper's learning rate for CIFAR-10 is taken, above it that for CIFAR-100.
_FEW_CLASSES = 10
_RATE_FOR_FEW_CLASSES, _RATE_FOR_MANY_CLASSES = 0.1, 0.02


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that decides the weights that come out, but for the number of threads and the device.

    The defaults are those of the paper, section 8.1; it says nothing of batch size and label smoothing.

    Attributes:
        arch: The network, as its user named it; for the comparison on resuming.
        data: The data, as their user named them; for the comparison on resuming.
        weights: SHA-256 of the file with the weights to start from, or None.
        epochs: Number of times every image is shown, at least 1.
        learning_rate: The first one, above 0; it falls to 0 along half a cosine.
        momentum: Of stochastic gradient descent, 0 up to less than 1.
        weight_decay: At least 0; of all parameters.
        batch_size: Images per step, at least 1.
        mean: What is subtracted from the images, one number or one for each channel.
        std: What they are divided by after that.
        augment: Names out of ``AUGMENTATIONS``.
        label_smoothing: Share of each label that is spread over all classes, 0 up to less than 1.
        seed: Of the first weights, order, augmentation and dropout, at least 0.
    """

    arch: str = ""
    data: str = ""
    weights: str | None = None
    epochs: int = 300
    learning_rate: float = _RATE_FOR_FEW_CLASSES
    momentum: float = 0.1
    weight_decay: float = 5e-4
    batch_size: int = 128
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    augment: tuple[str, ...] = ()
    label_smoothing: float = 0.0
    seed: int = 0

    def check(self) -> None:
        """Check the ranges of all numbers, and the names.

        Raises:
            OptionError: One is out of its range; it names the option.
        """
        for name, whole, lowest in (("epochs", self.epochs, 1), ("batch_size", self.batch_size, 1)):
            _check(name, whole, f"at least {lowest}", right=whole >= lowest)
        _check("seed", self.seed, "at least 0", right=self.seed >= 0)
        rate, decay = self.learning_rate, self.weight_decay
        _check("learning_rate", rate, "above 0", right=0 < rate < math.inf)
        _check("weight_decay", decay, "at least 0", right=0 <= decay < math.inf)
        for name, share in (("momentum", self.momentum), ("label_smoothing", self.label_smoothing)):
            _check(name, share, "from 0 to less than 1", right=0 <= share < 1)
        for name, values in (("mean", self.mean), ("std", self.std)):
            _check(name, values, "finite numbers", right=bool(values) and all(map(math.isfinite, values)))
        _check("std", self.std, "above 0", right=all(value > 0 for value in self.std))
        Augmentation(self.augment)

    def form(self) -> dict[str, object]:
        """All settings by name, with lists for tuples, as JSON and checkpoints hold them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @staticmethod
    def option(name: str) -> str:
        """The command line's option for a setting."""
        return option(name)

    def check_same(self, before: dict[str, object], where: str) -> None:
        """Check that a run is resumed with the settings it was begun with.

        Args:
            before: The settings it was begun with, as ``form`` gives them.
            where: The checkpoint, for the error.

        Raises:
            OptionError: One differs; it names the option and both values.
        """
        for name, value in self.form().items():
            if before.get(name) != value:
                raise OptionError(
                    f"differs from the run that {where} continues",
                    where=self.option(name),
                    expected=_text(before.get(name)),
                    found=_text(value),
                    advice="resume with the same settings, or train into another file",
                )


@dataclass(frozen=True)
class Recipe:
    """What is usual for a data set.

    Attributes:
        mean: Mean of the training images, by channel.
        std: Their standard deviation.
        augment: Names out of ``AUGMENTATIONS``.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    augment: tuple[str, ...] = ()


# The augmentation that Li et al. 2021 and Bu et al. 2022 use, which the paper follows. Mean and standard deviation are
# those of the training images' pixels, as usually quoted.
_CIFAR_AUGMENTATION = ("crop", "flip", "autoaugment", "cutout")
_RECIPES: dict[str, Recipe] = {
    "cifar10": Recipe((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), _CIFAR_AUGMENTATION),
    "cifar100": Recipe((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762), _CIFAR_AUGMENTATION),
    "imagenet": Recipe((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), ("flip",)),
    "mnist": Recipe((0.1307,), (0.3081,)),
    "fashion-mnist": Recipe((0.2860,), (0.3530,)),
}


def recipe(data: str) -> Recipe:
    """What is usual for a data set.

    Args:
        data: Its spec, such as ``cifar10:ROOT``.

    Returns:
        Mean, standard deviation and augmentation; 0, 1 and none for data that have no name.
    """
    name, colon, _ = data.partition(":")
    return _RECIPES.get(name, Recipe()) if colon else Recipe()


def default_learning_rate(num_classes: int) -> float:
    """The paper's first learning rate: 0.1 for CIFAR-10, 0.02 for CIFAR-100."""
    return _RATE_FOR_FEW_CLASSES if num_classes <= _FEW_CLASSES else _RATE_FOR_MANY_CLASSES


def option(name: str) -> str:
    """The command line's option for a setting."""
    return {"arch": "ARCH"}.get(name, f"--{name.replace('_', '-')}")


def _check(name: str, value: object, expected: str, *, right: bool) -> None:
    if not right:
        raise OptionError("out of range", where=option(name), expected=expected, found=_text(value))


def _text(value: object) -> str:
    if value is None:
        return "none"
    return ",".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)
