"""Reading the file: whatever contradicts itself in it is refused, with what and where."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.damage import attribute, cut, edit, put
from support.written_programs import content

from snnc.common.errors import FormatError
from snnc.program.net import load


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
