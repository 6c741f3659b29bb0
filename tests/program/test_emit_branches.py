"""Files of programs that are no chains."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.branching import branching
from support.damage import attribute, cut, edit, put
from support.programs import assert_same

from snnc.common.errors import FormatError
from snnc.program import Program, Synapse
from snnc.program.net import load, save
from snnc.program.net.writer import to_bytes


def test_everything_survives_the_round(tmp_path: Path) -> None:
    program = branching()
    assert program.chain == (0, 1, 3, 4)
    save(program, tmp_path / "a.net")
    assert_same(load(tmp_path / "a.net"), program)
    assert to_bytes(load(tmp_path / "a.net")) == (tmp_path / "a.net").read_bytes()


def test_what_is_usual_takes_no_place_in_the_file() -> None:
    with h5py.File(io.BytesIO(to_bytes(branching())), "r") as file:
        assert sorted(file["layer"]) == ["0", "1", "2", "3", "4", "5"]
        layers = file["snnc/layers"]
        assert "memoryless" in layers["2"].attrs and "gate" not in layers["2"].attrs
        assert all("memoryless" not in layers[each].attrs for each in "0134")
        assert "exponent" not in layers["4/synapses/1"].attrs
        # A shortcut for each channel is one number for each.
        assert layers["3/synapses/1/weight"].shape == (4, 1, 1, 1)
        assert dict(layers["3/synapses/0"].attrs) == {"source": 1, "groups": 1}
        assert not len(layers["3/synapses/0"])


def with_first(program: Program, index: int, synapse: Synapse) -> Program:
    """A program with another first synapse of a layer."""
    layers = list(program.layers)
    layers[index] = replace(layers[index], synapses=(synapse, *layers[index].synapses[1:]))
    return replace(program, layers=tuple(layers))


@pytest.mark.parametrize("index", [0, 1, 3, 4])
@pytest.mark.parametrize("change", [{"exponent": 1}, {"hold": 2}])
def test_what_netx_cannot_load_ends_its_chain(tmp_path: Path, index: int, change: dict[str, int]) -> None:
    program = branching()
    program = with_first(program, index, replace(program.layers[index].synapses[0], **change))
    chain = tuple(each for each in (0, 1, 3, 4) if each < index)
    assert program.chain == chain
    save(program, tmp_path / "a.net")
    assert_same(load(tmp_path / "a.net"), program)
    with h5py.File(tmp_path / "a.net", "r") as file:
        assert len(file["layer"]) == 1 + len(chain)


def test_a_matrix_of_zeros_is_none_of_netx(tmp_path: Path) -> None:
    program = branching()
    program = with_first(program, 4, replace(program.layers[4].synapses[0], weight=np.zeros((5, 16), np.int16)))
    assert program.chain == (0, 1, 3)
    save(program, tmp_path / "a.net")
    assert_same(load(tmp_path / "a.net"), program)


def move_to_own(file: h5py.File) -> None:
    """A first synapse outside of netx that netx could load."""
    for name in ("weight", "stride", "padding", "dilation", "groups"):
        file.copy(file[f"layer/3/{name}"], file["snnc/layers/3/synapses/0"], name)
    del file["snnc/layers/3/synapses/0"].attrs["groups"]
    file["snnc/layers/3/synapses/0"].attrs["kind"] = np.bytes_(b"conv")
    for name in ("3", "4", "5"):
        del file[f"layer/{name}"]
    file.copy(file["snnc/layers/4/synapses/1"], file["snnc/layers/4/synapses"], "7")
    synapses = file["snnc/layers/4/synapses"]
    del synapses["0"]
    synapses.move("7", "0")
    synapses["0"].attrs["source"] = 3
    del synapses["0/weight"]
    synapses["0/weight"] = np.full((5, 16), 2, np.int16)


def another_first(file: h5py.File) -> None:
    file["snnc/layers/3/synapses/0"].attrs["source"] = 0
    file["snnc/layers/3/synapses/1"].attrs["source"] = 1


def one_row(*columns: int) -> Callable[[h5py.File], None]:
    """The first two weights in one row."""

    def change(file: h5py.File) -> None:
        file[f"{S}/row_starts"][12] = 2
        file[f"{S}/columns"][:2] = columns

    return change


S = "snnc/layers/3/synapses/2"
DAMAGE: list[tuple[Callable[[h5py.File], None], str]] = [
    (attribute("snnc/layers/2", "memoryless", 2), "memoryless is out of range"),
    (attribute("snnc/layers/2", "memoryless", 0), "memoryless is out of range"),
    (attribute("snnc/layers/2", "gate", [255, 1, 1]), "unknown field 'gate'"),
    (attribute("snnc/layers/2", "initial_potential", 1), "initial_potential is out of range"),
    (attribute("snnc/layers/4", "memoryless", 1), "readout has a threshold, or is memoryless"),
    (attribute("snnc/layers/1", "memoryless", 1), "initial_potential is out of range"),
    (put("snnc/layers/2/bias", np.ones((4, 1, 1), np.int32)), "memoryless layer has a bias"),
    (cut("snnc/layers/2/memoryless"), "gate is missing"),
    (cut("snnc/layers/2/threshold"), "threshold is missing"),
    (cut("snnc/layers/2/synapses/0/kind"), "kind is missing"),
    (cut("snnc/layers/2/synapses/0/weight"), "weight is missing"),
    (cut("snnc/layers/2/synapses/0/groups"), "groups is missing"),
    (attribute("snnc/layers/2/synapses/0", "kind", "pool"), "unknown kind"),
    (attribute("snnc/layers/2/synapses/0", "exponent", 8), "exponent is out of range"),
    (attribute("snnc/layers/2/synapses/0", "exponent", 0), "exponent is out of range"),
    (attribute("snnc/layers/2/synapses/0", "exponent", -1), "exponent is out of range"),
    (attribute("snnc/layers/2/synapses/0", "exponent", 1.0), "exponent has the wrong type"),
    (attribute("snnc/layers/2/synapses/0", "hold", 0), "hold is out of range"),
    (attribute("snnc/layers/2/synapses/0", "delay", 1), "unknown field 'delay'"),
    (attribute("snnc/layers/3/synapses/0", "exponent", 1), "netx does not hold the layers that it can load"),
    (attribute("snnc/layers/3/synapses/0", "kind", "conv"), "weight is missing|groups is missing"),
    (attribute("snnc/layers/3/synapses/1", "hold", 9), "first synapse does not read the deepest"),
    (another_first, "first synapse does not read the deepest"),
    (attribute("snnc/layers/3/synapses/1", "source", 0), "no layer reads its spikes"),
    (move_to_own, "netx does not hold the layers that it can load"),
    (cut(f"{S}/columns"), "columns is missing"),
    (cut(f"{S}/row_starts"), "row_starts is missing"),
    (cut(f"{S}/weight"), "weight is missing"),
    (attribute(S, "kind", "dense"), "feeds an image"),
    (attribute(S, "kind", "conv"), "groups is missing"),
    (attribute(S, "groups", 1), "unknown field 'groups'"),
    (put(f"{S}/more", 1), "unknown field 'more'"),
    (edit(f"{S}/weight", 0, value=3), "odd"),
    (edit(f"{S}/weight", 0, value=256), "out of range"),
    (put(f"{S}/weight", np.zeros((5, 1), np.int16)), "weight has the wrong shape"),
    (put(f"{S}/weight", np.zeros(4, np.int16)), "row_starts is out of range"),
    (put(f"{S}/weight", np.zeros(6, np.int16)), "row_starts does not divide"),
    (edit(f"{S}/columns", 0, value=32), "columns is out of range"),
    (edit(f"{S}/columns", 0, value=-1), "columns is out of range"),
    (put(f"{S}/columns", np.zeros(4, np.int32)), "columns has the wrong shape"),
    (put(f"{S}/columns", np.zeros(5)), "columns has the wrong type"),
    (edit(f"{S}/row_starts", 0, value=1), "row_starts does not divide"),
    (edit(f"{S}/row_starts", 13, value=5), "row_starts does not divide"),
    (edit(f"{S}/row_starts", 16, value=4), "row_starts does not divide"),
    (edit(f"{S}/row_starts", 3, value=-1), "row_starts is out of range"),
    (put(f"{S}/row_starts", np.zeros(16, np.int32)), "row_starts has the wrong shape"),
    (one_row(31, 0), "ascending order within each row"),
    (one_row(7, 7), "ascending order within each row"),
    (cut("layer/5"), "fewer layers"),
    (edit("layer/1/neuron/iDecay", value=4096), "iDecay contradicts"),
]


@pytest.mark.parametrize(("change", "message"), DAMAGE, ids=range(len(DAMAGE)))
def test_a_file_that_contradicts_itself_is_refused(
    tmp_path: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    path = tmp_path / "a.net"
    path.write_bytes(to_bytes(branching()))
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(FormatError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.lava
def test_stock_netx_opens_the_chain(tmp_path: Path) -> None:
    from lava.lib.dl.netx.hdf5 import Network

    program = branching()
    save(program, tmp_path / "a.net")
    network = Network(net_config=str(tmp_path / "a.net"), reset_interval=8, reset_offset=1)
    assert [tuple(each.shape) for each in network.layers] == [
        tuple(reversed(program.layers[index].shape)) for index in program.chain
    ]


@pytest.mark.lava
def test_netx_gives_a_memoryless_layer_a_current_that_decays_at_once(tmp_path: Path) -> None:
    from lava.lib.dl.netx.hdf5 import Network

    program = branching()
    first, _, pool, *_ = program.layers
    end = replace(program.layers[4], synapses=(replace(program.layers[4].synapses[0], source=1),))
    program = replace(program, layers=(first, pool, end))
    assert program.chain == (0, 1, 2)
    save(program, tmp_path / "a.net")
    assert_same(load(tmp_path / "a.net"), program)
    blocks = Network(net_config=str(tmp_path / "a.net")).layers
    assert [int(each.neuron.du.init) for each in blocks] == [-1, 4095, -1]
