"""Arrays from a NumPy .npz file."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from snnc.common.errors import DataError
from snnc.common.memory import available_memory, gibibytes
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
        The data set; its unit is the number ``unit`` in the file, else 1/255 for uint8 images and 1.0 for float ones.

    Raises:
        DataError: The file is missing, damaged or no .npz file, lacks the arrays, or they cannot be used.
    """
    unit: float | None = None
    images, labels = read_arrays(spec, split)
    with np.load(Path(spec).expanduser(), allow_pickle=False) as file:
        if "unit" in file.files:
            unit = _unit(file["unit"], spec)
    return make_dataset(spec, images, labels, unit=unit)


def _unit(value: npt.NDArray[Any], spec: str) -> float:
    if value.size != 1 or not np.issubdtype(value.dtype, np.number):
        raise DataError("the unit is wrong", where=spec, expected="one positive number", found=str(value.shape))
    return float(value.reshape(()))


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
        if is_single_array(path):
            raise DataError("not an .npz file", where=spec, found="a single array")
        with zipfile.ZipFile(path) as archive:
            names = [each.removesuffix(".npy") for each in archive.namelist()]
            suffix = f"_{split}" if f"x_{split}" in names else ""
            if f"x{suffix}" not in names:
                raise DataError(
                    "it holds no images",
                    where=spec,
                    expected=f"an array x or x_{split}",
                    found=", ".join(names) or "no arrays",
                )
            chosen = [each for each in (f"x{suffix}", f"y{suffix}") if each in names]
            # Before the first is read, so that what does not fit is told at once.
            size = sum(_declared(archive, each, spec) for each in chosen)
            _check_size(size, spec)
            images, *rest = (_read(archive, each) for each in chosen)
            labels: npt.NDArray[Any] | None = rest[0] if rest else None
    except FileNotFoundError:
        raise DataError("no such file", where=spec) from None
    except DataError:
        raise
    except Exception as error:  # Damage shows as any exception, out of zipfile, zlib or numpy.
        raise DataError("not a readable .npz file", where=spec, found=str(error)) from error
    return images, labels


def is_single_array(path: Path) -> bool:
    """Return whether a file begins as one array does, an .npy file."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


_MAGIC = b"\x93NUMPY"
# Bytes that are taken without a look at how much memory there is.
_UNASKED = 1 << 26


def _entry(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    return archive.getinfo(f"{name}.npy" if f"{name}.npy" in archive.namelist() else name)


def header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the head of an array: its shape and the type of its values.

    Args:
        file: Stands at the start of the array, and afterwards at its first value.

    Raises:
        ValueError: It is none of an array.
    """
    formats: Any = np.lib.format  # without types in old versions
    version = formats.read_magic(file)
    read = formats.read_array_header_1_0 if version == (1, 0) else formats.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _declared(archive: zipfile.ZipFile, name: str, spec: str) -> int:
    """Return how many bytes an array says that it has, which have to be those that the archive says.

    Raises:
        DataError: They are not.
    """
    entry = _entry(archive, name)
    with archive.open(entry) as file:
        shape, dtype = header(file)
        size, packed = math.prod(shape) * dtype.itemsize, entry.file_size - file.tell()
    if size != packed and not dtype.hasobject:
        raise DataError(
            f"{name} is not as large as it says",
            where=spec,
            expected=f"{size:,} bytes, for shape {shape} of {dtype}",
            found=f"{packed:,}",
        )
    return size


def _check_size(size: int, spec: str) -> None:
    available = available_memory() if size > _UNASKED else None
    if available is not None and size > available:
        raise DataError(
            "its arrays take more memory than there is",
            where=spec,
            expected=f"at most {gibibytes(available)}",
            found=gibibytes(size),
            advice="save fewer samples, or uint8 in place of floats",
        )


def _read(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    formats: Any = np.lib.format  # without types in old versions
    with archive.open(_entry(archive, name)) as file:
        array: npt.NDArray[Any] = formats.read_array(file, allow_pickle=False)
    return array


def files(spec: str) -> Iterator[Path]:
    """Yield the file."""
    yield Path(spec).expanduser()


def relocated(spec: str, base: Path) -> str:
    """Return the spec with its path taken from ``base``."""
    return str(base / Path(spec).expanduser())
