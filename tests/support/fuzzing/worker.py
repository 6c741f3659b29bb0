"""One process of libFuzzer on one kind of file: ``python -m support.fuzzing.worker TARGET FOLDER... -OPTION=VALUE...``.

libFuzzer ends the process at an exception, a signal, a hang or too much memory, and leaves the file that caused it.
"""

from __future__ import annotations

import io
import random
import shlex
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import atheris
import h5py

# Modules whose branches are counted; numba compiles others, which must not be changed for that.
COUNTED = [
    "snnc.program.net",
    "snnc.program.nir",
    "snnc.compiler.frontend",
    "snnc.program.netx",
    "snnc.runtime.hardware.lab",
]
with atheris.instrument_imports(include=COUNTED):
    from support.fuzzing.targets import TARGETS

from snnc.common.errors import SnncError  # noqa: E402
from snnc.program.net.hdf5_safety import Admitted, check_all_heaps  # noqa: E402
from support.fuzzing.change_hdf5 import change_hdf5  # noqa: E402
from support.fuzzing.change_zip import change_zip  # noqa: E402
from support.fuzzing.seeds import seeds  # noqa: E402


class Changes:
    """Changes that know the format: half of all; the rest are libFuzzer's, of bytes.

    Args:
        target: The kind of file.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._seeds = seeds(target)

    def __call__(self, content: bytes, size_maximum: int, seed: int) -> bytes:
        draw = random.Random(seed)
        if draw.random() < 0.5:
            changed = self._structured(content, draw)
            if changed is not None and len(changed) <= size_maximum:
                return changed
        return bytes(atheris.Mutate(content, size_maximum))

    def _structured(self, content: bytes, draw: random.Random) -> bytes | None:
        if self._target in ("net", "netx", "nir"):
            try:
                return change_hdf5(content if _is_admitted(content) else draw.choice(self._seeds), draw)
            except Exception:  # noqa: BLE001 # HDF5 of a file that is damaged where nobody looked
                return None
        if self._target in ("torch", "exported"):
            try:
                whole = content if zipfile.is_zipfile(io.BytesIO(content)) else draw.choice(self._seeds)
                return change_zip(whole, draw, lambda record: bytes(atheris.Mutate(record, len(record) + 64)))
            except Exception:  # noqa: BLE001 # of a damaged archive, or a seed that is none
                return None
        return None


def _is_admitted(content: bytes) -> bool:
    """Whether the readers would go on to values, so that HDF5 may be trusted to change the file."""
    try:
        check_all_heaps(io.BytesIO(content))
        with h5py.File(io.BytesIO(content), "r") as file:
            Admitted("").check(file)
    except (SnncError, OSError, RuntimeError, KeyError, MemoryError, TypeError, ValueError):
        return False
    return True


def main() -> None:
    """Runs until libFuzzer ends."""
    warnings.simplefilter("ignore")
    target, *arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:

        def one(content: bytes) -> None:
            TARGETS[target].check(content, Path(folder))

        # To merge files libFuzzer starts itself again, by its own name, through a shell.
        command = f"{shlex.quote(sys.executable)} -m support.fuzzing.worker {target}"
        atheris.Setup([command, *arguments], one, custom_mutator=Changes(target))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
