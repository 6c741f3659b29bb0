"""The handwritten digits that scikit-learn embeds: no download, good enough for a demo and for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from snnc.common.import_path import import_optional
from snnc.models.data.dataset import Dataset, make_dataset, shuffled

FORM = "digits"
HELP = "digits (embedded in scikit-learn)"
PRECEDENCE = 1
RUNS_CODE = False

_TEST_COUNT = 360
_SEED = 0
_MAXIMUM = 16


def matches(spec: str, base: Path) -> bool:
    """Say whether a spec is the word ``digits``."""
    return spec == "digits"


def load(spec: str, split: Literal["train", "test"]) -> Dataset:
    """Load the digits.

    Args:
        spec: ``digits``.
        split: ``train`` (1,437 images) or ``test`` (360), fixed, with all classes in proportion in both.

    Returns:
        Images of shape (N, 1, 8, 8), uint8 in 0..16, of unit 1/16, in random order.

    Raises:
        DataError: scikit-learn is not installed.
    """
    content = import_optional("sklearn.datasets", "scikit-learn", spec).load_digits()
    images = content.images.astype(np.uint8)[:, np.newaxis]
    labels = content.target.astype(np.int64)
    chosen = _split(labels, split)
    classes = tuple(str(name) for name in content.target_names)
    return make_dataset(f"digits ({split})", images[chosen], labels[chosen], unit=1 / _MAXIMUM, classes=classes)


def files(spec: str) -> Iterator[Path]:
    """Yield nothing: they come with scikit-learn."""
    return iter(())


def relocated(spec: str, base: Path) -> str:
    """Return the spec as it is, since it has no path."""
    return spec


def _split(labels: npt.NDArray[np.int64], split: Literal["train", "test"]) -> npt.NDArray[np.int64]:
    """Choose the images of a split: each class gives its share to the test images, rounded so that the sum is right."""
    order = shuffled(len(labels), _SEED)
    _, sizes = np.unique(labels, return_counts=True)
    shares = sizes * _TEST_COUNT / len(labels)
    counts = np.floor(shares).astype(np.int64)
    largest_remainders = np.argsort(counts - shares, kind="stable")[: _TEST_COUNT - counts.sum()]
    counts[largest_remainders] += 1
    tested = np.zeros(len(labels), dtype=bool)
    for label, count in enumerate(counts):
        tested[order[labels[order] == label][:count]] = True
    chosen: npt.NDArray[np.int64] = order[tested[order] == (split == "test")]
    return chosen
