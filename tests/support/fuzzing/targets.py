"""The readers that are fuzzed: each gives a valid object or an error of snnc's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from snnc.common.errors import ModelError, SnncError
from snnc.compiler.frontend.files.load import load_model, read_state
from snnc.program import Program
from snnc.program.net import load
from snnc.program.net.writer import to_bytes
from snnc.program.netx import load_netx
from snnc.program.netx.network import NetxNetwork
from snnc.program.nir import load_nir
from snnc.runtime.hardware.lab.result import LabResult, read_lab_result
from support.fuzzing.limits import FREE_BYTES, within_memory


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Attributes:
        suffix: Of its names.
        read: Reads it and checks what came out.
        growth: Bytes of memory that each byte of the file may take.
    """

    suffix: str
    read: Callable[[Path], None]
    growth: int

    def check(self, content: bytes, folder: Path) -> bool:
        """Reads a file with this content.

        Returns:
            Whether it was accepted.

        Raises:
            AssertionError: It takes more memory than is promised, or gives something that is not valid.
            Exception: Any that is not snnc's own.
        """
        path = folder / f"file{self.suffix}"
        path.write_bytes(content)
        try:
            with within_memory(FREE_BYTES + self.growth * len(content)):
                self.read(path)
        except SnncError as error:
            assert "\n" not in str(error) and str(error).isprintable(), error
            # An attempt to take all memory would else pass as damage.
            assert not isinstance(error.__cause__, MemoryError), error
            return False
        return True


def _program(path: Path) -> None:
    """What is accepted can be written, and is then the same."""
    program = load(path)
    assert isinstance(program, Program)
    content = to_bytes(program)
    path.write_bytes(content)
    assert to_bytes(load(path)) == content


def _netx(path: Path) -> None:
    assert isinstance(load_netx(path), NetxNetwork)


def _graph(path: Path) -> None:
    """A NIR graph, as a compiled program and as a model."""
    try:
        assert isinstance(load_nir(path), Program)
    except SnncError:
        _network(path)


def _network(path: Path) -> None:
    assert isinstance(load_model(path), nn.Module)


def _weights(path: Path) -> None:
    """A network, or a state_dict, which is one only together with the user's code."""
    try:
        _network(path)
    except ModelError as error:
        if "without the network they belong to" not in str(error):
            raise
        assert read_state(path)


def _result(path: Path) -> None:
    assert isinstance(read_lab_result(path), LabResult)


# Numbers that a byte may hold, once it is unpacked.
_PACKED = 1100
TARGETS = {
    "net": Target(".net", _program, 24 * _PACKED),
    "netx": Target(".net", _netx, 64 * _PACKED),
    "nir": Target(".nir", _graph, 64 * _PACKED),
    "torch": Target(".pt", _weights, 64),
    "exported": Target(".pt2", _network, 64),
    "onnx": Target(".onnx", _network, 256),
    "safetensors": Target(".safetensors", _weights, 64),
    "lab": Target(".json", _result, 64),
}
