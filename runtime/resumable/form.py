"""A result as bytes, and back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.runtime.result import RunResult

Arrays = Mapping[str, NDArray[Any]]


def to_bytes(result: RunResult) -> bytes:
    """A result as the content of an .npz file."""
    content = io.BytesIO()
    np.savez(content, **_arrays(result, ""))
    return content.getvalue()


def from_bytes(content: bytes) -> RunResult:
    """What :func:`to_bytes` made; nothing in it is run."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return _result(dict(arrays), "")


def _arrays(result: RunResult, prefix: str) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {f"{prefix}readout": result.readout, f"{prefix}input": result.input_counts}
    for index, counts in enumerate(result.spike_counts):
        found[f"{prefix}counts-{index}"] = counts
    # A network of a readout alone has spikes that were recorded too, of no layer.
    found[f"{prefix}recorded"] = np.array(result.spikes is not None)
    for index, train in enumerate(result.spikes or ()):
        found[f"{prefix}spikes-{index}"] = train
    if result.wraps is not None:
        found[f"{prefix}wraps"] = np.array(result.wraps, np.int64)
    found[f"{prefix}earlier"] = np.array(list(result.earlier), np.int64)
    for steps, each in result.earlier.items():
        found.update(_arrays(each, f"{prefix}{steps}."))
    return found


def _result(arrays: Arrays, prefix: str) -> RunResult:
    wraps = arrays.get(f"{prefix}wraps")
    return RunResult(
        readout=arrays[f"{prefix}readout"],
        spike_counts=_numbered(arrays, f"{prefix}counts-"),
        input_counts=arrays[f"{prefix}input"],
        wraps=None if wraps is None else tuple(wraps.tolist()),
        spikes=_numbered(arrays, f"{prefix}spikes-") if arrays[f"{prefix}recorded"] else None,
        earlier={int(steps): _result(arrays, f"{prefix}{steps}.") for steps in arrays[f"{prefix}earlier"].tolist()},
    )


def _numbered(arrays: Arrays, name: str) -> tuple[NDArray[Any], ...]:
    found: list[NDArray[Any]] = []
    while (value := arrays.get(f"{name}{len(found)}")) is not None:
        found.append(value)
    return tuple(found)
