"""The file: what is saved is what is loaded, and nothing wrong gets in."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from damage import attribute, cut, edit, put
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import assert_same, programs

from snnc.compiler.emit import load, save
from snnc.compiler.emit.grouping import joined_groups, original_groups
from snnc.compiler.emit.writer import to_bytes
from snnc.compiler.program import (
    AnnLayer,
    Gate,
    InputCoding,
    Layer,
    Membrane,
    Program,
    Provenance,
    Scaled,
    Synapse,
)
from snnc.errors import FormatError, OutputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("emit")


def sample(*, groups: int = 2, seed: int = 0) -> Program:
    """conv -> conv with a skip -> dense; something of everything."""
    rng = np.random.default_rng(seed)
    ones = np.ones(4)

    def even(*shape: int) -> np.ndarray:
        return (2 * rng.integers(-128, 128, shape)).astype(np.int16)

    common = {"gate": Gate(Scaled(200, 3), 2), "initial_potential": 100, "scale": ones * 0.5}
    layers = (
        Layer(
            "relu1",
            ("conv1", "bn1", "relu1"),
            (4, 5, 3),
            (Synapse(-1, "conv", even(4, 4 // groups, 2, 3), (1, 2), (0, 1), (2, 1), groups),),
            rng.integers(-500, 500, (4, 5, 3)).astype(np.int32),
            Scaled(250, 2),
            membrane=Membrane((-4000, 9000), (-10, 700), 12),
            **common,
        ),
        Layer(
            "relu2",
            ("conv2", "relu2"),
            (4, 3, 1),
            (Synapse(0, "conv", even(4, 4, 3, 3)), Synapse(-1, "conv", even(4, 2, 5, 5), (1, 1), (0, 0), (1, 1), 2)),
            rng.integers(-500, 500, (4, 1, 1)).astype(np.int32),
            Scaled(130, 1),
            membrane=Membrane((-1, 2)),
            **common,
        ),
        Layer(
            "fc",
            ("fc",),
            (3,),
            (Synapse(1, "dense", even(3, 12)), Synapse(0, "dense", even(3, 60))),
            rng.integers(-500, 500, (3,)).astype(np.int32),
            None,
            0,
            None,
            rng.random(3),
            Membrane((-7, 7), (-3, 3), 12),
        ),
    )
    coding = InputCoding("graded", (4, 7, 5), ones / 3, ones * -2.5, ones / 7, -ones, 8)
    provenance = Provenance("0.1.0", "a" * 64, "b" * 64, 12, {"timesteps": "8", "mean": "0.1 0.2"}, ("ein Wört",))
    return Program("loihi2", 8, coding, layers, (AnnLayer("conv1", 1000), AnnLayer("fc", 36)), provenance)


@given(programs(leads=True))
def test_what_is_loaded_is_what_was_saved(folder: Path, program: Program) -> None:
    path = folder / "round.net"
    save(program, path)
    loaded = load(path)
    assert_same(loaded, program)
    assert to_bytes(loaded) == path.read_bytes()


def test_a_file_that_holds_everything_survives_the_round(tmp_path: Path) -> None:
    save(sample(), tmp_path / "a.net")
    assert_same(load(tmp_path / "a.net"), sample())
    sample().save(tmp_path / "b.net")
    assert (tmp_path / "a.net").read_bytes() == (tmp_path / "b.net").read_bytes()


def test_the_bytes_do_not_depend_on_path_or_memory_order(tmp_path: Path) -> None:
    program = sample()
    (tmp_path / "deep").mkdir()
    save(program, tmp_path / "deep" / "another name.bin")
    first, *rest = program.layers
    synapse = replace(first.synapses[0], weight=np.asfortranarray(first.synapses[0].weight))
    save(replace(program, layers=(replace(first, synapses=(synapse,)), *rest)), tmp_path / "fortran.net")
    assert (tmp_path / "deep" / "another name.bin").read_bytes() == (tmp_path / "fortran.net").read_bytes()


@pytest.mark.parametrize("groups", [1, 127, 128, 129, 254, 256, 300, 381, 1021])
@pytest.mark.parametrize("rows", [1, 2])
def test_more_groups_than_lava_counts_are_joined_and_restored(groups: int, rows: int) -> None:
    rng = np.random.default_rng(groups)
    weight = (2 * rng.integers(-128, 128, (groups * rows, 2, 1, 2))).astype(np.int16)
    joined, fewer = joined_groups(weight, groups)
    assert fewer <= 127 and groups % fewer == 0
    assert np.array_equal(original_groups(joined, fewer, groups), weight)

    def dense(array: np.ndarray, count: int) -> np.ndarray:
        outputs, inputs = array.shape[0] // count, array.shape[1]
        full = np.zeros((array.shape[0], inputs * count, *array.shape[2:]))
        for g in range(count):
            full[g * outputs : (g + 1) * outputs, g * inputs : (g + 1) * inputs] = array[
                g * outputs : (g + 1) * outputs
            ]
        return full

    assert np.array_equal(dense(joined, fewer), dense(weight, groups))


def wide(groups: int) -> Program:
    """A depthwise layer of many channels."""
    ones = np.ones(groups)
    weight = (2 * np.random.default_rng(0).integers(1, 100, (groups, 1, 2, 2))).astype(np.int16)
    conv = Layer(
        "conv", ("conv",), (groups, 2, 2), (Synapse(-1, "conv", weight, groups=groups),),
        np.zeros((groups, 1, 1), np.int32), Scaled(9, 1), 3, Gate(Scaled(255, 0), 1), ones, Membrane((0, 1)),
    )  # fmt: skip
    fc = Layer(
        "fc", ("fc",), (2,), (Synapse(0, "dense", np.full((2, 4 * groups), 2, np.int16)),),
        np.zeros(2, np.int32), None, 0, None, np.ones(2), Membrane((0, 1)),
    )  # fmt: skip
    coding = InputCoding("graded", (groups, 3, 3), ones, ones, ones, ones)
    return Program("loihi2", 4, coding, (conv, fc), (), Provenance("", "", "", 0))


def test_a_layer_of_many_groups_survives_the_round(tmp_path: Path) -> None:
    program = wide(256)
    save(program, tmp_path / "wide.net")
    assert_same(load(tmp_path / "wide.net"), program)
    with h5py.File(tmp_path / "wide.net", "r+") as file:
        assert file["layer/1/groups"][()] <= 127
        # The joined groups must not talk to one another: that would be lost on the way back.
        file["layer/1/weight"][0, -1, 0, 0] = 2
    with pytest.raises(FormatError, match="different groups"):
        load(tmp_path / "wide.net")


def remains(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_folder_that_is_missing_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such file or directory"):
        save(sample(), tmp_path / "missing" / "a.net")
    assert remains(tmp_path) == []


def test_a_path_that_is_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a.net").mkdir()
    with pytest.raises(OutputError, match=r"a\.net"):
        save(sample(), tmp_path / "a.net")
    assert remains(tmp_path) == ["a.net"] and remains(tmp_path / "a.net") == []


def test_a_path_below_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError):
        save(sample(), tmp_path / "file" / "a.net")
    assert remains(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "kept"


def test_a_name_that_is_too_long_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        save(sample(), tmp_path / ("a" * 300))
    assert remains(tmp_path) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("place", ["os.fsync", "pathlib.Path.replace"])
def test_a_failure_half_way_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, place: str
) -> None:
    path = tmp_path / "a.net"
    path.write_bytes(b"old")

    def fails(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(place, fails)
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt):
        save(sample(), path)
    monkeypatch.undo()
    assert remains(tmp_path) == ["a.net"] and path.read_bytes() == b"old"


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_bytes(b"old")
    save(sample(), tmp_path / "a.net")
    assert remains(tmp_path) == ["a.net"]
    assert_same(load(tmp_path / "a.net"), sample())
    assert (tmp_path / "a.net").stat().st_mode & 0o600 == 0o600


def test_a_pipe_or_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    import os
    import stat

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="regular file"):
        save(sample(), tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@functools.cache
def content() -> bytes:
    return to_bytes(sample())


def loads_or_refuses(path: Path) -> None:
    """A damaged file is a program or a FormatError in one line: nothing else."""
    try:
        load(path)
    except FormatError as error:
        assert "\n" not in str(error)


@given(st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(folder: Path, share: float) -> None:
    path = folder / "truncated.net"
    path.write_bytes(content()[: int(share * len(content()))])
    with pytest.raises(FormatError):
        load(path)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_bytes_never_raise_anything_else(folder: Path, damage: list[tuple[float, int]]) -> None:
    damaged = bytearray(content())
    for share, value in damage:
        damaged[int(share * len(damaged))] = value
    path = folder / "damaged.net"
    path.write_bytes(damaged)
    loads_or_refuses(path)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04 not hdf5", b"\x00" * 4096])
def test_what_is_not_hdf5_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.net").write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.net"):
        load(tmp_path / "a.net")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        load(tmp_path / "a.net")
    with pytest.raises(FormatError, match="folder"):
        load(tmp_path)


def test_a_netx_file_from_elsewhere_is_refused_with_advice(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.net", "w") as file:
        layer = file.create_group("layer/0")
        layer.create_dataset("type", (1,), "S10", data=[b"input"])
        layer.create_dataset("shape", data=np.array([2, 2, 1]))
    with pytest.raises(FormatError, match=r"not written by snnc.*compile it with snnc"):
        load(tmp_path / "a.net")


def link(place: str, target: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[place]
        file[place] = target

    return change


def swap_layers(file: h5py.File) -> None:
    for group in ("layer", "snnc/layers"):
        first, second = ("1", "2") if group == "layer" else ("0", "1")
        file.move(f"{group}/{first}", f"{group}/t")
        file.move(f"{group}/{second}", f"{group}/{first}")
        file.move(f"{group}/t", f"{group}/{second}")


def variable_length(place: str, name: str) -> Callable[[h5py.File], None]:
    """A text in HDF5's heap."""

    def change(file: h5py.File) -> None:
        if name in file[place]:
            text = file[place][name][0].decode()
            del file[place][name]
            file[place].create_dataset(name, data=[text], dtype=h5py.string_dtype())
        else:
            file[place].attrs[name] = file[place].attrs[name].decode()

    return change


def empty_coding(file: h5py.File) -> None:
    del file["snnc/coding/unit"]
    file["snnc/coding/unit"] = h5py.Empty("f8")


def huge(place: str) -> Callable[[h5py.File], None]:
    """A dataset that claims more than any memory holds and stores nothing."""

    def change(file: h5py.File) -> None:
        del file[place]
        file.create_dataset(place, (1 << 40,), "i8", chunks=(1 << 20,))

    return change


DAMAGE: list[tuple[Callable[[h5py.File], None], str]] = [
    (attribute("snnc", "format_version", 3), "newer format.*version 3.*update snnc"),
    (attribute("snnc", "format_version", 0), "out of range"),
    (attribute("snnc", "format_version", "1"), "wrong type"),
    (attribute("snnc", "format_version", 1.0), "wrong type"),
    (attribute("snnc", "timesteps", 0), "timesteps"),
    (attribute("snnc", "timesteps", 1025), "timesteps"),
    (attribute("snnc", "timesteps", [8]), "timesteps"),
    (attribute("snnc", "target", "loihi9"), "unknown target"),
    (attribute("snnc", "target", 2), "target"),
    (attribute("snnc", "provenance", "{"), "JSON"),
    (attribute("snnc", "provenance", "[]"), "provenance"),
    (attribute("snnc", "provenance", json.dumps({"snnc": 1})), "provenance"),
    (attribute("snnc", "ann", "{}"), "ann"),
    (attribute("snnc", "ann", '[["a", -5, 3]]'), "ann"),
    (attribute("snnc", "ann", '[["a", "b"]]'), "ann"),
    (cut("snnc/format_version"), "format_version is missing"),
    (cut("snnc/timesteps"), "timesteps is missing"),
    (cut("snnc/coding"), "coding is missing"),
    (cut("snnc/coding/unit"), "unit is missing"),
    (cut("snnc/layers"), "layers is missing"),
    (cut("snnc/layers/1"), "1 is missing"),
    (cut("snnc/layers/2"), "initial_potential"),
    (cut("snnc/layers/0/bias"), "bias is missing"),
    (cut("snnc/layers/0/threshold"), "threshold is missing"),
    (cut("snnc/layers/0/gate"), "gate is missing"),
    (cut("snnc/layers/0/scale"), "scale is missing"),
    (cut("snnc/layers/0/synapses"), "synapses is missing"),
    (cut("snnc/layers/0/synapses/0"), "no synapse"),
    (cut("snnc/layers/1/synapses/1/weight"), "weight is missing"),
    (cut("layer"), "layer is missing"),
    (cut("layer/0"), "0 is missing"),
    (cut("layer/1/weight"), "weight is missing"),
    (cut("layer/1/neuron"), "neuron is missing"),
    (cut("layer/1/neuron/vThMant"), "vThMant is missing"),
    (cut("layer/3"), "missing"),
    (cut("layer/4"), "fewer layers"),
    (attribute("/", "more", 1), "unknown field 'more'"),
    (attribute("layer", "more", 1), "unknown field 'more'"),
    (attribute("layer/1", "more", 1), "unknown field 'more'"),
    (attribute("layer/1/neuron", "more", 1), "unknown field 'more'"),
    (attribute("snnc", "more", 1), "unknown field 'more'"),
    (attribute("snnc/coding", "more", 1), "unknown field 'more'"),
    (attribute("snnc/layers", "more", 1), "unknown field 'more'"),
    (attribute("snnc/layers/0", "more", 1), "unknown field 'more'"),
    (attribute("snnc/layers/0/synapses", "more", 1), "unknown field 'more'"),
    (attribute("snnc/layers/0/synapses/0", "more", 1), "unknown field 'more'"),
    (put("more/inner", 1), "unknown field 'more'"),
    (put("layer/more", 1), "missing|unknown"),
    (put("layer/1/delay", 1), "unknown field 'delay'"),
    (put("layer/1/neuron/more", 1), "unknown field 'more'"),
    (put("snnc/more", 1), "unknown field 'more'"),
    (put("snnc/layers/more", 1), "missing|unknown"),
    (put("snnc/layers/0/synapses/5", 1), "missing|not a group"),
    (edit("layer/1/weight", 0, 0, 0, 0, value=3), "odd"),
    (edit("layer/1/weight", 0, 0, 0, 0, value=256), "out of range"),
    (edit("layer/1/weight", 0, 0, 0, 0, value=-258), "out of range"),
    (edit("snnc/layers/1/synapses/1/weight", 0, 0, 0, 0, value=-1), "odd"),
    (put("layer/1/weight", np.zeros((4, 2, 2, 3))), "wrong type"),
    (put("layer/1/weight", np.zeros((4, 2, 2), np.int16)), "wrong shape"),
    (put("layer/1/weight", np.zeros((4, 2, 9, 9), np.int16)), "kernel"),
    (put("layer/1/weight", np.zeros((4, 2, 2, 2), np.int16)), "kernelSize|shape"),
    (put("layer/4/weight", np.zeros((3, 13), np.int16)), "wrong shape"),
    (edit("layer/1/neuron/vThMant", value=0), "vThMant contradicts"),
    (edit("layer/4/neuron/vThMant", value=5), "vThMant contradicts"),
    (edit("layer/1/neuron/iDecay", value=1), "iDecay"),
    (edit("layer/1/neuron/vDecay", value=0), "vDecay"),
    (edit("layer/1/neuron/refDelay", value=2), "refDelay"),
    (edit("layer/1/neuron/type", 0, value=b"LIF"), "unknown type"),
    (edit("layer/1/type", 0, value=b"dense"), "flatten"),
    (edit("layer/0/type", 0, value=b"conv"), "input"),
    (edit("layer/3/type", 0, value=b"input"), "contradicts"),
    (put("layer/1/type", 5), "not a string"),
    (edit("layer/1/inChannels", value=3), "inChannels"),
    (edit("layer/1/outChannels", value=5), "outChannels"),
    (edit("layer/1/groups", value=3), "groups"),
    (edit("layer/1/groups", value=1), "shape|groups"),
    (edit("layer/1/kernelSize", 0, value=3), "kernelSize contradicts"),
    (edit("layer/1/stride", 0, value=2), "another shape"),
    (edit("layer/1/stride", 0, value=0), "stride"),
    (edit("layer/1/padding", 1, value=0), "another shape"),
    (edit("layer/1/dilation", 0, value=1), "another shape"),
    (edit("layer/1/dilation", 0, value=9), "does not fit"),
    (edit("layer/1/shape", 0, value=5), "shape contradicts"),
    (edit("layer/4/inFeatures", value=11), "inFeatures"),
    (edit("layer/4/outFeatures", value=2), "outFeatures"),
    (edit("layer/3/shape", 0, value=13), "shape|flatten"),
    (edit("layer/0/shape", 0, value=5), "input"),
    (edit("snnc/coding/shape", 0, value=5), "shape"),
    (put("snnc/coding/shape", np.array([4, 35])), "axes"),
    (put("snnc/coding/shape", np.array([0, 7, 5])), "shape"),
    (edit("snnc/coding/unit", 0, value=0.0), "unit is not positive"),
    (edit("snnc/coding/unit", 0, value=-1.0), "unit is not positive"),
    (edit("snnc/coding/scale", 0, value=np.nan), "NaN"),
    (edit("snnc/coding/shift", 0, value=np.inf), "NaN or infinity"),
    (attribute("snnc/coding", "kind", "latency"), "unknown kind"),
    (attribute("snnc/coding", "divisor", 0), "divisor"),
    (attribute("snnc/coding", "divisor", 257), "divisor"),
    (empty_coding, "unit"),
    (edit("snnc/layers/0/scale", 0, value=np.nan), "NaN"),
    (edit("snnc/layers/0/scale", 0, value=0.0), "scale is not positive"),
    (edit("snnc/layers/2/scale", 0, value=-1.0), "scale is not positive"),
    (put("snnc/layers/0/scale", np.ones(3)), "wrong shape"),
    (put("snnc/layers/0/bias", np.zeros((4, 5, 2), np.int32)), "wrong shape"),
    (put("snnc/layers/0/bias", np.zeros((4, 5, 3))), "wrong type"),
    (put("snnc/layers/2/bias", np.zeros((3, 1, 1), np.int32)), "wrong shape"),
    (edit("snnc/layers/0/bias", 0, 0, 0, value=2**30), "out of range"),
    (attribute("snnc/layers/0", "initial_potential", 1000), "out of range|contradicts"),
    (attribute("snnc/layers/0", "initial_potential", -1), "out of range"),
    (attribute("snnc/layers/0", "initial_potential", 7), "vThMant contradicts"),
    (attribute("snnc/layers/2", "initial_potential", 7), "initial_potential|initial potential"),
    (attribute("snnc/layers/0", "threshold", [256, 0]), "threshold"),
    (attribute("snnc/layers/0", "threshold", [250, 8]), "out of range"),
    (attribute("snnc/layers/0", "threshold", [0, 0]), "out of range"),
    (attribute("snnc/layers/0", "threshold", [250]), "wrong shape"),
    (attribute("snnc/layers/0", "gate", [255, 8, 1]), "out of range"),
    (attribute("snnc/layers/0", "gate", [255, 7]), "wrong shape"),
    (attribute("snnc/layers/2", "threshold", [250, 2]), "readout has a threshold"),
    (attribute("snnc/layers/0", "modules", "{}"), "modules"),
    (attribute("snnc/layers/0", "modules", "[1]"), "modules"),
    (attribute("snnc/layers/0", "name", 3), "name"),
    (attribute("snnc/layers/0", "membrane_proven", [1]), "wrong shape"),
    (attribute("snnc/layers/0/synapses/0", "source", 0), "source"),
    (attribute("snnc/layers/1/synapses/0", "source", -1), "kind is missing"),
    (attribute("snnc/layers/1/synapses/1", "source", 1), "source"),
    (attribute("snnc/layers/1/synapses/1", "source", -2), "source"),
    (attribute("snnc/layers/1/synapses/1", "kind", "dense"), "shape|dense|unknown"),
    (attribute("snnc/layers/0/synapses/0", "groups", 4), "groups|shape"),
    (attribute("snnc/layers/0/synapses/0", "groups", 3), "groups"),
    (link("layer/1/weight", h5py.SoftLink("/snnc/layers/0/bias")), "link"),
    (link("layer/1/weight", h5py.SoftLink("/nowhere")), "link"),
    (link("layer/1/weight", h5py.ExternalLink("other.h5", "/weight")), "link"),
    (link("layer/1", h5py.SoftLink("/layer/2")), "link"),
    (link("snnc/layers", h5py.ExternalLink("other.h5", "/")), "link"),
    (huge("layer/4/weight"), "weight"),
    (huge("snnc/layers/0/bias"), "bias"),
    (huge("snnc/layers/0/shape"), "shape"),
    (huge("snnc/coding/shape"), "shape"),
    (variable_length("snnc", "target"), "target has the wrong type"),
    (variable_length("snnc", "provenance"), "provenance: an array has the wrong type"),
    (variable_length("layer/1", "type"), "type: an array has the wrong type"),
    (swap_layers, "."),
]


@pytest.mark.parametrize(("change", "message"), DAMAGE, ids=range(len(DAMAGE)))
def test_a_file_that_contradicts_itself_is_refused(
    tmp_path: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    path = tmp_path / "a.net"
    path.write_bytes(content())
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(FormatError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


MEMBERS: list[str] = []
with h5py.File(__import__("io").BytesIO(content()), "r") as _file:
    _file.visit(MEMBERS.append)
    for _name in ["/", *list(MEMBERS)]:
        MEMBERS.extend(f"{_name}/{key}".lstrip("/") for key in _file[_name].attrs)
OPTIONAL = {f"snnc/layers/{index}/membrane_measured" for index in range(3)}
# Without its last synapse a layer is a layer.
OPTIONAL |= {f"snnc/layers/{index}/synapses/1" for index in (1, 2)}


@pytest.mark.parametrize("member", MEMBERS)
def test_every_single_field_is_needed(tmp_path: Path, member: str) -> None:
    path = tmp_path / "a.net"
    path.write_bytes(content())
    with h5py.File(path, "r+") as file:
        cut(member)(file)
    if member in OPTIONAL:
        load(path)
    else:
        with pytest.raises(FormatError):
            load(path)


@given(
    st.sampled_from(MEMBERS), st.sampled_from([0, -1, 2**62, 1.5, "text", [1, 2], [], h5py.Empty("i8"), b"\xff", True])
)
@settings(max_examples=100)
def test_a_field_of_any_other_type_never_raises_anything_else(folder: Path, member: str, value: object) -> None:
    path = folder / "types.net"
    path.write_bytes(content())
    with h5py.File(path, "r+") as file:
        group, _, name = member.rpartition("/")
        if name in file[group or "/"].attrs:
            file[group or "/"].attrs[name] = value
        else:
            del file[member]
            file[member] = value
    loads_or_refuses(path)


def test_a_number_type_that_numpy_does_not_know_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    path.write_bytes(content())
    with h5py.File(path, "r+") as file:
        del file["snnc/coding/unit"]
        kind = h5py.h5t.IEEE_F64LE.copy()
        kind.set_fields(63, 52, 11, 0, 52)
        kind.set_precision(64)
        kind.set_ebias(40000)
        h5py.h5d.create(file["snnc/coding"].id, b"unit", kind, h5py.h5s.create_simple((4,)))
    with pytest.raises(FormatError):
        load(path)


def test_the_same_file_under_another_name_is_the_same_program(tmp_path: Path) -> None:
    save(sample(), tmp_path / "a.net")
    shutil.move(tmp_path / "a.net", tmp_path / "no suffix")
    assert_same(load(str(tmp_path / "no suffix")), sample())


def chain(*layers: Layer, shape: tuple[int, ...]) -> Program:
    ones = np.ones(shape[0])
    return Program(
        "loihi2", 6, InputCoding("graded", shape, ones, ones, ones, ones), layers, (), Provenance("", "", "", 0)
    )


def built(name: str, shape: tuple[int, ...], synapse: Synapse, *, fires: bool) -> Layer:
    bias = np.zeros((shape[0],) + (1,) * (len(shape) - 1), np.int32)
    if not fires:
        return Layer(name, (), shape, (synapse,), bias, None, 0, None, np.ones(shape[0]), Membrane((0, 1)))
    gate = Gate(Scaled(255, 7), 1)
    return Layer(name, (), shape, (synapse,), bias, Scaled(200, 1), 50, gate, np.ones(shape[0]), Membrane((0, 1)))


def even(*shape: int, low: int = -128) -> np.ndarray:
    return (2 * np.random.default_rng(1).integers(low, 128, shape)).astype(np.int16)


def lava_programs() -> dict[str, Program]:
    """Every kind of file."""
    conv = built("conv", (4, 3, 4), Synapse(-1, "conv", even(4, 2, 3, 2), (2, 1), (1, 0), (1, 2), 1), fires=True)
    grouped = built("conv", (4, 6, 6), Synapse(-1, "conv", even(4, 1, 3, 3), (1, 1), (1, 1), (1, 1), 2), fires=True)
    convolutional = built("conv", (3, 4, 4), Synapse(0, "conv", even(3, 4, 3, 3)), fires=False)
    positive = built("hidden", (5,), Synapse(-1, "dense", even(5, 7, low=1)), fires=True)
    return {
        "conv": chain(conv, built("fc", (3,), Synapse(0, "dense", even(3, 48)), fires=False), shape=(2, 6, 6)),
        "grouped": chain(grouped, built("fc", (3,), Synapse(0, "dense", even(3, 144)), fires=False), shape=(2, 6, 6)),
        "many groups": wide(256),
        "fully convolutional": chain(grouped, convolutional, shape=(2, 6, 6)),
        "dense": chain(
            built("hidden", (5,), Synapse(-1, "dense", even(5, 7)), fires=True),
            built("fc", (3,), Synapse(0, "dense", even(3, 5)), fires=False),
            shape=(7,),
        ),
        "positive": chain(positive, built("fc", (1,), Synapse(0, "dense", even(1, 5, low=1)), fires=False), shape=(7,)),
        "images into dense": chain(
            built("hidden", (5,), Synapse(-1, "dense", even(5, 72)), fires=True),
            built("fc", (3,), Synapse(0, "dense", even(3, 5)), fires=False),
            shape=(2, 6, 6),
        ),
        "readout only": chain(built("fc", (3,), Synapse(-1, "dense", even(3, 7)), fires=False), shape=(7,)),
        "everything": sample(),
        "everything, depthwise": sample(groups=4),
    }


@pytest.mark.lava
@pytest.mark.parametrize("name", sorted(lava_programs()))
@pytest.mark.parametrize("options", [{}, {"reset_interval": 7}, {"reset_interval": 7, "reset_offset": 1}])
def test_stock_netx_opens_every_file(tmp_path: Path, name: str, options: dict[str, int]) -> None:
    from lava.lib.dl.netx.hdf5 import Network

    program = lava_programs()[name]
    save(program, tmp_path / "a.net")
    network = Network(net_config=str(tmp_path / "a.net"), **options)
    layers = [each for each in network.layers if hasattr(each, "neuron")]
    assert len(layers) == len(program.layers)
    for found, layer in zip(layers, program.layers, strict=True):
        # netx has the axes (x, y, channels).
        assert tuple(found.shape) == tuple(reversed(layer.shape))
        assert int(found.neuron.vth.init) == (layer.firing_level - 1 if layer.threshold else (1 << 17) - 1)
        # netx takes one off du, which Lava's fixed-point LIF adds again: no decay.
        assert (int(found.neuron.du.init), int(found.neuron.dv.init)) == (-1, 4096)
        assert (
            weights_of(found) == numbers(joined_groups(layer.synapses[0].weight, layer.synapses[0].groups)[0])
        ).all()
    interval = options.get("reset_interval")
    assert interval is None or all(found.neuron.proc_params["reset_interval"] == interval for found in layers)


def numbers(weight: np.ndarray) -> np.ndarray:
    """The weights in ascending order: netx turns kernels around and reorders features."""
    return np.sort(weight.astype(np.int64).ravel())


def weights_of(layer: object) -> np.ndarray:
    """The weights that Lava computes with: mantissa, scaled by the exponent that netx chose."""
    synapse = layer.synapse
    weight = (synapse.weight if hasattr(synapse, "weight") else synapse.weights).init
    exponent = int(synapse.proc_params._parameters.get("weight_exp", 0))
    return numbers(np.asarray(weight).astype(np.int64) * 2 ** max(exponent, 0) // 2 ** max(-exponent, 0))
