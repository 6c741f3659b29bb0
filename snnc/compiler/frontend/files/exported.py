"""From a program of ``torch.export`` to a network that can be traced.

``torch.export.load`` is not used: before PyTorch 2.6 it unpickles, and it evaluates formulas from the file as Python.
Here the file's JSON is only looked at, and operators are looked up in a table.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.fx

from snnc.common.errors import ModelError, UnsupportedError
from snnc.compiler.frontend.files.assembly import REFUSED, Assembly, Place, RefusedError, printable
from snnc.compiler.frontend.files.aten import Operators, Unknown, keep
from snnc.compiler.frontend.files.identify import Format, Start
from snnc.compiler.frontend.files.tensors import MalformedFileError, StoredValues, rebuild_tensor, storage_bytes
from snnc.compiler.frontend.files.torch_save import Records, read_archive
from snnc.compiler.frontend.locations import foreign_line

__all__ = ["FORMAT", "ProgramFile", "place_of", "read_exported", "read_program_file"]

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
    """Return the folder that the newer layout puts everything in."""
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
    """Return the tensors in a file of ``torch.save``; there is none where the program has no such tensors."""
    if not content:
        return {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        saved = read_archive(archive, where)
    if not isinstance(saved, Mapping) or not all(isinstance(each, torch.Tensor) for each in saved.values()):
        raise MalformedFileError("its parameters are no tensors")
    return {str(name): tensor for name, tensor in saved.items()}


def _described(records: Records, configuration: str, where: str) -> dict[str, torch.Tensor]:
    """Return the tensors that a configuration describes; their values are records beside it."""
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


# PyTorch 2.3 writes a path as the Python that leads there: getattr(L['self'].features, '0').
_STEPS = re.compile(r"\.(\w+)|, ?'([^']+)'\)")
_LEAVES = "torch.nn.modules."
_CONTAINERS = "torch.nn.modules.container."


def place_of(metadata: Mapping[str, Any], name: str) -> Place:
    """Return the place that errors name: a layer's path, or that of the module that makes the call, and its name.

    Args:
        metadata: What the file says of the operator.
        name: The operator's own name.
    """
    path, kind = _innermost(str(metadata.get("nn_module_stack", "")))
    line = foreign_line(str(metadata.get("stack_trace", "")))
    if path and kind.startswith(_LEAVES) and not kind.startswith(_CONTAINERS):
        return Place(printable(path), line)
    return Place(printable(f"{path}.{name}" if path else name), line)


def _innermost(stack: str) -> tuple[str, str]:
    """Return path and class of the innermost module: ``key,path,class`` for each, outermost first, ``;`` in between."""
    last = stack.rpartition(";")[2]
    _, _, rest = last.partition(",")
    path, _, kind = rest.rpartition(",")
    if path.startswith("_empty_"):
        return "", ""
    if "L[" in path:
        path = ".".join("".join(step) for step in _STEPS.findall(path))
    return path, kind


_OPERATOR = "torch.ops.aten."
_ARITHMETIC = "_operator."
# What checks sizes and gives nothing.
_CHECKS = ("_assert", "sym_constrain_range", "_assert_tensor_metadata")


def read_exported(path: Path) -> torch.fx.GraphModule:
    """Read a program that ``torch.export.save`` wrote. No code is run.

    Args:
        path: The file.

    Returns:
        The network; it takes any number of samples.

    Raises:
        UnsupportedError: The program holds something that cannot be compiled; the message names the module.
        MalformedFileError: The file is truncated or damaged.
        OSError: The file cannot be read.
    """
    content = read_program_file(path)
    try:
        return _Reader(content).read()
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise MalformedFileError(f"its graph is not of the form that torch.export writes: {error!r}") from error


def _recognise(start: Start) -> bool:
    return start.has_record("serialized_exported_program.json", "archive_format")


FORMAT = Format("torch.export.save", _recognise, read_exported, precedence=30)


class _Reader:
    """Goes through the nodes of a program.

    Names stand for nodes of the assembly, tensors of the file, numbers, or several of these.
    """

    def __init__(self, content: ProgramFile) -> None:
        module = content.graph["graph_module"]
        self._graph = module["graph"]
        self._signature = module["signature"]
        self._tensors = content.tensors
        self._network = Assembly()
        self._values: dict[str, Any] = {}

    def read(self) -> torch.fx.GraphModule:
        operators = Operators(self._network, self._inputs())
        for number, node in enumerate(self._graph["nodes"]):
            outputs = [_output_name(each) for each in node["outputs"]]
            with self._network.collecting(self._values, outputs, self._read_by(node)):
                self._node(operators, node, number)
        self._network.check()
        return self._network.finish(self._output())

    def _read_by(self, node: Mapping[str, Any]) -> list[Any]:
        """Return the tensors that a node reads."""
        names = (each["arg"]["as_tensor"]["name"] for each in node["inputs"] if "as_tensor" in each["arg"])
        return [self._values.get(name) for name in names]

    def _inputs(self) -> int | None:
        """Take in parameters, buffers and the input; return the number of samples where it is fixed."""
        batches = []
        for spec in self._signature["input_specs"]:
            ((kind, described),) = spec.items()
            if kind == "user_input":
                name = described["arg"]["as_tensor"]["name"]
                self._values[name] = self._network.input(Place(printable(name)))
                batches.append(self._graph["tensor_values"][name]["sizes"][0].get("as_int"))
            elif kind in ("parameter", "buffer", "tensor_constant"):
                name = described[f"{kind}_name"]
                if name not in self._tensors:
                    raise MalformedFileError(f"it lacks the values of {printable(str(name))}")
                self._values[described["arg"]["name"]] = self._tensors[name]
            else:
                raise UnsupportedError(
                    f"the program has an input of the kind {printable(str(kind))}", expected="tensors"
                )
        return batches[0] if len(batches) == 1 else None

    def _output(self) -> Any:
        returned = [each["user_output"]["arg"] for each in self._signature["output_specs"] if "user_output" in each]
        if len(returned) != len(self._signature["output_specs"]):
            raise UnsupportedError(
                "the program changes its buffers", expected="no changes", advice="call network.eval() before exporting"
            )
        values = [self._value(each) for each in returned]
        return values[0] if len(values) == 1 else values

    def _node(self, operators: Operators, node: Mapping[str, Any], number: int) -> None:
        outputs = node["outputs"]
        target = str(node["target"])
        name = _output_name(outputs[0]) if outputs else f"node {number}"
        self._network.place = place_of(node["metadata"], printable(name))
        operator = target.removeprefix(_OPERATOR).partition(".")[0]
        if target.startswith(_OPERATOR) and operator.startswith(_CHECKS):
            return
        names = [_output_name(each) for each in outputs]
        if target.startswith(_OPERATOR):
            given = {each["name"]: self._value(each["arg"]) for each in node["inputs"]}
            keep(self._values, names, operators.apply(operator, given))
        elif any("as_tensor" in each or "as_tensors" in each for each in outputs):
            raise self._network.place.unsupported(f"{printable(target)} is not supported", "PyTorch's own operators")
        elif target.startswith(_ARITHMETIC) and len(node["inputs"]) == 2:
            first, second = (self._value(each["arg"]) for each in node["inputs"])
            keep(self._values, names, operators.arithmetic(target.removeprefix(_ARITHMETIC), first, second))
        else:
            # Of checks and the like: whatever needs the result says so.
            self._values.update(dict.fromkeys(names, Unknown(target)))

    def _value(self, argument: Mapping[str, Any]) -> Any:
        """Return an argument: each is an object with one entry, which says its kind."""
        ((kind, value),) = argument.items()
        if kind == "as_none":
            return None
        if kind in ("as_tensor", "as_sym_int") and "name" in value:
            return self._named(value["name"])
        if kind == "as_name":
            return self._named(value)
        if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
            return self._named(value["as_name"]) if "as_name" in value else self._value(value)
        if kind in ("as_sym_ints", "as_optional_tensors"):
            return [self._value(each) for each in value]
        if kind == "as_tensors":
            return [self._named(each["name"]) for each in value]
        if kind in _PLAIN and all(isinstance(each, _PLAIN[kind]) for each in _sequence(value)):
            return value
        if kind in ("as_device", "as_layout", "as_memory_format", "as_scalar_type"):
            return None
        raise self._network.place.unsupported(f"an argument is of the kind {printable(str(kind))}")

    def _named(self, name: str) -> Any:
        value = self._values[name]
        if value is REFUSED:
            raise RefusedError
        if isinstance(value, Unknown):
            raise self._network.place.unsupported(
                f"it reads {printable(value.source)}", "values that supported operations give"
            )
        return value


_PLAIN: dict[str, type | tuple[type, ...]] = {
    "as_int": int,
    "as_ints": int,
    "as_float": (int, float),
    "as_floats": (int, float),
    "as_bool": bool,
    "as_bools": bool,
    "as_string": str,
}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _output_name(described: Mapping[str, Any]) -> str:
    ((_, value),) = described.items()
    if isinstance(value, list):
        return str(value[0]["name"]) if value else ""
    return str(value.get("name", value.get("as_name", "")))
