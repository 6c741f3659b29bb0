"""Data by a spec: finds the kind of source that a spec names, and loads it.

Kinds of sources are the files of ``sources/``; none of them is named here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol, cast

from snnc.common.errors import DataError
from snnc.common.file_kinds import LFS_ADVICE, LFS_POINTER, is_lfs_pointer
from snnc.common.import_path import is_reference, module_files
from snnc.common.registry import import_all
from snnc.models.data import sources
from snnc.models.data.dataset import Dataset, Normalisation
from snnc.models.training.options import RECIPES

__all__ = ["Source", "files_read", "known_normalisations", "load_data", "names_code", "relocated"]


class Source(Protocol):
    """What each file of ``sources/`` has to define."""

    FORM: str
    """How a spec of this kind looks, for the list of what is possible."""

    HELP: str
    """The same in the words of a command's help, which reads it without importing the file: a text as it stands."""

    PRECEDENCE: int
    """Kinds are asked in ascending order; the first one that a spec fits takes it."""

    RUNS_CODE: bool
    """Whether loading runs code that the spec names."""

    def matches(self, spec: str, base: Path) -> bool:
        """Say whether a spec is of this kind, with its path, where it is relative, taken from the folder ``base``."""

    def load(self, spec: str, split: Literal["train", "test"]) -> Dataset:
        """Load what a spec of this kind names."""

    def files(self, spec: str) -> Iterator[Path]:
        """Yield the files that loading reads, as far as the spec names them; those that do not exist do no harm."""

    def relocated(self, spec: str, base: Path) -> str:
        """Return the spec with its path, where it has a relative one, taken from the folder ``base``."""


@functools.cache
def _sources() -> tuple[Source, ...]:
    """Return the kinds of sources, in the order in which they are asked."""
    modules = (cast(Source, module) for module in import_all(sources))
    return tuple(sorted(modules, key=lambda source: source.PRECEDENCE))


def _source_of(spec: str, base: Path) -> Source | None:
    return next((source for source in _sources() if source.matches(spec, base)), None)


def load_data(spec: str, *, split: Literal["train", "test"]) -> Dataset:
    """Load a data set.

    What ``spec`` is, is decided by the first of these that fits:

    1. ``digits``: the 1,797 digits of 8 x 8 pixels that scikit-learn embeds, 1,437 of them for training.
    2. ``mnist:ROOT``, ``fashion-mnist:ROOT``, ``cifar10:ROOT``, ``cifar100:ROOT``: a torchvision data set that was
       downloaded to the folder ROOT.
    3. ``imagenet:ROOT``: folders ``train`` and ``val`` of class folders of images of any size, which are brought to
       224 x 224 and read only where they are used.
    4. A name that ends in ``.npz``: an array file with ``x`` and perhaps ``y``, or ``x_train``, ``x_test`` and perhaps
       ``y_train``, ``y_test``.
    5. An existing folder, or a name that contains ``/`` or ends in ``.zip``: a folder or zip file with one folder of
       images per class, all of one size and each decoded when it is first used. It may have these in folders or zip
       files ``train`` and ``test`` (or ``val``). A folder named like one of the above is written ``./NAME``.
    6. ``module:attribute``: whatever that Python object holds. This runs the module's code.

    Args:
        spec: Where the data is.
        split: Which part to load. Sources that have only one part give it for both.

    Returns:
        The data set, checked by ``check_dataset``.

    Raises:
        DataError: The spec is of no known kind; the data or what is needed to read it is missing; the data is
            damaged or cannot be used.
    """
    source = _source_of(spec, Path())
    _check_file(spec, source)
    if source:
        dataset = source.load(spec, split)
        known = known_normalisations().get(spec.partition(":")[0])
        return dataset if known is None else replace(dataset, normalisation=known)
    raise DataError(
        "no such data set, file or folder",
        where=repr(spec),
        expected=" | ".join(source.FORM for source in _sources()),
    )


# How data in files of other forms become arrays, by how their names end.
_CONVERSIONS = {
    ".npy": "np.load({0!r})",
    ".csv": "np.loadtxt({0!r}, delimiter=',')",
    ".txt": "np.loadtxt({0!r})",
    ".h5": "h5py.File({0!r})['x'][:]",
    ".hdf5": "h5py.File({0!r})['x'][:]",
    ".mat": "scipy.io.loadmat({0!r})['x']",
    ".pt": "torch.load({0!r}).numpy()",
    ".pth": "torch.load({0!r}).numpy()",
    ".parquet": "pandas.read_parquet({0!r}).to_numpy()",
}
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")


def _check_file(spec: str, source: Source | None) -> None:
    """Refuse a file that is there but is no data, and say how it becomes some."""
    path = Path(spec).expanduser()
    if not path.is_file() or (source is not None and source.RUNS_CODE):
        return
    if is_lfs_pointer(path):
        raise DataError(LFS_POINTER, where=spec, advice=LFS_ADVICE)
    suffix = path.suffix.lower()
    if suffix in (".npz", ".zip") or (source is not None and "/" not in spec):
        return
    made = _CONVERSIONS.get(suffix, "images").format(path.name)
    advice = f'make an .npz file of it: np.savez("{path.stem}.npz", x={made}, y=labels), labels if there are any'
    if suffix in _PICTURES:
        advice = f"give a folder that holds a folder of pictures for each class: FOLDER/CLASS/{path.name}"
    raise DataError(
        "is a file of a form that is not read as data",
        where=spec,
        expected=" | ".join(each.FORM for each in _sources() if not each.RUNS_CODE),
        found=f"a {suffix} file" if suffix else "a file without a suffix",
        advice=advice,
    )


def known_normalisations() -> Mapping[str, Normalisation]:
    """Return what networks for well-known data are usually given, by the names that specs begin with."""
    return {name: Normalisation(name, each.mean, each.std) for name, each in RECIPES.items()}


def relocated(spec: str, base: Path) -> str:
    """Return the spec of data that somebody named from another folder.

    Args:
        spec: As for :func:`load_data`, with paths that begin at ``base``.
        base: The folder.

    Returns:
        The same data's spec as seen from the working folder; what holds no relative path is left as it is.
    """
    source = _source_of(spec, base)
    return source.relocated(spec, base) if source else spec


def files_read(*files: object, data: Iterable[object] = (), code: str | None = None) -> Iterator[Path]:
    """Yield all files that a command or function reads, so that it can see that it writes over none of them.

    Args:
        files: Models, networks, configurations: paths; anything else is an object, or was left out.
        data: Specs of data as :func:`load_data` takes them; anything else is an object, or was left out.
        code: What names Python code, ``module:factory``; anything else names a network of ours.
    """
    for file in files:
        if isinstance(file, str | Path):
            yield Path(file)
            # Where exporters put the weights that are too large for a model of ONNX.
            yield from (Path(f"{file}{suffix}") for suffix in (".data", "_data"))
    for spec in data:
        if isinstance(spec, str | Path) and (source := _source_of(str(spec), Path())):
            yield from source.files(str(spec))
    if code is not None and is_reference(code):
        yield from module_files(code)


def names_code(spec: str) -> bool:
    """Return whether :func:`load_data` would run code that the spec names."""
    source = _source_of(spec, Path())
    return source is not None and source.RUNS_CODE
