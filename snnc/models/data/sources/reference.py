"""Data that a Python module of the user's own holds or makes: ``module:attribute``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from snnc.common.errors import DataError, SnncError
from snnc.common.import_path import follow, is_reference, module_files, working_directory_first
from snnc.models.data.dataset import Dataset, check_dataset, make_dataset

FORM = "module:attribute"
HELP = "module:attribute"
PRECEDENCE = 6
RUNS_CODE = True

_ACCEPTED = "an array, (x, y), a torch Dataset of (tensor, label), a snnc Dataset, or a callable that returns one"


def matches(spec: str, base: Path) -> bool:
    """Say whether a spec is two Python names with a colon between them."""
    return is_reference(spec)


def load(spec: str, split: Literal["train", "test"]) -> Dataset:
    """Import a module, searched in the working directory first, and take the data it names. This runs its code.

    The attribute may be: an array or tensor of images; a tuple ``(images, labels)``; a torch ``Dataset`` of
    ``(image, label)`` or of images alone; a ``snnc.models.data.Dataset``; or a callable that returns one of these,
    called with ``split="train"`` or ``"test"`` if it takes an argument of that name, else without arguments.

    Args:
        spec: ``module:attribute``.
        split: Handed to the callable; other kinds of attribute have only one part.

    Returns:
        The data set; unless it is one of ours, its unit is 1/255 for uint8 images and 1.0 for float ones.

    Raises:
        DataError: The module or attribute does not exist or raises, or what it holds is none of these.
    """
    with working_directory_first():
        found = follow(spec, where=spec, error=DataError)
        # A class that can be called is no data yet, though its instances may be.
        if callable(found) and not _holds_data(found):
            found = _call(found, spec, split)
        return as_dataset(found, spec)


def files(spec: str) -> Iterator[Path]:
    """Yield the files of the module."""
    return module_files(spec)


def relocated(spec: str, base: Path) -> str:
    """Return the spec as it is, since it has no path."""
    return spec


def _call(function: Callable[..., Any], spec: str, split: str) -> Any:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # Some built-in callables do not tell.
        parameters = {}  # type: ignore[assignment]
    takes_split = "split" in parameters or any(item.kind is item.VAR_KEYWORD for item in parameters.values())
    try:
        return function(split=split) if takes_split else function()
    except SnncError:
        raise
    except Exception as error:
        raise DataError("calling it failed", where=spec, found=f"{type(error).__name__}: {error}") from error


def _holds_data(value: Any) -> bool:
    """Say whether a value is data itself, and not a callable that makes it."""
    return not isinstance(value, type) and (
        isinstance(value, (Dataset, np.ndarray, tuple, list)) or hasattr(value, "detach") or _is_sequence(value)
    )


def _is_sequence(value: Any) -> bool:
    return hasattr(value, "__getitem__") and hasattr(value, "__len__") and not isinstance(value, (str, bytes, dict))


def as_dataset(value: Any, spec: str) -> Dataset:
    """Turn data in any of the forms that ``load`` names, but for a callable, into a data set.

    Args:
        value: The data.
        spec: What to call it, also in errors.

    Returns:
        The data set, checked.

    Raises:
        DataError: It holds no data, or data that cannot be used.
    """
    if isinstance(value, Dataset):
        check_dataset(value)
        return value
    if isinstance(value, np.ndarray) or hasattr(value, "detach"):
        return make_dataset(spec, value)
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return make_dataset(spec, value[0], value[1])
    if not isinstance(value, (type, tuple, list)) and _is_sequence(value):
        return _from_samples(value, spec)
    raise DataError("it holds no data", where=spec, expected=_ACCEPTED, found=f"a {type(value).__name__}")


def _from_samples(samples: Any, spec: str) -> Dataset:
    """Collect the samples of a torch Dataset into arrays."""
    images: list[np.ndarray[Any, Any]] = []
    labels: list[Any] = []
    for index in range(len(samples)):
        try:
            sample = samples[index]
        except Exception as error:
            raise DataError(
                "reading a sample failed", where=spec, found=f"{type(error).__name__}: {error} at index {index}"
            ) from error
        image = sample
        if isinstance(sample, (tuple, list)):
            if len(sample) != 2:
                raise DataError(
                    "a sample has the wrong form",
                    where=spec,
                    expected="(tensor, label)",
                    found=f"{len(sample)} items at index {index}",
                )
            image, label = sample
            labels.append(label.item() if hasattr(label, "item") and getattr(label, "ndim", 0) == 0 else label)
        if not isinstance(image, np.ndarray) and not hasattr(image, "detach"):
            raise DataError(
                "a sample is not a tensor",
                where=spec,
                expected="(tensor, label)",
                found=f"a {type(image).__name__} at index {index}",
                advice="give the data set a transform to tensors",
            )
        images.append(np.asarray(image.detach().cpu() if hasattr(image, "detach") else image))
        if images[-1].shape != images[0].shape:
            raise DataError(
                "a sample has another shape than the first",
                where=spec,
                expected=str(images[0].shape),
                found=f"{images[-1].shape} at index {index}",
            )
    if not images:
        raise DataError("there are no images", where=spec, found="a data set of length 0")
    if labels and len(labels) != len(images):
        raise DataError("some samples have a label and some have none", where=spec)
    classes = getattr(samples, "classes", None)
    names = tuple(str(name) for name in classes) if labels and isinstance(classes, (list, tuple)) else None
    return make_dataset(spec, np.stack(images), labels or None, classes=names)
