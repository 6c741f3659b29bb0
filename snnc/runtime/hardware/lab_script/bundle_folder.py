"""What was packed: the network, the samples and what is expected of them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class LabError(Exception):
    """Something that whoever runs this can mend."""


def one_line(error: BaseException) -> str:
    """Return an error's kind and text."""
    return " ".join(f"{type(error).__name__}: {error}".split())


class Timing:
    """The steps of a run.

    Where the input takes some steps to the network, it is sent so much later that it comes a whole interval late:
    clocks and resets go by the interval, so the network sees an empty sample first, and all else stays as it is.

    Args:
        bundle: The bundle.
        input_delay: Steps that the input takes to the network beyond those on the CPU.

    Attributes:
        steps: Steps until the readout has seen the last sample.
    """

    def __init__(self, bundle: Bundle, input_delay: int = 0) -> None:
        self._bundle = bundle
        empty = -(-input_delay // bundle.interval)
        self._shift = empty * bundle.interval
        self._first_input = self._shift - input_delay
        self.steps = bundle.samples * bundle.interval + int(bundle.form["tail"]) + self._shift
        # Reads at the readout's phase before the first sample is through.
        self._skipped = int(bundle.form["readout"]["skipped"]) + empty

    @property
    def reads(self) -> int:
        """How often the readout is read."""
        return self._skipped + self._bundle.samples

    def stream(self, steps: int) -> NDArray[np.int32]:
        """Return the input at each of so many steps, (*shape, steps)."""
        bundle = self._bundle
        stream = np.zeros((steps, bundle.input.shape[-1]), np.int32)
        for sample, events in enumerate(bundle.input):
            start = self._first_input + sample * bundle.interval
            stream[start : start + bundle.timesteps] = events
        return np.ascontiguousarray(stream.T).reshape(*bundle.form["input"]["shape"], steps)

    def windows(self, record: NDArray[np.bool_], first_step: int) -> NDArray[np.bool_]:
        """Return the spikes of each sample, (samples, T, neurons).

        Args:
            record: A layer's spikes at all steps.
            first_step: Where those of the first sample begin if its input takes no time.
        """
        starts = first_step + self._shift + self._bundle.interval * np.arange(self._bundle.samples)
        return record[starts[:, None] + np.arange(self._bundle.timesteps)]

    def readout(self, potential: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the readout of each sample, (samples, neurons), from the potentials as read, (*shape, reads)."""
        reads = np.moveaxis(potential, -1, 0)[self._skipped : self.reads]
        return reads.reshape(len(reads), -1) >> int(self._bundle.form["readout"]["fraction_bits"])


class Outcome(NamedTuple):
    """Spikes, readouts and what they took.

    Attributes:
        spikes: For each layer (samples, T, neurons); None where they were not recorded.
        readout: (samples, neurons).
        steps: Time steps that the network ran.
        start_seconds: From nothing until the network runs.
        run_seconds: Of the host, for those steps.
        chip: What a board measured; None where there is none.
    """

    spikes: list[NDArray[np.bool_]] | None
    readout: NDArray[np.int64]
    steps: int
    start_seconds: float
    run_seconds: float
    chip: dict[str, Any] | None


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
        """Return spikes of a layer, (samples, T, neurons)."""
        neurons = int(np.prod(self.layers[index]["shape"]))
        bits = np.unpackbits(self._data[f"spikes.{index}"][: self.samples], axis=1)
        return bits[:, : self.timesteps * neurons].reshape(self.samples, self.timesteps, neurons).astype(bool)

    def predictions(self, readout: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the class of each sample."""
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
