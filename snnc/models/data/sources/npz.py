"""Arrays from a NumPy .npz file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from snnc.common.errors import DataError
from snnc.models.data.dataset import Dataset, make_dataset

FORM = "FILE.npz (x and y, or x_train, y_train, x_test, y_test)"
HELP = "FILE.npz (arrays x and y)"
PRECEDENCE = 4
RUNS_CODE = False


def matches(spec: str, base: Path) -> bool:
    """Say whether a spec ends in ``.npz``."""
    return spec.lower().endswith(".npz")


def load(spec: str, split: Literal["train", "test"]) -> Dataset:
    """Load images from ``x`` and labels from ``y``, or from ``x_train``, ``y_train`` or ``x_test``, ``y_test``.

    Where the file has the arrays of the split, these are taken, else ``x`` and ``y``. The order of axes is not guessed:
    images have to be (N, channels, height, width) or (N, features). Pickled objects are not read.

    Args:
        spec: The file.
        split: ``train`` or ``test``.

    Returns:
        The data set; its unit is 1/255 for uint8 images and 1.0 for float ones.

    Raises:
        DataError: The file is missing, damaged or no .npz file, lacks the arrays, or they cannot be used.
    """
    return make_dataset(spec, *read_arrays(spec, split))


def read_arrays(spec: str, split: Literal["train", "test"]) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Return the arrays that :func:`load` takes, as they are: of any shape and type.

    Args:
        spec: The file.
        split: ``train`` or ``test``.

    Returns:
        Images, and labels or None.

    Raises:
        DataError: The file is missing, damaged or no .npz file, or lacks the arrays.
    """
    path = Path(spec).expanduser()
    try:
        content = np.load(path, allow_pickle=False)
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise DataError("not an .npz file", where=spec, found="a single array")
        with content as file:
            suffix = f"_{split}" if f"x_{split}" in file.files else ""
            if f"x{suffix}" not in file.files:
                raise DataError(
                    "it holds no images",
                    where=spec,
                    expected=f"an array x or x_{split}",
                    found=", ".join(file.files) or "no arrays",
                )
            images = file[f"x{suffix}"]
            labels: npt.NDArray[Any] | None = file[f"y{suffix}"] if f"y{suffix}" in file.files else None
    except FileNotFoundError:
        raise DataError("no such file", where=spec) from None
    except DataError:
        raise
    except Exception as error:  # Damage shows as any exception, out of zipfile, zlib or numpy.
        raise DataError("not a readable .npz file", where=spec, found=str(error)) from error
    return images, labels


def relocated(spec: str, base: Path) -> str:
    """Return the spec with its path taken from ``base``."""
    return str(base / Path(spec).expanduser())
