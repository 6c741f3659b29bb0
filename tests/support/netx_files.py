"""Small netx files as lava-dl writes them, drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Entry = dict[str, Any]


@dataclass
class NetxFile:
    """The entries of ``layer/``, and of the root beside it.

    Attributes:
        entries: For each its members; a dict is a group.
        timesteps: ``simulation/tSample``; None: no such group.
    """

    entries: list[Entry] = field(default_factory=list)
    timesteps: int | None = 8

    def write(self, path: Path) -> Path:
        """Writes the file; texts of neurons are of variable length, as lava-dl's are."""
        with h5py.File(path, "w") as file:
            layers = file.create_group("layer")
            for index, entry in enumerate(self.entries):
                _write(layers.create_group(str(index)), entry)
            if self.timesteps is not None:
                _write(file.create_group("simulation"), {"Ts": 1, "tSample": self.timesteps})
        return path


def _write(group: h5py.Group, members: Entry) -> None:
    for name, value in members.items():
        if isinstance(value, dict):
            _write(group.create_group(name), value)
        elif name == "type" and not group.name.endswith("neuron"):
            group.create_dataset(name, (1,), "S10", [value.encode()])
        else:
            group.create_dataset(name, data=value)


def neuron(rng: np.random.Generator, **changes: Any) -> Entry:
    """Neurons with any decays, thresholds that are reached."""
    drawn = {
        "type": str(rng.choice(["CUBA", "LOIHI"])),
        "iDecay": int(rng.choice([0, 1, 700, 4095, 4096])),
        "vDecay": int(rng.choice([0, 1, 128, 1024, 4096])),
        "vThMant": int(rng.integers(0, 400)),
        "refDelay": 1,
    }
    return {**drawn, **changes}


def image_input(rng: np.random.Generator, shape: tuple[int, ...], *, block: bool) -> Entry:
    """An input, with neurons or without."""
    plain: Entry = {"type": "input", "shape": np.array(shape)}
    if not block:
        return plain
    transform = {"weight": np.array([36.0], np.float32), "bias": np.array([34.0], np.float32)}
    return {**plain, **transform, "neuron": neuron(rng, vThMant=int(rng.integers(1, 60)))}


def conv(
    rng: np.random.Generator, source: tuple[int, ...], channels: int, kernel: tuple[int, int], **changes: Any
) -> tuple[Entry, tuple[int, ...]]:
    """A convolution and the shape that it gives."""
    stride, padding, dilation = (np.array(changes.pop(name, (1, 1))) for name in ("stride", "padding", "dilation"))
    groups = changes.pop("groups", 1)
    span = dilation * (np.array(kernel) - 1) + 1
    window = (np.array(source[1:]) + 2 * padding - span) // stride + 1
    shape = (channels, int(window[0]), int(window[1]))
    weight = 2 * rng.integers(-64, 64, (channels, source[0] // groups, *kernel))
    entry = {
        "type": "conv",
        "shape": np.array(shape),
        "weight": weight[..., None].astype(np.float32),
        "bias": rng.integers(-60, 60, channels).astype(np.float32),
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "inChannels": source[0],
        "outChannels": channels,
        "kernelSize": np.array(kernel),
        "neuron": neuron(rng),
    }
    return {**entry, **changes}, shape


def dense(rng: np.random.Generator, inputs: int, outputs: int, **changes: Any) -> Entry:
    """A dense layer with weights of both signs."""
    entry = {
        "type": "dense",
        "shape": np.array([outputs]),
        "weight": (2 * rng.integers(-128, 128, (outputs, inputs))).astype(np.float32),
        "bias": rng.integers(-60, 60, outputs).astype(np.float32),
        "inFeatures": inputs,
        "outFeatures": outputs,
        "neuron": neuron(rng),
    }
    return {**entry, **changes}


def recurrent(rng: np.random.Generator, inputs: int, outputs: int) -> Entry:
    """A dense layer whose neurons are connected with themselves too."""
    back = (2 * rng.integers(-60, 90, (outputs, outputs))).astype(np.float32)
    return {**dense(rng, inputs, outputs), "type": "dense_rec", "weight_rec": back}


def flatten(size: int) -> Entry:
    """An image becomes features."""
    return {"type": "flatten", "shape": np.array([size, 1, 1])}


def random_file(
    rng: np.random.Generator, *, block: bool, delays: bool, wide: bool = False, returns: bool = False
) -> NetxFile:
    """conv, flatten, dense, dense.

    Args:
        rng: Draws.
        block: Whether the input has neurons.
        delays: Whether dense synapses have delays.
        wide: Weights of the convolution so large that currents wrap around.
        returns: Whether the first dense layer is recurrent.
    """
    source = (2, 5, 4)
    first, shape = conv(rng, source, 4, (2, 3), stride=(2, 1), padding=(1, 0), dilation=(1, 1), groups=2)
    if wide:
        first["weight"] = (first["weight"] * 200).astype(np.float32)
        first["neuron"] = neuron(rng, iDecay=0)
    size = int(np.prod(shape))
    second, third = dense(rng, size, 6), dense(rng, 6, 5)
    if delays:
        second["delay"] = rng.integers(0, 4, 6).astype(np.float32)
        third["delay"] = rng.integers(0, 4, (5, 6)).astype(np.float32)
    if returns:
        second = recurrent(rng, size, 6)
    del third["neuron" if rng.integers(2) else "bias"]
    return NetxFile([image_input(rng, source, block=block), first, flatten(size), second, third])
