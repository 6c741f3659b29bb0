"""The entries of ``layer/`` one after another, as ``netx.hdf5.Network`` goes through them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from snnc.compiler.emit.read_head import read_shape
from snnc.compiler.netx.fields import NetxFields
from snnc.compiler.netx.network import Block, NetxNetwork, Transform
from snnc.compiler.netx.read_blocks import read_conv, read_dense
from snnc.compiler.netx.read_neurons import BIAS, read_neurons

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
    """Reads entries in their order.

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
        """The next entry."""
        kind = entry.text("type")
        if self.outputs is not None:
            raise entry.error("comes behind an average", expected="nothing", found=kind)
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
        """Shape of what the first block reads."""
        if block.connections is None:
            return block.shape
        if block.connections.kind == "conv" or self._shape is not None:
            return self._shape
        return (block.connections.weight.shape[1],)
