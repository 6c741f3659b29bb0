"""A sink that writes the spikes of all layers to files.

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
    """Appends one packed bit for each neuron and step to a file for each population; see :func:`recorder`.

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
    """A Recorder on a CPU.

    Args:
        proc_params: What the Recorder was made with.
    """

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        # Without a buffer: the host reads between runs, and Lava ends processes without letting them close files.
        self._files = [Path(path).open("ab", buffering=0) for path in proc_params["paths"]]  # noqa: SIM115

    def run_spk(self) -> None:
        """Writes one step."""
        for index, file in enumerate(self._files):
            file.write(np.packbits(getattr(self, _port(index)).recv() != 0).tobytes())

    def close(self) -> None:
        """Ends the files, where the process does not end."""
        for file in self._files:
            file.close()


def recorder(shapes: Sequence[tuple[int, ...]], paths: Sequence[str]) -> Recorder:
    """A process that records populations.

    Args:
        shapes: Their shapes.
        paths: The files to append to.
    """
    made: Recorder = _recorder_class(len(shapes))(shapes=shapes, paths=paths)
    return made


@functools.cache
def _recorder_class(ports: int) -> Any:
    """A Recorder with so many ports: Lava wants a model to name each, and finds it in the process's module."""
    process = type(f"Recorder{ports}", (Recorder,), {"__module__": __name__})
    declared = {_port(index): LavaPyType(PyInPort.VEC_DENSE, np.int32) for index in range(ports)}
    model = type(f"PyRecorder{ports}Model", (RecorderModel,), {"__module__": __name__, **declared})
    for decorate in (tag("fixed_pt"), requires(CPU), implements(proc=process, protocol=LoihiProtocol)):
        model = decorate(model)
    globals()[process.__name__] = process
    globals()[model.__name__] = model
    return process


def _port(index: int) -> str:
    return f"spikes_{index}"


def read_record(path: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """What was recorded of a population, (steps, *shape)."""
    neurons = int(np.prod(shape))
    rows = np.fromfile(path, np.uint8).reshape(-1, -(-neurons // 8))
    return np.unpackbits(rows, axis=1, count=neurons).astype(bool).reshape(-1, *shape)
