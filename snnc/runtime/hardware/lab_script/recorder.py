"""Writing the spikes of a layer to a file.

Lava's own sink hands its content over number by number, which takes longer than the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

from snnc.runtime.hardware.lab_script.bundle_folder import Bundle


class Recorder(AbstractProcess):  # type: ignore[misc]  # lava-nc has no type information
    """Appends a packed bit for each neuron and step to a file.

    Args:
        shape: Shape of the layer.
        path: The file.
    """

    def __init__(self, *, shape: Sequence[int], path: Path) -> None:
        super().__init__(shape=tuple(shape), path=str(path))
        self.spikes = InPort(shape=tuple(shape))


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class RecorderModel(PyLoihiProcessModel):  # type: ignore[misc]
    """A Recorder on a CPU.

    Args:
        proc_params: What the Recorder was made with.
    """

    spikes = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        # Without a buffer: Lava ends processes without letting them close files.
        self._file = Path(proc_params["path"]).open("ab", buffering=0)  # noqa: SIM115

    def run_spk(self) -> None:
        """Write one step."""
        self._file.write(np.packbits(self.spikes.recv() != 0).tobytes())


def recorders(bundle: Bundle, folder: Path) -> list[Recorder]:
    """Return one for each layer.

    Args:
        bundle: The bundle.
        folder: Where they write.
    """
    return [Recorder(shape=layer["shape"], path=folder / str(index)) for index, layer in enumerate(bundle.layers)]


def records(bundle: Bundle, folder: Path) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield each layer's first step, and what was recorded of it, (steps, neurons)."""
    for index, layer in enumerate(bundle.layers):
        neurons = int(np.prod(layer["shape"]))
        rows = np.fromfile(folder / str(index), np.uint8).reshape(-1, -(-neurons // 8))
        yield int(layer["first_step"]), np.unpackbits(rows, axis=1)[:, :neurons].astype(bool)
