"""A sink that writes spikes to a file.

Lava's RingBuffer hands its content over number by number (``PyProcessModel._get_var``), which takes longer than the run
that filled it: about 140 s for 2.4 million values, where this takes none.
"""

from __future__ import annotations

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
    """Appends one packed bit for each neuron and step to a file.

    Args:
        shape: Shape of the population.
        path: The file.
    """

    def __init__(self, *, shape: tuple[int, ...], path: str) -> None:
        super().__init__(shape=shape, path=path)
        self.a_in = InPort(shape=shape)


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRecorderModel(PyLoihiProcessModel):  # type: ignore[misc]
    """The Recorder on a CPU."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: dict[str, Any]) -> None:
        super().__init__(proc_params)
        self._path = Path(proc_params["path"])

    def run_spk(self) -> None:
        """Writes one step."""
        bits = np.packbits(self.a_in.recv() != 0)
        # Opened anew each time: the host reads between runs, and Lava ends processes without letting them close files.
        with self._path.open("ab") as file:
            file.write(bits.tobytes())


def read_record(path: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """What a recorder wrote, (steps, *shape)."""
    neurons = int(np.prod(shape))
    rows = np.fromfile(path, np.uint8).reshape(-1, -(-neurons // 8))
    return np.unpackbits(rows, axis=1, count=neurons).astype(bool).reshape(-1, *shape)
