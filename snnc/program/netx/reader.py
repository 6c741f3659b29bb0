"""netx HDF5 to a NetxNetwork."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import h5py

from snnc.common.errors import FormatError, OptionError, first_line
from snnc.program.net.fields import GROUP, LAYERS
from snnc.program.net.hdf5_safety import Admitted, check_plain_file, has_member
from snnc.program.net.stored import read_shape
from snnc.program.netx.blocks import read_conv, read_dense
from snnc.program.netx.network import Block, NetxNetwork, Transform
from snnc.program.netx.neurons import BIAS, NetxFields, read_neurons

# Of all blocks together: what no computer that runs this could hold is refused before anything is made of it.
NEURONS_MAXIMUM = 1 << 26
# What netx takes for an input block that does not say (hdf5.Network.create_input).
INPUT_WEIGHT, INPUT_BIAS = 64, 0
UNSUPPORTED = {
    "dense_comp": "complex weights",
    **dict.fromkeys(("pool", "convT", "unpool", "concat"), "a layer that netx itself cannot load"),
}


def read_chain(
    layers: NetxFields,
    entries: Sequence[NetxFields],
    *,
    num_layers: int | None,
    skip_layers: int,
    timesteps: int | None,
) -> NetxNetwork:
    """Read entries in their order.

    Args:
        layers: The group ``layer``, for errors.
        entries: Its members.
        num_layers: Read so many; None: all.
        skip_layers: Leave out so many of these at the beginning.
        timesteps: Steps of a sample, by the file.

    Raises:
        FormatError: The entries contradict each other, or hold something that is not supported.
    """
    chain = _Chain(skip_layers)
    for index, entry in enumerate(entries[:num_layers]):
        chain.read(index, entry)
    if not chain.blocks:
        raise layers.error("there is no layer with neurons", found=f"{len(entries)} entries")
    if chain.input_shape is None:
        raise layers.error("the shape of the input is not known", expected="an entry of type input before a conv")
    first = chain.blocks[0]
    return NetxNetwork(
        blocks=tuple(chain.blocks),
        input_shape=chain.input_shape,
        transform=chain.transform if first.connections is None else None,
        outputs=chain.outputs,
        timesteps=timesteps,
        notes=tuple(chain.notes),
        num_layers=chain.loadable,
        skip_layers=skip_layers,
        takes_graded=first.connections is not None and not chain.skipped,
    )


class _Chain:
    """What was read so far."""

    def __init__(self, skip_layers: int) -> None:
        self._skip = skip_layers
        self._shape: tuple[int, ...] | None = None
        self._is_flat = False
        self._neurons = 0
        self.blocks: list[Block] = []
        self.skipped = 0
        self.input_shape: tuple[int, ...] | None = None
        self.transform: Transform | None = None
        self.outputs: int | None = None
        self.notes: list[str] = []
        self.loadable = 0

    def read(self, index: int, entry: NetxFields) -> None:
        """Read the next entry."""
        kind = entry.text("type")
        if self.outputs is not None:
            raise entry.error("follows an average", expected="nothing", found=kind)
        readers: dict[str, Callable[[int, NetxFields], None]] = {
            "input": self._input,
            "conv": self._conv,
            "dense": self._dense,
            "dense_rec": partial(self._dense, is_recurrent=True),
            "flatten": self._flatten,
            "average": self._average,
        }
        if kind not in readers:
            problem = UNSUPPORTED.get(kind, "a type of layer that is not known")
            raise entry.error(f"type {kind!r} is not supported: {problem}", expected=", ".join(readers))
        readers[kind](index, entry)
        entry.finish()
        if kind != "average":
            self.loadable = index + 1

    def _input(self, index: int, entry: NetxFields) -> None:
        if index:
            raise entry.error("an input is not at the beginning", expected="layer/0")
        shape = read_shape(entry)
        if not entry.has("neuron"):
            entry.ignore("weight", "bias")
            self._shape = self.input_shape = shape
            self._count(entry, shape)
            return
        weight = entry.whole("weight", *BIAS) if entry.has("weight") else INPUT_WEIGHT
        bias = entry.whole("bias", *BIAS) if entry.has("bias") else INPUT_BIAS
        self.transform = Transform(weight, bias)
        self._add(index, entry, Block(entry.name, shape, read_neurons(entry, shape, self.notes, bias=None), None))

    def _conv(self, index: int, entry: NetxFields) -> None:
        if self._shape is None or self._is_flat:
            raise entry.error(
                "the shape of what a conv reads is not known" if self._shape is None else "a flatten is before a conv",
                expected="an input, or a layer with channels, height and width",
            )
        self._add(index, entry, read_conv(entry, self._shape, self.notes))

    def _dense(self, index: int, entry: NetxFields, *, is_recurrent: bool = False) -> None:
        # Nothing is connected to the first block, so that netx does not mind what its input looks like.
        if self._behind_block and self._shape is not None and len(self._shape) > 1 and not self._is_flat:
            raise entry.error("reads an image that is not flattened", expected="a flatten before it")
        self._add(index, entry, read_dense(entry, self._shape, self.notes, is_recurrent=is_recurrent))
        self._is_flat = False

    def _flatten(self, index: int, entry: NetxFields) -> None:
        sizes = entry.whole_numbers("shape", (None,), 1, NEURONS_MAXIMUM)
        if self._shape is not None and math.prod(sizes.tolist()) != math.prod(self._shape):
            raise entry.error(
                "shape contradicts what is flattened", expected=f"{math.prod(self._shape)} values", found=str(sizes)
            )
        if self._behind_block and self._shape is not None and len(self._shape) == 1:
            raise entry.error("flattens what is flat, at which netx fails", expected="channels, height and width")
        self._is_flat = True

    def _average(self, index: int, entry: NetxFields) -> None:
        outputs = math.prod(entry.whole_numbers("shape", (None,), 1, NEURONS_MAXIMUM).tolist())
        if not self.blocks or self.blocks[-1].size % outputs:
            raise entry.error("does not divide the neurons before it", found=f"{outputs} groups")
        self.outputs = outputs

    @property
    def _behind_block(self) -> bool:
        return bool(self.blocks)

    def _count(self, entry: NetxFields, shape: tuple[int, ...]) -> None:
        self._neurons += math.prod(shape)
        if self._neurons > NEURONS_MAXIMUM:
            raise entry.error("the network is too large", expected=f"at most {NEURONS_MAXIMUM:,} neurons")

    def _add(self, index: int, entry: NetxFields, block: Block) -> None:
        self._count(entry, block.shape)
        if index < self._skip:
            self.skipped += 1
            self.input_shape = block.shape
        else:
            if not self.blocks:
                self.input_shape = self._read_by(block)
            self.blocks.append(block)
        self._shape = block.shape

    def _read_by(self, block: Block) -> tuple[int, ...] | None:
        """Return the shape of what the first block reads."""
        if block.connections is None:
            return block.shape
        if block.connections.kind == "conv" or self._shape is not None:
            return self._shape
        return (block.connections.weight.shape[1],)


TIMESTEPS_MAXIMUM = 1 << 20
# lava-dl's networks have a few millions; each takes some 40 bytes on its way through netx's conversions.
NUMBERS_MAXIMUM = 1 << 26


def is_netx(path: str | Path) -> bool:
    """Return whether a file is someone else's netx: it has netx's group, not ours. False for what cannot be read."""
    if not Path(path).is_file() or not h5py.is_hdf5(str(path)):
        return False
    try:
        with h5py.File(str(path), "r") as file:
            return has_member(file, LAYERS) and not has_member(file, GROUP)
    except (OSError, RuntimeError, KeyError):
        return False


def load_netx(path: str | Path, *, num_layers: int | None = None, skip_layers: int = 0) -> NetxNetwork:
    """Read a netx file of lava-dl and check all of it.

    Args:
        path: The file.
        num_layers: Read so many entries of it and leave out what is after them, as netx does; None: all.
        skip_layers: Leave out so many of these at the beginning, whose output is then the input.

    Returns:
        What the file describes: input, convolutions and dense layers with LIF neurons.

    Raises:
        FormatError: The file cannot be read, contradicts itself, or holds something that is not supported.
        OptionError: There are not so many layers.
    """
    name = str(path)
    for option, value, least in (("num layers", num_layers, 1), ("skip layers", skip_layers, 0)):
        if value is not None and value < least:
            raise OptionError("is too small", where=option, expected=f"at least {least}", found=str(value))
    check_plain_file(path)
    if not h5py.is_hdf5(name):
        raise FormatError(
            "is not an HDF5 file, or is truncated", where=name, advice="give a .net file, of snnc compile or of lava-dl"
        )
    try:
        with h5py.File(name, "r") as file:
            Admitted(name, advice=NetxFields.ADVICE, texts=True, numbers=NUMBERS_MAXIMUM).check(file)
            return _read(NetxFields(file, name), num_layers, skip_layers)
    # What h5py raises on damaged files.
    except (OSError, RuntimeError, KeyError, MemoryError, TypeError, ValueError) as error:
        raise FormatError("is damaged", where=name, found=first_line(error), advice=NetxFields.ADVICE) from error


def _read(root: NetxFields, num_layers: int | None, skip_layers: int) -> NetxNetwork:
    if root.has(GROUP):
        raise root.error("was written by snnc, and is more than netx")
    timesteps = None
    if root.has("simulation"):
        simulation = root.group("simulation")
        simulation.ignore("Ts")
        if simulation.has("tSample"):
            timesteps = simulation.whole("tSample", 1, TIMESTEPS_MAXIMUM)
        simulation.finish()
    layers = root.group(LAYERS)
    entries = layers.groups()
    root.finish()
    return read_chain(layers, entries, num_layers=num_layers, skip_layers=skip_layers, timesteps=timesteps)
