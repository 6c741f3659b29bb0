"""What is written down of a file, of a run and of a command's JSON."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

# Where a .net file says what it came from. That may change on purpose; what computes may not.
PROVENANCE = "snnc/provenance"
# Keys of JSON below which numbers differ from run to run.
_TIMES = re.compile(r"seconds|_per_second|elapsed|duration")
_MEASURED = "<measured>"
# Keys whose texts say which machine it was.
_MACHINE = frozenset({"machine"})
# Keys of JSON that change with a file's provenance: it itself, the file's size, and the hash of its bytes.
_FROM_PROVENANCE = frozenset({"provenance", "bytes", "network"})


def of_bytes(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def of_file(path: Path) -> str:
    """SHA-256 of a whole file."""
    return of_bytes(path.read_bytes())


def of_net(path: Path) -> str:
    """SHA-256 over all that an HDF5 file holds, in the order of names: names, types, shapes, values; not provenance."""
    digest = hashlib.sha256()

    def add(name: str, value: Any) -> None:
        values = np.asarray(value)
        if values.dtype.hasobject:
            kept = repr([each if isinstance(each, str | bytes) else str(each) for each in values.ravel()]).encode()
        else:
            kept = np.ascontiguousarray(values).tobytes()
        digest.update(f"{name}\0{values.dtype.str}\0{values.shape}\0{len(kept)}\0".encode())
        digest.update(kept)

    def walk(place: str, group: h5py.Group) -> None:
        for name in sorted(group.attrs):
            if f"{place}{name}" != PROVENANCE:
                add(f"{place}@{name}", group.attrs[name])
        for name in sorted(group):
            entry = group[name]
            if f"{place}{name}" == PROVENANCE:
                continue
            if isinstance(entry, h5py.Group):
                digest.update(f"{place}{name}/\0".encode())
                walk(f"{place}{name}/", entry)
            else:
                for attribute in sorted(entry.attrs):
                    add(f"{place}{name}@{attribute}", entry.attrs[attribute])
                add(f"{place}{name}", entry[()])

    with h5py.File(path) as file:
        walk("", file)
    return digest.hexdigest()


def of_arrays(*arrays: Any) -> str:
    """SHA-256 over numbers, with types and shapes."""
    digest = hashlib.sha256()
    for each in arrays:
        values = np.ascontiguousarray(each)
        digest.update(f"{values.dtype.str}\0{values.shape}\0".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def of_npz(path: Path) -> str:
    """SHA-256 over the arrays of an .npz file, in the order of their names."""
    with np.load(path, allow_pickle=False) as file:
        return of_arrays(
            *(each for name in sorted(file.files) for each in (np.frombuffer(name.encode(), "u1"), file[name]))
        )


def of_weights(network: torch.nn.Module) -> str:
    """SHA-256 over a network's state, in the order of names."""
    state = network.state_dict()
    return of_bytes("".join(f"{name} {of_arrays(state[name].detach().numpy())}\n" for name in sorted(state)).encode())


def of_run(result: Any) -> str:
    """SHA-256 over what a run gave: predictions, readout, and how often each neuron fired."""
    counts = [np.asarray(each, np.int64) for each in result.spike_counts]
    return of_arrays(np.asarray(result.predictions, np.int64), np.asarray(result.readout, np.int64), *counts)


def normalised(value: Any, folder: str, key: str = "") -> Any:
    """JSON without what differs from run to run: measured times, and the folder that all was done in.

    Args:
        value: What was parsed.
        folder: The working folder, which is taken out of all texts.
        key: The name that the value stands under.
    """
    if isinstance(value, dict):
        return {name: normalised(each, folder, name if not _TIMES.search(key) else key) for name, each in value.items()}
    if isinstance(value, list):
        return [normalised(each, folder, key) for each in value]
    if isinstance(value, str):
        if key in _MACHINE:
            return "<machine>"
        return value.replace(folder, "<folder>")
    if _TIMES.search(key) and isinstance(value, int | float) and not isinstance(value, bool):
        return _MEASURED
    return value


def of_json(value: Any, *, provenance: bool = True) -> str:
    """SHA-256 over JSON, whole or without what changes with the provenance of .net files."""
    return of_bytes(as_text(value if provenance else _without_provenance(value)).encode())


def of_files(paths: Iterable[Path]) -> str:
    """SHA-256 over the bytes of several files; a missing one counts as such."""
    return of_bytes(" ".join(of_file(path) if path.exists() else "none" for path in paths).encode())


def _without_provenance(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_provenance(each) for name, each in value.items() if name not in _FROM_PROVENANCE}
    return [_without_provenance(each) for each in value] if isinstance(value, list) else value


def as_text(value: Any) -> str:
    """JSON as it is kept: sorted and indented, so that versions can be compared line by line."""
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
