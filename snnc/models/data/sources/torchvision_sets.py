"""Data sets that torchvision has downloaded before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from snnc.common.errors import DataError
from snnc.common.import_path import import_optional
from snnc.models.data.dataset import Dataset, make_dataset


@dataclass(frozen=True)
class _Set:
    """One data set: its class in torchvision.datasets, its folder below the root, and where the channels are."""

    class_name: str
    folder: str
    channels_last: bool


_SETS: dict[str, _Set] = {
    "mnist": _Set("MNIST", "MNIST/raw", channels_last=False),
    "fashion-mnist": _Set("FashionMNIST", "FashionMNIST/raw", channels_last=False),
    "cifar10": _Set("CIFAR10", "cifar-10-batches-py", channels_last=True),
    "cifar100": _Set("CIFAR100", "cifar-100-python", channels_last=True),
}

FORM = " | ".join(f"{name}:ROOT" for name in _SETS)
HELP = "mnist:ROOT, fashion-mnist:ROOT, cifar10:ROOT, cifar100:ROOT (torchvision data sets below the folder ROOT)"
PRECEDENCE = 2
RUNS_CODE = False


def matches(spec: str, base: Path) -> bool:
    """Say whether a spec starts with the name of one of the sets and a colon."""
    return spec.partition(":")[0] in _SETS and ":" in spec


def load(spec: str, split: Literal["train", "test"]) -> Dataset:
    """Load a data set from the folder to which torchvision downloaded it; nothing is downloaded here.

    Args:
        spec: ``NAME:ROOT``.
        split: ``train`` or ``test``.

    Returns:
        Images of shape (N, 1, 28, 28) or (N, 3, 32, 32), uint8, of unit 1/255.

    Raises:
        DataError: torchvision is not installed, or the data is not there or damaged.
    """
    name, _, root = spec.partition(":")
    chosen = _SETS[name]
    if not root:
        raise DataError("the folder is missing", where=repr(spec), expected=f"{name}:ROOT, where ROOT holds the data")
    set_class = getattr(import_optional("torchvision.datasets", "torchvision", spec), chosen.class_name)
    folder = Path(root).expanduser()
    expected = folder / chosen.folder
    try:
        content = _without_old_files(set_class)(str(folder), train=split == "train", download=False)
    except Exception as error:
        packed = expected.is_dir() and any(expected.glob("*.gz"))
        advice = f"torchvision.datasets.{chosen.class_name}({str(folder)!r}, download=True) downloads it"
        raise DataError(
            "the data is not there, incomplete or damaged",
            where=spec,
            expected=f"the files in {expected}",
            found=str(error),
            advice="unpack the .gz files there with gunzip" if packed else advice,
        ) from error
    images = np.asarray(content.data)
    images = images.transpose(0, 3, 1, 2) if chosen.channels_last else images[:, np.newaxis]
    classes = tuple(str(label) for label in content.classes)
    return make_dataset(f"{name} ({split})", np.ascontiguousarray(images), np.asarray(content.targets), classes=classes)


def _without_old_files(set_class: Any) -> Any:
    """Return the same data set, which never reads the pickles of old versions in MNIST's folder ``processed``.

    torchvision takes these for the data where they are there, and does not compare them with known checksums.
    """
    if not hasattr(set_class, "_check_legacy_exist"):
        return set_class
    return type(set_class.__name__, (set_class,), {"_check_legacy_exist": lambda self: False})


def files(spec: str) -> Iterator[Path]:
    """Yield all that lies in the set's folder below ROOT."""
    name, _, root = spec.partition(":")
    yield from (Path(root).expanduser() / _SETS[name].folder).glob("*")


def relocated(spec: str, base: Path) -> str:
    """Return the spec with ROOT taken from ``base``."""
    name, _, root = spec.partition(":")
    return f"{name}:{base / Path(root).expanduser()}" if root else spec
