"""Reads safetensors files: a header in JSON, which names the tensors, and after it their values."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import IO, Any

import torch

from snnc.compiler.frontend.files.identify import Format, Start
from snnc.compiler.frontend.files.tensors import MalformedFileError, storage_bytes

__all__ = ["FORMAT", "read_safetensors"]

_LENGTH_BYTES = 8
_AXES_MAXIMUM = 16
# The format's own limit.
_HEADER_MAXIMUM = 100_000_000
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a safetensors file. No code is run, and no more memory is taken than the file has bytes.

    Args:
        path: The file; its form is that of https://huggingface.co/docs/safetensors.

    Returns:
        The tensors by name, on the CPU.

    Raises:
        MalformedFileError: The file is truncated, or its header is not JSON of that form, or does not describe the
            values that follow it: every byte of them has to belong to exactly one tensor.
        OSError: The file cannot be read.
    """
    if sys.byteorder != "little":
        raise MalformedFileError("safetensors files are little-endian, and this machine is not")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        available = path.stat().st_size - _LENGTH_BYTES
        if length > min(available, _HEADER_MAXIMUM):
            raise MalformedFileError(f"its header of {length} bytes is longer than the file or the format allow")
        header = _header(file.read(length))
        entries = {name: _entry(name, each) for name, each in header.items() if name != "__metadata__"}
        in_place = sorted(entries.items(), key=lambda item: item[1][2])
        _check_complete(in_place, available - length)
        tensors = {name: _read(file, *entry) for name, entry in in_place}
    return {name: tensors[name] for name in entries}


# Type, shape, and first and last byte after the header.
Entry = tuple[torch.dtype, tuple[int, ...], tuple[int, int]]


def _check_complete(in_place: list[tuple[str, Entry]], available: int) -> None:
    """Check that tensors, in the order of their places, lie one after the other up to the file's end."""
    end = 0
    for name, (_, _, (first, last)) in in_place:
        if first != end:
            raise MalformedFileError(f"the values of {name!r} overlap others or leave a gap")
        end = last
    if end != available:
        raise MalformedFileError(f"its tensors have {end} bytes, where {available} follow the header")


def _header(content: bytes) -> dict[str, Any]:
    try:
        header = json.loads(content.decode("utf-8"), object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        raise MalformedFileError(f"its header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise MalformedFileError("its header is no JSON object")
    return header


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise MalformedFileError("its header holds a name twice")
    return dict(pairs)


def _entry(name: str, described: object) -> Entry:
    """Return the type, shape and place of a tensor's values, checked against each other."""
    if not isinstance(described, dict) or set(described) != {"dtype", "shape", "data_offsets"}:
        raise MalformedFileError(f"the tensor {name!r} is described in an unknown way")
    kind, shape, offsets = described["dtype"], described["shape"], described["data_offsets"]
    if not isinstance(kind, str) or kind not in _DTYPES:
        raise MalformedFileError(f"the tensor {name!r} is of the type {kind!r}, none of {', '.join(_DTYPES)}")
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2 or len(shape) > _AXES_MAXIMUM:
        raise MalformedFileError(f"the tensor {name!r} has a shape or place that is no list of counts")
    if offsets[1] - offsets[0] != storage_bytes(_DTYPES[kind], math.prod(shape)):
        raise MalformedFileError(f"the tensor {name!r} of shape {tuple(shape)} has {offsets[1] - offsets[0]} bytes")
    return _DTYPES[kind], tuple(shape), (offsets[0], offsets[1])


def _are_counts(value: object) -> bool:
    return isinstance(value, list) and all(type(each) is int and each >= 0 for each in value)


def _read(file: IO[bytes], dtype: torch.dtype, shape: tuple[int, ...], place: tuple[int, int]) -> torch.Tensor:
    """Read the values that come next in the file."""
    content = bytearray(file.read(place[1] - place[0]))
    if len(content) != place[1] - place[0]:
        raise MalformedFileError("it was cut off while it was read")
    return torch.frombuffer(content, dtype=dtype).reshape(shape) if content else torch.empty(shape, dtype=dtype)


def _recognise(start: Start) -> bool:
    if start.is_zip or len(start.head) <= _LENGTH_BYTES + 1:
        return False
    length = int.from_bytes(start.head[:_LENGTH_BYTES], "little")
    return start.head[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{" and 2 <= length <= _HEADER_MAXIMUM


FORMAT = Format("safetensors", _recognise, read_safetensors, precedence=40)
