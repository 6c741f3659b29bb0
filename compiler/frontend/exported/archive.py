"""Takes a program of ``torch.export`` out of its archive: the graph, and the tensors.

There have been two layouts. Up to PyTorch 2.7 the graph is ``serialized_exported_program.json`` and the tensors are
files of ``torch.save`` inside the archive; since then it is ``models/model.json``, and the tensors are such a file or
plain values, described by a configuration in JSON.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from snnc.compiler.frontend.load_records import Records
from snnc.compiler.frontend.load_restricted import read_archive
from snnc.compiler.frontend.load_tensors import MalformedFileError, StoredValues, rebuild_tensor, storage_bytes
from snnc.errors import ModelError

__all__ = ["ProgramFile", "read_program_file"]

_GRAPHS = ("serialized_exported_program.json", "models/model.json")
_SAVED = (
    "serialized_state_dict.pt",
    "serialized_state_dict.json",
    "serialized_constants.pt",
    "serialized_constants.json",
    "data/weights/model.pt",
    "data/constants/model.pt",
)
_DESCRIBED = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
# The numbers of element types in torch.export's schema.
_DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}


@dataclass(frozen=True)
class ProgramFile:
    """The content of the archive.

    Attributes:
        graph: The program as JSON describes it.
        tensors: Parameters, buffers and constants by name.
    """

    graph: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]


def read_program_file(path: Path) -> ProgramFile:
    """Read the archive. No code is run, and memory is bounded by the file's size.

    Raises:
        UntrustedModelError: A pickle in it names what is not admitted.
        ModelError: A tensor of an unusual class is pickled.
        MalformedFileError: It is truncated or damaged, or not of a layout that is known.
        OSError: The file cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        records = Records(archive)
        folder = _folder(records)
        graphs = [name for name in _GRAPHS if folder + name in records.names]
        if len(graphs) != 1:
            raise MalformedFileError("it holds no program, or several")
        tensors: dict[str, torch.Tensor] = {}
        for name in _SAVED:
            if folder + name in records.names:
                tensors.update(_saved(records.read(folder + name), str(path)))
        for name in _DESCRIBED:
            if folder + name in records.names:
                tensors.update(_described(records, folder + name, str(path)))
        return ProgramFile(_json(records.read(folder + graphs[0])), tensors)


def _folder(records: Records) -> str:
    """The folder that the newer layout puts everything in."""
    for name in records.names:
        folder, slash, rest = name.partition("/")
        if rest == _GRAPHS[1]:
            return folder + slash
    return ""


def _json(content: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MalformedFileError(f"its JSON is damaged: {error}") from error
    if not isinstance(document, dict):
        raise MalformedFileError("its JSON is no object")
    return document


def _saved(content: bytes, where: str) -> Mapping[str, torch.Tensor]:
    """The tensors in a file of ``torch.save``; there is none where the program has no such tensors."""
    if not content:
        return {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        saved = read_archive(archive, where)
    if not isinstance(saved, Mapping) or not all(isinstance(each, torch.Tensor) for each in saved.values()):
        raise MalformedFileError("its parameters are no tensors")
    return {str(name): tensor for name, tensor in saved.items()}


def _described(records: Records, configuration: str, where: str) -> dict[str, torch.Tensor]:
    """The tensors that a configuration describes; their values are records beside it."""
    folder = configuration.rpartition("/")[0]
    entries = _json(records.read(configuration)).get("config")
    if not isinstance(entries, dict):
        raise MalformedFileError("its tensors are described in an unknown way")
    storages: dict[str, bytearray] = {}
    tensors = {}
    for name, entry in entries.items():
        record = f"{folder}/{entry['path_name']}"
        if entry["use_pickle"]:
            raise ModelError("a tensor in it is pickled, as those of unusual classes are", where=where, found=name)
        if record not in storages:
            storages[record] = bytearray(records.read(record))
        tensors[name] = _tensor(storages[record], entry["tensor_meta"])
    return tensors


def _tensor(content: bytearray, described: Mapping[str, Any]) -> torch.Tensor:
    dtype = _DTYPES.get(described["dtype"])
    if dtype is None:
        raise MalformedFileError(f"a tensor is of an unknown type, {described['dtype']}")
    size = storage_bytes(dtype, 1)
    # An empty buffer is refused by frombuffer.
    flat = (
        torch.frombuffer(content, dtype=dtype, count=len(content) // size)
        if len(content) >= size
        else torch.empty(0, dtype=dtype)
    )
    sizes, strides = (tuple(_integer(each) for each in described[key]) for key in ("sizes", "strides"))
    return rebuild_tensor(StoredValues(flat), _integer(described["storage_offset"]), sizes, strides)


def _integer(value: Any) -> int:
    number = value["as_int"]
    if type(number) is not int:
        raise MalformedFileError("a tensor's size is no number")
    return number
