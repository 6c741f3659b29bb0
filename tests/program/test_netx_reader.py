"""Reading netx files of lava-dl: what is there, and that nothing wrong gets in."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.damage import cut, edit, put
from support.netx_files import NetxFile, conv, dense, flatten, image_input, neuron, random_file

from snnc.common.errors import FormatError, OptionError, SnncError
from snnc.program.net import load
from snnc.program.netx import is_netx, load_netx
from snnc.program.netx.blocks import loihi_dense_weights


def example(path: Path, *, block: bool = True) -> Path:
    return random_file(np.random.default_rng(1), block=block, delays=False).write(path)


def test_a_file_is_read_in_pytorchs_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    source = (2, 5, 4)
    first, shape = conv(rng, source, 4, (2, 3), stride=(2, 1), padding=(1, 0), groups=2)
    second = dense(rng, int(np.prod(shape)), 6, delay=np.arange(6.0))
    entries = [image_input(rng, source, block=True), first, flatten(int(np.prod(shape))), second]
    network = load_netx(NetxFile(entries, timesteps=30).write(tmp_path / "net.net"))
    assert (network.input_shape, network.timesteps, network.outputs, network.notes) == (source, 30, None, ())
    assert network.transform is not None and (network.transform.weight, network.transform.bias) == (36, 34)
    assert [block.name for block in network.blocks] == ["layer/0", "layer/1", "layer/3"]
    block = network.blocks[1]
    assert block.shape == shape and block.connections is not None
    assert np.array_equal(block.connections.weight, first["weight"][..., 0])
    assert (block.connections.stride, block.connections.padding, block.connections.groups) == ((2, 1), (1, 0), 2)
    assert np.array_equal(block.neurons.bias, np.broadcast_to(first["bias"][:, None, None], shape))
    assert block.neurons.current_decay == first["neuron"]["iDecay"]
    assert block.neurons.voltage_decay == first["neuron"]["vDecay"]
    assert block.neurons.threshold == first["neuron"]["vThMant"]
    last = network.blocks[2]
    assert last.connections is not None and last.connections.delay is not None
    assert np.array_equal(last.connections.delay, np.repeat(np.arange(6)[:, None], int(np.prod(shape)), axis=1))


def test_a_bias_for_each_neuron_is_in_lavas_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    first, shape = conv(rng, (1, 4, 3), 2, (2, 2))
    bias = rng.integers(-9, 9, shape[::-1])
    network = load_netx(
        NetxFile([image_input(rng, (1, 4, 3), block=False), {**first, "bias": bias}]).write(tmp_path / "n")
    )
    assert np.array_equal(network.blocks[0].neurons.bias, bias.transpose())


def test_layers_are_counted_as_netx_counts_them(tmp_path: Path) -> None:
    path = example(tmp_path / "net.net")
    assert [block.name for block in load_netx(path, num_layers=3).blocks] == ["layer/0", "layer/1"]
    skipped = load_netx(path, skip_layers=1)
    assert [block.name for block in skipped.blocks] == ["layer/1", "layer/3", "layer/4"]
    assert skipped.input_shape == (2, 5, 4) and not skipped.takes_biases and not skipped.takes_graded
    behind = load_netx(path, skip_layers=2)
    assert behind.input_shape == load_netx(path).blocks[1].shape and len(behind.blocks) == 2
    for options, message in (({"num_layers": 0}, "num layers"), ({"skip_layers": -1}, "skip layers")):
        with pytest.raises(OptionError, match=message):
            load_netx(path, **options)
    with pytest.raises(FormatError, match="no layer with neurons"):
        load_netx(path, skip_layers=9)


def test_what_lava_ignores_is_noted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layer = dense(rng, 3, 2, neuron=neuron(rng, refDelay=3, wgtExp=2, gradedSpike=True), bias=np.array([5000.0]))
    layer["delay"] = np.array([70.0, 1.0])
    notes = " ".join(load_netx(NetxFile([layer]).write(tmp_path / "net.net")).notes)
    for part in ("refDelay 3", "wgtExp 2", "gradedSpike 1", "13 bits", "62 steps"):
        assert part in notes


@given(st.integers(-256, 255), st.integers(-256, 255), st.integers(0, 3), st.integers(0, 1 << 32))
def test_weights_keep_their_meaning_where_they_are_even_and_of_both_signs(
    low: int, high: int, zeros: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.integers(min(low, high), max(low, high) + 1, (3, 5)) >> zeros << zeros
    ((acting, shift),) = loihi_dense_weights(weight)
    assert acting.shape == weight.shape and 0 <= shift <= 8
    if weight.min() < 0 < weight.max() and zeros and weight.max() <= 254:
        assert shift == 0 and np.array_equal(acting, weight)


# Each makes a file that must be refused, with a word of the error.
WRONG: list[tuple[Callable[[h5py.File], None], str]] = [
    (put("layer/1/weight", np.zeros((3, 1, 2, 3), np.float32)), "weight has the wrong shape"),
    (put("layer/1/weight", np.full((4, 1, 2, 3), 0.5)), "whole numbers"),
    (put("layer/1/weight", np.full((4, 1, 2, 3), np.nan)), "whole numbers"),
    (put("layer/1/weight", np.full((4, 1, 2, 3), 40000)), "out of range"),
    (put("layer/3/weight", np.full((6, 24), 300)), "out of range"),
    (put("layer/3/weight", np.zeros(7)), "weight has the wrong shape"),
    (put("layer/1/stride", np.array([0, 1])), "stride is out of range"),
    (put("layer/1/stride", np.array([1, 1, 1])), "stride has the wrong shape"),
    (put("layer/1/dilation", np.array([9, 9])), "does not fit"),
    (put("layer/1/padding", np.array([5, 5])), "gives another shape"),
    (put("layer/1/groups", 3), "groups do not divide"),
    (put("layer/1/bias", np.zeros(5)), "bias has the wrong shape"),
    (put("layer/1/bias", np.full(4, 1e6)), "bias is out of range"),
    (put("layer/1/shape", np.array([4, 1 << 30, 1 << 30])), "gives another shape"),
    (put("layer/0/shape", np.array([2, 1 << 20, 1 << 20])), "too large"),
    (put("layer/2/shape", np.array([7])), "contradicts what is flattened"),
    (put("layer/1/neuron/iDecay", 5000), "iDecay is out of range"),
    (put("layer/1/neuron/vThMant", np.array([1, 2])), "vThMant has the wrong size"),
    (put("layer/1/neuron/messageBits", 8), "messageBits"),
    (put("layer/1/neuron/type", "SDNN"), "sigma-delta"),
    (put("layer/1/neuron/type", "RF_PHASE"), "other neurons"),
    (put("layer/1/neuron/type", "x" * 300), "more than 256"),
    (put("layer/1/unheard", 1), "unknown field 'unheard'"),
    (put("unheard", 1), "unknown field 'unheard'"),
    (put("layer/9/type", np.array([b"dense"])), "missing"),
    (put("layer/1/type", np.array([b"pool"])), "netx itself cannot load"),
    (put("layer/3/type", np.array([b"dense_rec"])), "weight_rec is missing"),
    (put("layer/1/type", np.array([b"dense_comp"])), "complex weights"),
    (put("layer/1/type", np.array([b"nonsense"])), "not known"),
    (put("layer/2/type", np.array([b"input"])), "not at the beginning"),
    (cut("layer/1/neuron"), "neuron is missing"),
    (cut("layer/2"), "missing"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_wrong_files_are_refused(tmp_path: Path, change: Callable[[h5py.File], None], message: str) -> None:
    path = example(tmp_path / "net.net")
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(FormatError, match=message) as refused:
        load_netx(path)
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)


def test_links_are_not_followed(tmp_path: Path) -> None:
    path = example(tmp_path / "net.net")
    with h5py.File(path, "r+") as file:
        weight = file["layer/3/weight"][()]
        del file["layer/3/weight"]
        with h5py.File(tmp_path / "other.h5", "w") as other:
            other["weight"] = weight
        file["layer/3/weight"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "weight")
    with pytest.raises(FormatError, match="link to another place"):
        load_netx(path)


def test_a_heap_that_makes_hdf5_loop_is_refused_at_once(tmp_path: Path) -> None:
    path = example(tmp_path / "net.net")
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    size = struct.unpack_from("<Q", content, heap + 8)[0]
    position = heap + 16
    while (index := struct.unpack_from("<H", content, position)[0]) and position < heap + size:
        position += 16 + -(-struct.unpack_from("<Q", content, position + 8)[0] // 8) * 8
    assert index == 0
    struct.pack_into("<Q", content, position + 8, 0)
    path.write_bytes(content)
    with pytest.raises(FormatError, match="damaged heap"):
        load_netx(path)


@settings(max_examples=150)
@given(st.data())
def test_damage_gives_an_error_or_a_network(folder: Path, data: st.DataObject) -> None:
    path = folder / "damaged.net"
    content = bytearray(example(folder / "whole.net").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content))) or None])
    try:
        load_netx(path)
    except SnncError as error:
        assert "\n" not in str(error)


def test_whose_file_it_is(tmp_path: Path) -> None:
    path = example(tmp_path / "net.net")
    assert is_netx(path)
    with pytest.raises(FormatError, match="snnc run and snnc inspect take it as it is"):
        load(path)
    (tmp_path / "text.net").write_text("text")
    for other in (tmp_path / "text.net", tmp_path / "missing.net", tmp_path):
        assert not is_netx(other)
        with pytest.raises(FormatError):
            load_netx(other)
    with h5py.File(path, "r+") as file:
        file.create_group("snnc")
    assert not is_netx(path)
    with pytest.raises(FormatError, match="was written by snnc"):
        load_netx(path)


def test_chains_that_netx_cannot_connect_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    source: Any = (1, 4, 3)
    image = image_input(rng, source, block=False)
    first, shape = conv(rng, source, 2, (2, 2))
    size = int(np.prod(shape))
    average = {"type": "average", "shape": np.array([2])}
    cases = [
        ([first], "not known"),
        ([image, first, dense(rng, size, 3)], "not flattened"),
        ([image, first, flatten(size), dense(rng, size, 3), flatten(3), dense(rng, 3, 2)], "flattens what is flat"),
        ([image, flatten(12), first], "flatten is before a conv"),
        ([image, dense(rng, 12, 3), first], "channels, height and width"),
        ([image], "no layer with neurons"),
        ([image, first, flatten(size), dense(rng, size, 3), average], "does not divide"),
        ([dense(rng, 3, 2), average, dense(rng, 2, 2)], "follows an average"),
    ]
    for entries, message in cases:
        with pytest.raises(FormatError, match=message):
            load_netx(NetxFile(entries).write(tmp_path / "net.net"))
    with h5py.File(tmp_path / "net.net", "w") as file:
        file.create_group("layer")
    with pytest.raises(FormatError, match="no layer with neurons"):
        load_netx(tmp_path / "net.net")


def test_values_in_place(tmp_path: Path) -> None:
    """What ``edit`` changes without a new dataset is seen too."""
    path = example(tmp_path / "net.net")
    with h5py.File(path, "r+") as file:
        edit("layer/3/neuron/vDecay", value=-1)(file)
    with pytest.raises(FormatError, match="vDecay is out of range"):
        load_netx(path)
