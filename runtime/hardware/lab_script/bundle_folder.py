"""What was packed: the network, the samples and what is expected of them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.runtime.hardware.lab_script.lab_error import LabError

FORMAT, VERSION = "snnc-lab", 1


class Bundle:
    """An unpacked bundle.

    Args:
        folder: The folder.
        samples: Use the first so many; None: all.

    Attributes:
        form: network.json.
        arrays: The arrays of the network.
        samples: How many are used.
        timesteps: T.
        interval: Steps that a sample takes.
        layers: The entries of the layers that fire.
        input: What is sent in each step, (samples, T, values).
        readout: What is expected, (samples, neurons).
        labels: The classes, where they are known.

    Raises:
        LabError: It is damaged, or does not hold so many samples.
    """

    def __init__(self, folder: Path, samples: int | None) -> None:
        try:
            self._read(folder)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise LabError(f"the bundle is damaged; unpack it again ({type(error).__name__}: {error})") from error
        held = int(self.form["samples"])
        if samples is not None and not 1 <= samples <= held:
            raise LabError(f"--samples has to be 1 to {held}")
        self.samples = samples or held
        self.input = self._data["input"][: self.samples]
        self.readout = self._data["readout"][: self.samples].astype(np.int64)
        self.labels = self._data["labels"][: self.samples] if "labels" in self._data else None

    def expected(self, index: int) -> NDArray[np.bool_]:
        """Spikes of a layer, (samples, T, neurons)."""
        neurons = int(np.prod(self.layers[index]["shape"]))
        bits = np.unpackbits(self._data[f"spikes.{index}"][: self.samples], axis=1)
        return bits[:, : self.timesteps * neurons].reshape(self.samples, self.timesteps, neurons).astype(bool)

    def predictions(self, readout: NDArray[np.int64]) -> NDArray[np.int64]:
        """The class of each sample."""
        return np.asarray(readout[:, self._data["classes"]].argmax(axis=1))

    def _read(self, folder: Path) -> None:
        self.form: dict[str, Any] = json.loads((folder / "network.json").read_text(encoding="ascii"))
        if (self.form["format"], self.form["version"]) != (FORMAT, VERSION):
            raise ValueError(f"network.json is not {FORMAT} version {VERSION}")
        self.arrays = np.load(folder / "network.npz", allow_pickle=False)
        self._data = np.load(folder / "samples.npz", allow_pickle=False)
        self.timesteps = int(self.form["timesteps"])
        self.interval = int(self.form["interval"])
        self.layers: list[dict[str, Any]] = self.form["layers"]
