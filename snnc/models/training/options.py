"""The options of trainings, with the values that the paper and the data sets suggest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from snnc.common.errors import OptionError
from snnc.common.option_kinds import NAMES, NUMBERS, PATH
from snnc.common.options import option, options_of
from snnc.common.signatures import documented

__all__ = [
    "Recipe",
    "SessionOptions",
    "StartOptions",
    "TrainOptions",
    "TrainingOptions",
    "check_range",
    "check_same",
    "default_learning_rate",
    "recipe",
    "settings_of",
    "settled",
]

# Up to so many classes the paper's learning rate for CIFAR-10 is taken, above it that for CIFAR-100.
_FEW_CLASSES = 10
_RATE_FOR_FEW_CLASSES, _RATE_FOR_MANY_CLASSES = 0.1, 0.02
# What --augment calls no augmentation at all.
_NONE = "none"

# Groups of options in the help of commands.
TRAINING, IMAGES, SESSION, START = "Training", "Images", "Session", "Start"

# The activations of our networks.
ACTIVATIONS = ("relu", "clipped", "qcfs")

Options = TypeVar("Options", bound="TrainingOptions")


@documented
@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What every training depends on: all that decides the weights that come out, but for device and threads.

    The defaults are those of the paper, section 8.1; it says nothing of batch size and label smoothing.
    """

    # What the command line and errors call the network to train.
    network_argument: ClassVar[str] = "ARCH"

    epochs: int = option(300, panel=TRAINING, shapes=True, help="How often every image is shown, at least 1.")
    learning_rate: float | None = option(
        None,
        panel=TRAINING,
        shapes=True,
        usual="0.1 for up to 10 classes, else 0.02",
        help="The first learning rate, above 0; it falls to 0 along half a cosine.",
    )
    momentum: float = option(
        0.1, panel=TRAINING, shapes=True, help="Momentum of stochastic gradient descent, 0 up to less than 1."
    )
    weight_decay: float = option(
        5e-4,
        panel=TRAINING,
        shapes=True,
        help="Weight decay, at least 0; thresholds and initial potentials of neurons have none.",
    )
    batch_size: int = option(
        128, panel=TRAINING, shapes=True, shared=False, help="Images per step, at least 1, of all processes together."
    )
    mean: float | Sequence[float] | None = option(
        None,
        metavar="X[,X,X]",
        panel=IMAGES,
        shapes=True,
        usual="the data set's, else 0",
        help="What is subtracted from the images: one number, or one for each channel. Images of 8 bits count from 0 "
        "to 1.",
    )
    std: float | Sequence[float] | None = option(
        None,
        metavar="X[,X,X]",
        panel=IMAGES,
        shapes=True,
        usual="the data set's, else 1",
        help="What they are divided by after that, above 0.",
    )
    augment: str | Sequence[str] | None = option(
        None,
        metavar="NAMES",
        panel=IMAGES,
        shapes=True,
        kind=NAMES,
        usual="all for cifar10 and cifar100, flip for imagenet, else none",
        help="Random changes of the images, with commas between them, or ``none``: ``crop``, ``flip``, "
        "``autoaugment``, ``cutout``.",
    )
    label_smoothing: float = option(
        0.0,
        panel=TRAINING,
        shapes=True,
        help="Share of each label that is spread over all classes, 0 up to less than 1.",
    )
    seed: int = option(
        0,
        panel=TRAINING,
        shapes=True,
        help="Seed of the first weights, the order of the images, augmentation and dropout, at least 0.",
    )

    @property
    def rate(self) -> float:
        """The first learning rate; where none was chosen, that for few classes."""
        return _RATE_FOR_FEW_CLASSES if self.learning_rate is None else self.learning_rate

    @property
    def means(self) -> tuple[float, ...]:
        """What is subtracted from the images: one number, or one for each channel."""
        return _numbers(0.0 if self.mean is None else self.mean)

    @property
    def stds(self) -> tuple[float, ...]:
        """What they are divided by: one number, or one for each channel."""
        return _numbers(1.0 if self.std is None else self.std)

    @property
    def augmentations(self) -> tuple[str, ...]:
        """The names of the random changes."""
        names = NAMES.plain(self.augment or ())
        assert isinstance(names, tuple)
        return () if names == (_NONE,) else tuple(map(str, names))

    def filled(self: Options) -> Options:
        """Return the options with what is usual for data without a name where nothing was chosen."""
        return replace(self, learning_rate=self.rate, mean=self.means, std=self.stds, augment=self.augmentations)

    def check(self) -> None:
        """Check the ranges of all numbers, and the names.

        Raises:
            OptionError: One is out of its range; it names the option.
        """
        # What it imports takes longer than the help of a command may.
        from snnc.models.training.augmentation import Augmentation

        for name, whole in (("epochs", self.epochs), ("batch_size", self.batch_size)):
            check_range(self, name, "at least 1", right=whole >= 1)
        check_range(self, "seed", "at least 0", right=self.seed >= 0)
        check_range(self, "learning_rate", "above 0", right=0 < self.rate < math.inf)
        check_range(self, "weight_decay", "at least 0", right=0 <= self.weight_decay < math.inf)
        for name, share in (("momentum", self.momentum), ("label_smoothing", self.label_smoothing)):
            check_range(self, name, "from 0 to less than 1", right=0 <= share < 1)
        for name, values in (("mean", self.means), ("std", self.stds)):
            check_range(self, name, "finite numbers", right=bool(values) and all(map(math.isfinite, values)))
        check_range(self, "std", "above 0", right=all(value > 0 for value in self.stds))
        Augmentation(self.augmentations)


@documented
@dataclass(frozen=True, kw_only=True)
class TrainOptions(TrainingOptions):
    """What the training of an ANN depends on, as ``snnc train`` does it."""


@documented
@dataclass(frozen=True, kw_only=True)
class StartOptions:
    """What the training of an ANN starts from."""

    activation: str | None = option(
        None,
        metavar="|".join(ACTIVATIONS),
        panel=START,
        usual="relu",
        help="The activation of one of snnc's own networks: ``relu``, ``clipped`` (ClippedReLU) or ``qcfs`` (QCFS).",
    )
    weights: Path | None = option(
        None,
        metavar="FILE",
        panel=START,
        kind=PATH,
        help="Start from these weights: a state_dict or a saved network.",
    )
    trust: bool = option(
        False,
        panel=START,
        file="it lets model files run code, which a snnc.toml beside them must not allow",
        help="Read these weights even where that runs code that the file names: only for files from people you trust.",
    )


@documented
@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """Where and how a training runs; its result is the same, but for the order of sums."""

    resume: bool = option(
        False,
        panel=SESSION,
        file="it is for a run that was interrupted",
        help="Go on from the checkpoint, where there is one; all else has to be as it was.",
    )
    device: str = option(
        "auto",
        metavar="auto|cpu|cuda|cuda:N",
        panel=SESSION,
        help="Where to train: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:NUMBER``.",
    )
    threads: int | None = option(None, panel=SESSION, usual="as torch chooses", help="Threads of the CPU, at least 1.")

    def check_threads(self) -> None:
        """Check the number of threads.

        Raises:
            OptionError: It is below 1.
        """
        if self.threads is not None and self.threads < 1:
            raise OptionError("is out of range", where="--threads", expected="at least 1", found=str(self.threads))


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
RECIPES: dict[str, Recipe] = {
    "cifar10": Recipe((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), _CIFAR_AUGMENTATION),
    "cifar100": Recipe((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762), _CIFAR_AUGMENTATION),
    "imagenet": Recipe((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), ("flip",)),
    "mnist": Recipe((0.1307,), (0.3081,)),
    "fashion-mnist": Recipe((0.2860,), (0.3530,)),
}


def recipe(data: str) -> Recipe:
    """Return what is usual for a data set.

    Args:
        data: Its spec, such as ``cifar10:ROOT``.

    Returns:
        Mean, standard deviation and augmentation; 0, 1 and none for data that have no name.
    """
    name, colon, _ = data.partition(":")
    return RECIPES.get(name, Recipe()) if colon else Recipe()


def default_learning_rate(num_classes: int) -> float:
    """Return the paper's first learning rate: 0.1 for CIFAR-10, 0.02 for CIFAR-100."""
    return _RATE_FOR_FEW_CLASSES if num_classes <= _FEW_CLASSES else _RATE_FOR_MANY_CLASSES


def settled(options: Options, data: str, num_classes: int) -> Options:
    """Return the options with what is usual for the data where nothing was chosen.

    Args:
        options: As they were chosen.
        data: The spec of the data; empty where they have none.
        num_classes: Number of classes.
    """
    usual = recipe(data)
    rate = default_learning_rate(num_classes) if options.learning_rate is None else options.learning_rate
    return replace(
        options,
        learning_rate=rate,
        mean=usual.mean if options.mean is None else options.means,
        std=usual.std if options.std is None else options.stds,
        augment=usual.augment if options.augment is None else options.augmentations,
    ).filled()


def settings_of(options: TrainingOptions, origin: Mapping[str, object]) -> dict[str, object]:
    """Return all that decides the weights of a run by name, with lists for tuples, as JSON and checkpoints hold it.

    Args:
        options: The run's.
        origin: What it begins with: ``arch``, ``data``, ``weights`` and ``teacher``, as far as there are.
    """
    found = dict(origin)
    options = options.filled()
    for each in options_of(type(options)):
        if each.shapes:
            value = getattr(options, each.name)
            plain = None if value is None else each.kind.plain(value)
            found[each.name] = list(plain) if isinstance(plain, tuple) else plain
    return found


def check_same(options: TrainingOptions, now: Mapping[str, object], before: Mapping[str, object], where: str) -> None:
    """Check that a run is resumed with the settings it was begun with.

    Args:
        options: The run's, for the names of options.
        now: Its settings, as :func:`settings_of` gives them.
        before: Those it was begun with.
        where: The checkpoint, for the error.

    Raises:
        OptionError: One differs; it names the option and both values.
    """
    # An option that is newer than the checkpoint was as it is where nothing is given.
    begun = {**settings_of(type(options)(), {}), **before}
    for name, value in now.items():
        if begun.get(name) != value:
            raise OptionError(
                f"differs from the run that {where} continues",
                where=_flag(options, name),
                expected=_text(begun.get(name)),
                found=_text(value),
                advice="resume with the same settings, or train into another file",
            )


def check_range(options: TrainingOptions, name: str, expected: str, *, right: bool) -> None:
    """Check an option.

    Args:
        options: All options.
        name: The one to check.
        expected: Its range, in words.
        right: Whether it is in this range.

    Raises:
        OptionError: It is not.
    """
    if not right:
        found = _text(getattr(options, name))
        raise OptionError("out of range", where=_flag(options, name), expected=expected, found=found)


def _flag(options: TrainingOptions, name: str) -> str:
    """Return what the command line calls a setting."""
    if name == "arch":
        return options.network_argument
    keys = {each.name: each.key for each in options_of(type(options))}
    return f"--{keys.get(name, name)}"


def _numbers(value: Any) -> tuple[float, ...]:
    numbers = NUMBERS.plain(value)
    assert isinstance(numbers, tuple)
    return tuple(map(float, numbers))


def _text(value: object) -> str:
    if value is None:
        return _NONE
    return ",".join(map(str, value)) or _NONE if isinstance(value, list | tuple) else str(value)
