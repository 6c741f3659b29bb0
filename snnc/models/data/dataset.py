"""The data set that everything else works with, and the checks that it has to pass."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from snnc.common.errors import DataError, OptionError

__all__ = ["Dataset", "Images", "Normalisation", "check_dataset", "class_numbers", "make_dataset", "shuffled"]


def shuffled(count: int, seed: int) -> npt.NDArray[np.int64]:
    """Shuffle the numbers from 0 to ``count - 1``.

    numpy promises the same raw numbers of a bit generator for all time, but not the same ``Generator.permutation``; a
    calibration set that changed with numpy would change the compiled network.

    Args:
        count: How many numbers.
        seed: Any number from 0.

    Returns:
        A permutation of shape (count,).
    """
    raw = np.asarray(np.random.PCG64(seed).random_raw(count), dtype=np.uint64)
    return np.argsort(raw, kind="stable").astype(np.int64)


# The value of one step of 8-bit images that say nothing of it.
USUAL_UNIT = 1 / 255
# Of float images this many values are looked at together: isfinite() makes a temporary array of the same length.
_VALUES_AT_ONCE = 1 << 24


class Images(Protocol):
    """What a data set needs of its images: an array has it, and so have images that are read from files when used."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W) or (N, features)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 or float32."""

    @property
    def ndim(self) -> int:
        """Number of axes, 4 or 2."""

    @property
    def size(self) -> int:
        """Number of values."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any) -> Any: ...


@dataclass(frozen=True)
class Normalisation:
    """What networks see of data: ``(value - mean) / std``.

    Attributes:
        name: What it is known for, such as ``CIFAR-10``.
        mean: What is subtracted: one number, or one for each channel.
        std: What is divided by after that, above 0; as many numbers.
    """

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


# Where a network keeps the mean and standard deviation that it was trained with.
_KEPT = ("input_mean", "input_std")


def keep_normalisation(network: object, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Keep with a network, as plain attributes, what it was trained with; its file holds them."""
    for name, values in zip(_KEPT, (mean, std), strict=True):
        setattr(network, name, tuple(map(float, values)))


def kept_normalisation(network: object) -> Normalisation | None:
    """Return what :func:`keep_normalisation` kept with a network; None where it kept nothing that is one."""
    mean: Any
    std: Any
    mean, std = (getattr(network, name, None) for name in _KEPT)
    for values in (mean, std):
        if not isinstance(values, tuple) or not values or not all(isinstance(each, float) for each in values):
            return None
    if not all(map(math.isfinite, (*mean, *std))) or min(std) <= 0:
        return None
    return Normalisation("of the model", mean, std)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images in memory, or read from files when they are used, with labels where they are known.

    A network's input is ``(images * unit - mean) / std``, with the mean and standard deviation it was trained with.

    Attributes:
        name: What to call it in messages and reports.
        images: Shape (N, C, H, W) or (N, features); uint8 in 0..255, or float32. An array, or what gives one when it
            is indexed.
        labels: Class numbers, shape (N,), int64, from 0; or None.
        unit: The value of one integer step, as the network was fed it in training before mean and standard deviation
            were applied: 1/255 for 8-bit images, 1/16 for the digits, 1.0 for float data.
        classes: The names of the classes, where they are known.
        targets: What the outputs should be, shape (N,) or (N, ...), float32; or None. Of classes that were given
            one-hot both are there.
        label_span: The smallest and the largest label of the whole data set, of which this may be a part; None where
            there are no labels, or nobody looked.
        normalisation: What networks for these data are usually given; None where the data are not well known.
    """

    name: str
    images: Images
    labels: npt.NDArray[np.int64] | None = None
    unit: float = 1.0
    classes: tuple[str, ...] | None = None
    targets: npt.NDArray[np.float32] | None = None
    label_span: tuple[int, int] | None = None
    normalisation: Normalisation | None = None

    def __len__(self) -> int:
        return len(self.images)

    def take(self, n: int) -> Dataset:
        """Take the first samples.

        Args:
            n: How many, at least 1. Where there are fewer, all are taken.

        Returns:
            A data set of ``min(n, len(self))`` samples, which shares their memory where they were in memory.

        Raises:
            OptionError: ``n`` is less than 1.
        """
        _check_count(n)
        return self.part(slice(n))

    def part(self, which: slice | npt.NDArray[np.int64]) -> Dataset:
        """Return some of the samples.

        Args:
            which: Their places.
        """
        labels = None if self.labels is None else self.labels[which]
        targets = None if self.targets is None else self.targets[which]
        return replace(self, images=self.images[which], labels=labels, targets=targets)

    def in_unit(self, unit: float) -> Dataset:
        """Return the data with another unit, where they are 8-bit images that say nothing of their own.

        Args:
            unit: The value of one integer step, above 0.

        Raises:
            OptionError: It is not.
        """
        if not 0 < unit < float("inf"):
            raise OptionError("is out of range", where="unit (--unit)", expected="above 0", found=str(unit))
        own = self.images.dtype != np.uint8 or self.unit != USUAL_UNIT
        return self if own else replace(self, unit=float(unit))

    def subset(self, n: int, seed: int) -> Dataset:
        """Draw samples at random, without repetition, and in equal numbers per class where labels are known.

        The numbers per class differ by at most one, unless a class has too few samples: then the others fill its
        places. The same seed draws the same samples with every version of numpy.

        Args:
            n: How many, at least 1. Where there are fewer, all are drawn.
            seed: Any number from 0; another one draws other samples.

        Returns:
            A data set of ``min(n, len(self))`` samples in random order.

        Raises:
            OptionError: ``n`` is less than 1, or ``seed`` is negative.
        """
        return self.part(self._drawn(n, seed))

    def split(self, n: int, seed: int) -> tuple[Dataset, Dataset]:
        """Draw samples as ``subset`` does, and keep the others too.

        Args:
            n: How many to draw, at least 1.
            seed: Any number from 0.

        Returns:
            What was drawn, and all others in their order.

        Raises:
            OptionError: As for ``subset``.
        """
        drawn = self._drawn(n, seed)
        return self.part(drawn), self.part(np.setdiff1d(np.arange(len(self)), drawn))

    def two_subsets(self, n: int, more: int, seed: int) -> tuple[Dataset, Dataset]:
        """Draw samples as ``subset`` does, and others, of which none is among them.

        Args:
            n: How many to draw first, at least 1.
            more: How many others, at least 1; there are to be ``n + more`` samples.
            seed: Any number from 0.

        Returns:
            What ``subset(n, seed)`` draws, and the others, in equal numbers per class as far as that goes.

        Raises:
            OptionError: As for ``subset``.
        """
        return self.part(self._drawn(n, seed)), self.part(self._in_turn(n + more, seed)[n:])

    def _drawn(self, n: int, seed: int) -> npt.NDArray[np.int64]:
        drawn = self._in_turn(n, seed)
        # Without labels they are in random order already.
        chosen: npt.NDArray[np.int64] = drawn if self.labels is None else drawn[shuffled(len(drawn), seed + 2)]
        return chosen

    def _in_turn(self, n: int, seed: int) -> npt.NDArray[np.int64]:
        """Return samples in random order, one of each class in turn; fewer are the first of more."""
        _check_count(n)
        if seed < 0:
            raise OptionError("the seed is negative", expected="a number from 0", found=str(seed))
        order = shuffled(len(self), seed)
        if self.labels is None:
            return order[:n]
        labels = self.labels[order]
        by_class = np.argsort(labels, kind="stable")
        _, starts, sizes = np.unique(labels[by_class], return_index=True, return_counts=True)
        # The first sample of every class, then the second of every class, ...; in each round classes come at random.
        round_of, class_of = np.empty(len(self), np.int64), np.empty(len(self), np.int64)
        round_of[by_class] = np.arange(len(self)) - np.repeat(starts, sizes)
        class_of[by_class] = np.repeat(shuffled(len(sizes), seed + 1), sizes)
        in_turn: npt.NDArray[np.int64] = order[np.lexsort((class_of, round_of))[:n]]
        return in_turn


def _check_count(n: int) -> None:
    if n < 1:
        raise OptionError("the number of samples is too small", expected="at least 1", found=str(n))


def make_dataset(
    name: str,
    images: object,
    labels: object = None,
    *,
    unit: float | None = None,
    classes: tuple[str, ...] | None = None,
) -> Dataset:
    """Make a data set of arrays or tensors, converting their types where that loses nothing that matters.

    Args:
        name: What to call it, also in errors.
        images: Shape (N, C, H, W) or (N, features); uint8, or any float type, which becomes float32.
        labels: Class numbers of any integer type, shape (N,) or (N, 1), or one-hot, (N, classes), which floats may be
            too; booleans, and -1 and 1, which become 0 and 1; or targets: other floats, (N, ...). None: there are none.
        unit: The value of one integer step; None for 1/255 for uint8 images and 1.0 for float ones.
        classes: The names of the classes.

    Returns:
        The data set, checked.

    Raises:
        DataError: As ``check_dataset``, or the types are none of these.
    """
    array = _array(images, name, "images")
    if array.dtype != np.uint8:
        if not np.issubdtype(array.dtype, np.floating):
            raise DataError(
                "the images have the wrong type",
                where=name,
                expected="uint8 in 0..255, or floats",
                found=str(array.dtype),
                advice="convert them to the floats that the network was trained on",
            )
        with np.errstate(over="ignore"):  # Too large for float32 becomes infinite, which the check below reports.
            array = array.astype(np.float32)
    numbers, targets = (None, None) if labels is None else _answers(_array(labels, name, "labels"), name)
    if unit is None:
        unit = USUAL_UNIT if array.dtype == np.uint8 else 1.0
    span = None if numbers is None or not len(numbers) else (int(numbers.min()), int(numbers.max()))
    dataset = Dataset(name, array, numbers, unit, classes, targets, span)
    check_dataset(dataset)
    return dataset


def _answers(given: npt.NDArray[Any], name: str) -> tuple[npt.NDArray[np.int64] | None, npt.NDArray[np.float32] | None]:
    """Return labels and targets of what was given as labels."""
    if given.dtype == np.bool_:
        given = given.astype(np.int64)
    if np.issubdtype(given.dtype, np.floating):
        with np.errstate(over="ignore"):  # Too large for float32 becomes infinite, which the check reports.
            return _hot(given), given.astype(np.float32)
    if not np.issubdtype(given.dtype, np.integer):
        raise DataError(
            "the labels have the wrong type",
            where=name,
            expected="whole numbers, or floats for targets",
            found=str(given.dtype),
        )
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    hot = _hot(given)
    if hot is not None:
        return hot, given.astype(np.float32)
    labels = given.astype(np.int64)
    if labels.ndim == 1 and len(labels) and labels.min() == -1 and (np.abs(labels) == 1).all():
        return (labels > 0).astype(np.int64), labels.astype(np.float32)
    return labels, None


def _hot(values: npt.NDArray[Any]) -> npt.NDArray[np.int64] | None:
    """Return the place of the 1 in each row, (N,), where all else is 0; None where they are not one-hot."""
    if values.ndim != 2 or values.shape[1] < 2:
        return None
    ones = values == 1
    is_hot = bool((ones.sum(axis=1) == 1).all()) and np.count_nonzero(values) == len(values)
    return ones.argmax(axis=1).astype(np.int64) if is_hot else None


def class_numbers(values: object) -> npt.NDArray[np.int64] | None:
    """Return what was given as labels as class numbers, (N,); None where it is none.

    Args:
        values: Integers or booleans, (N,) or (N, 1); floats that are whole numbers from 0 on, likewise; or one-hot,
            (N, classes). -1 and 1 become 0 and 1.

    Raises:
        DataError: It is no array of numbers.
    """
    labels, targets = _answers(_array(values, "labels", "labels"), "labels")
    if labels is not None or targets is None:
        return labels
    flat = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
    if flat.ndim != 1 or not (np.isfinite(flat).all() and (flat == np.rint(flat)).all()):
        return None
    numbers = flat.astype(np.int64)
    if len(numbers) and numbers.min() < 0:
        return (numbers > 0).astype(np.int64) if (np.abs(numbers) == 1).all() else None
    return numbers


def _array(values: object, name: str, what: str) -> npt.NDArray[Any]:
    """Turn an array, tensor or list into an array."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()  # A tensor may require gradients or lie on another device.
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise DataError(f"the {what} are not an array", where=name, found=str(error)) from error
    if array.dtype == object:
        raise DataError(f"the {what} are not an array of numbers", where=name, found=f"a {type(values).__name__}")
    return array


# What data of other than two or four axes may be, by their number.
_AXES_ADVICE = {
    1: "give features as (N, features), one row for each sample",
    3: "grey images (N, height, width) need a channel axis of length 1, x[:, None]; signals (N, channels, length) are "
    "not supported yet: give them as images of one row, x[:, :, None], to a network of Conv2d with kernels (1, k)",
    5: "volumes and videos are not supported: give one image for each sample",
}


def check_dataset(dataset: Dataset) -> None:
    """Check that a data set can be used.

    Args:
        dataset: The data set.

    Raises:
        DataError: It is empty; the images have the wrong number of axes, an axis of length 0, or the wrong type, or
            hold NaN or infinity; the labels are not one int64 per image, are negative, or are not among the classes;
            the targets are not one for each image, or not finite; the unit is not positive.
    """
    images, labels, where = dataset.images, dataset.labels, dataset.name
    if images.ndim not in (2, 4):
        raise DataError(
            "the images have the wrong shape",
            where=where,
            expected="(N, channels, height, width) or (N, features)",
            found=str(images.shape),
            advice=_AXES_ADVICE.get(images.ndim),
        )
    if images.size == 0:
        raise DataError("there are no images", where=where, found=f"images of shape {images.shape}")
    if images.dtype not in (np.uint8, np.float32):
        raise DataError(
            "the images have the wrong type", where=where, expected="uint8 or float32", found=str(images.dtype)
        )
    if not 0 < dataset.unit < float("inf"):
        raise DataError("the unit is wrong", where=where, expected="a positive number", found=str(dataset.unit))
    _check_finite(images, where)
    _check_targets(dataset)
    if labels is None:
        return
    if labels.shape != (len(images),):
        raise DataError(
            "the labels do not fit the images",
            where=where,
            expected=f"shape ({len(images)},), one class number per image",
            found=f"shape {labels.shape}",
            advice="give values that a network should put out as floats" if labels.ndim > 1 else None,
        )
    if labels.dtype != np.int64:
        raise DataError("the labels have the wrong type", where=where, expected="int64", found=str(labels.dtype))
    if labels.min() < 0:
        raise DataError(
            "a label is negative",
            where=where,
            found=f"{labels.min()} at index {int(np.argmax(labels < 0))}",
            advice="number classes from 0; give values that a network should put out as floats",
        )
    if dataset.classes is not None and labels.max() >= len(dataset.classes):
        raise DataError(
            "a label has no class",
            where=where,
            expected=f"labels below {len(dataset.classes)}, the number of classes",
            found=str(labels.max()),
        )


def _check_targets(dataset: Dataset) -> None:
    targets = dataset.targets
    if targets is None:
        return
    if not targets.ndim or len(targets) != len(dataset.images) or not targets.size:
        raise DataError(
            "the targets do not fit the images",
            where=dataset.name,
            expected=f"{len(dataset.images)} of them",
            found=f"shape {targets.shape}",
        )
    finite = np.isfinite(targets)
    if not finite.all():
        index = tuple(np.argwhere(~finite)[0].tolist())
        raise DataError(
            "the targets hold NaN or infinity", where=dataset.name, found=f"{targets[index]} at index {index}"
        )


def _check_finite(images: Images, where: str) -> None:
    if images.dtype == np.uint8:
        return
    samples = max(1, _VALUES_AT_ONCE * len(images) // images.size)
    for start in range(0, len(images), samples):
        finite = np.isfinite(images[start : start + samples])
        if not finite.all():
            index = (start, *[0] * (images.ndim - 1)) + np.argwhere(~finite)[0]
            raise DataError(
                "the images hold NaN or infinity",
                where=where,
                found=f"{images[tuple(index)]} at index {tuple(index.tolist())}",
            )
