"""Sinks that write what all layers send to files: spikes as bits, or graded messages as numbers.

Lava's RingBuffer hands its content over number by number (``PyProcessModel._get_var``), which takes longer than the run
that filled it: about 140 s for 2.4 million values, where this takes none. And it is one process for each layer, where
this is one for all.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from numpy.typing import NDArray


class Recorder(AbstractProcess):  # type: ignore[misc]  # lava-nc has no type information
    """Appends what arrives in each step to a file for each population; see :func:`recorder`.

    Args:
        shapes: Shapes of the populations.
        paths: Their files.
    """

    def __init__(self, *, shapes: Sequence[tuple[int, ...]], paths: Sequence[str]) -> None:
        super().__init__(shapes=shapes, paths=paths)
        for index, shape in enumerate(shapes):
            setattr(self, _port(index), InPort(shape=shape))

    @property
    def ports(self) -> list[InPort]:
        """A port for each population."""
        return [getattr(self, _port(index)) for index in range(len(self.proc_params["paths"]))]


class RecorderModel(PyLoihiProcessModel):  # type: ignore[misc]
    """A Recorder on a CPU that writes one packed bit for each neuron: whether it spiked.

    Args:
        proc_params: What the Recorder was made with.
    """

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        # Without a buffer: the host reads between runs, and Lava ends processes without letting them close files.
        self._files = [Path(path).open("ab", buffering=0) for path in proc_params["paths"]]  # noqa: SIM115

    def run_spk(self) -> None:
        """Write one step."""
        for index, file in enumerate(self._files):
            file.write(self.written(getattr(self, _port(index)).recv()))

    def written(self, arrived: NDArray[np.int32]) -> bytes:
        """Return what a step adds to a file."""
        return np.packbits(arrived != 0).tobytes()

    def close(self) -> None:
        """End the files, where the process does not end."""
        for file in self._files:
            file.close()


class MessageRecorderModel(RecorderModel):
    """A Recorder on a CPU that writes the number that each neuron sent, 32 bits, 0 for none.

    Args:
        proc_params: What the Recorder was made with.
    """

    def written(self, arrived: NDArray[np.int32]) -> bytes:
        """Return what a step adds to a file."""
        return np.ascontiguousarray(arrived, np.int32).tobytes()


def recorder(shapes: Sequence[tuple[int, ...]], paths: Sequence[str]) -> Recorder:
    """Return a process that records the spikes of populations.

    Args:
        shapes: Their shapes.
        paths: The files to append to.
    """
    made: Recorder = _recorder_class(len(shapes), RecorderModel)(shapes=shapes, paths=paths)
    return made


def message_recorder(shapes: Sequence[tuple[int, ...]], paths: Sequence[str]) -> Recorder:
    """Return a process that records the graded messages of populations; arguments as for :func:`recorder`."""
    made: Recorder = _recorder_class(len(shapes), MessageRecorderModel)(shapes=shapes, paths=paths)
    return made


@functools.cache
def _recorder_class(ports: int, base: type[RecorderModel]) -> Any:
    """Return a Recorder with so many ports: Lava wants a model to name each, and finds it in the process's module."""
    name = base.__name__.removesuffix("Model")
    process = type(f"{name}{ports}", (Recorder,), {"__module__": __name__})
    declared = {_port(index): LavaPyType(PyInPort.VEC_DENSE, np.int32) for index in range(ports)}
    model = type(f"Py{name}{ports}Model", (base,), {"__module__": __name__, **declared})
    for decorate in (tag("fixed_pt"), requires(CPU), implements(proc=process, protocol=LoihiProtocol)):
        model = decorate(model)
    globals()[process.__name__] = process
    globals()[model.__name__] = model
    return process


def _port(index: int) -> str:
    return f"spikes_{index}"


def read_messages(path: str, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Return the messages that were recorded of a population, (steps, *shape)."""
    return np.fromfile(path, np.int32).reshape(-1, *shape)


def read_record(path: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the spikes that were recorded of a population, (steps, *shape)."""
    neurons = int(np.prod(shape))
    rows = np.fromfile(path, np.uint8).reshape(-1, -(-neurons // 8))
    return np.unpackbits(rows, axis=1, count=neurons).astype(bool).reshape(-1, *shape)
