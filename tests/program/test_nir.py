"""Programs as NIR graphs: nothing is lost on the way there and back."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.programs import assert_same, levels_for, programs, weights

from snnc.common.errors import FormatError, OptionError, SnncError, UnsupportedError
from snnc.program import AnnLayer, Gate, InputCoding, Layer, Membrane, Program, Provenance, Scaled, Synapse
from snnc.program.nir import FORMS, export_nir, layout, load_nir
from snnc.program.nir.layout import export_notes
from snnc.runtime.simulator import Simulator

nir = pytest.importorskip("nir")


def expressible(program) -> bool:
    """Whether no convolution reads a layer that stands as a vector in the graph."""
    flat = [
        len(each.shape) == 1 or any(synapse.kind == "sparse" for synapse in each.synapses) for each in program.layers
    ]
    return not any(
        synapse.kind == "conv" and synapse.source >= 0 and flat[synapse.source]
        for layer in program.layers
        for synapse in layer.synapses
    )


@settings(max_examples=60)
@given(programs(), st.sampled_from(FORMS))
def test_there_and_back_is_the_same_program(tmp_path_factory: pytest.TempPathFactory, program, form) -> None:
    path = tmp_path_factory.mktemp("nir") / "graph.nir"
    if not expressible(program):
        with pytest.raises(UnsupportedError, match="NIR cannot express it"):
            export_nir(program, path, form)
        assert not path.exists()
        return
    export_nir(program, path, form)
    found = load_nir(path)
    assert_same(found, program)
    levels = levels_for(program)
    there, back = Simulator(program).run(levels, record=True), Simulator(found).run(levels, record=True)
    assert all(np.array_equal(*each) for each in zip(there.spikes, back.spikes, strict=True))
    assert np.array_equal(there.readout, back.readout)


@settings(max_examples=30)
@given(programs(), st.sampled_from(FORMS))
def test_the_package_reads_the_file_with_its_own_checks(tmp_path_factory, program, form) -> None:
    """Where kernels are square: of others nir miscalculates the size, as a note says."""
    if not expressible(program):
        return
    path = tmp_path_factory.mktemp("nir") / "graph.nir"
    export_nir(program, path, form)
    square = all(
        each.kind != "conv" or each.weight.shape[2] == each.weight.shape[3]
        for layer in program.layers
        for each in layer.synapses
    )
    noted = any("type_check=False" in note for note in export_notes(program, form))
    assert noted != square
    graph = nir.read(path, type_check=square)
    assert len(graph.outputs) == len(graph.inputs) == 1


def test_equal_programs_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one.nir", "two.nir"):
        export_nir(small(), tmp_path / name)
    assert (tmp_path / "one.nir").read_bytes() == (tmp_path / "two.nir").read_bytes()


def small(**changes) -> Program:
    """A convolution of two groups, then a dense readout."""
    rng = np.random.default_rng(0)
    ones = np.ones(2)
    first = Layer(
        name="conv", modules=("features.0",), shape=(4, 3, 3),
        synapses=(Synapse(-1, "conv", weights(rng, (4, 1, 3, 3)), (1, 1), (1, 1), (1, 1), 2),),
        bias=np.arange(4, dtype=np.int32).reshape(4, 1, 1), threshold=Scaled(200, 3), initial_potential=700,
        gate=Gate(Scaled(255, 7), 2), scale=np.ones(4), membrane=Membrane((-9, 9)),
    )  # fmt: skip
    readout = Layer(
        name="fc", modules=("fc",), shape=(5,), synapses=(Synapse(0, "dense", weights(rng, (5, 36))),),
        bias=np.zeros(5, np.int32), threshold=None, initial_potential=0, gate=None, scale=np.ones(5),
        membrane=Membrane((-9, 9)),
    )  # fmt: skip
    coding = InputCoding("graded", (2, 3, 3), ones, ones, ones, ones)
    program = Program("loihi2", 4, coding, (first, readout), (AnnLayer("fc", 180),), Provenance("0", "a", "b", 1))
    return replace(program, **changes)


def test_if_neurons_hold_threshold_and_initial_potential_in_their_own_fields(tmp_path: Path) -> None:
    export_nir(small(), tmp_path / "graph.nir")
    graph = nir.read(tmp_path / "graph.nir")
    node = graph.nodes["layer0"]
    # Counted from the initial potential, from which readers start; half a unit below, for those that fire above.
    assert isinstance(node, nir.IF) and node.metadata["reset"] == "subtract"
    assert (node.v_threshold == 1600 - 700 - 0.5).all() and (node.v_reset == -700).all()
    assert (node.metadata["threshold"], node.metadata["initial_potential"]) == (1600, 700)
    assert (node.r * graph.metadata["dt"] == 1).all() and graph.metadata["timesteps"] == 4
    kernel = graph.nodes["layer0_synapse0"]
    assert kernel.groups == 1 and kernel.weight.shape == (4, 2, 3, 3)
    assert (kernel.weight[:2, 1] == 0).all() and (kernel.weight[2:, 0] == 0).all()
    assert kernel.bias.tolist() == [0, 1, 2, 3]
    assert isinstance(graph.nodes["layer1"], nir.Output)


def test_a_lead_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"lead 2: NIR cannot express a lead.*compile with --lead 0"):
        export_nir(small(lead=2), tmp_path / "graph.nir")
    assert not list(tmp_path.iterdir())


def test_matrices_that_would_fill_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MATRIX_MAXIMUM", 100)
    with pytest.raises(UnsupportedError, match="at most 100 weights, found 180"):
        export_nir(small(), tmp_path / "graph.nir")


def test_without_the_package_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(OptionError, match="NIR graphs need the package nir; pip install nir"):
        export_nir(small(), tmp_path / "graph.nir")


def exported(tmp_path: Path) -> Path:
    path = tmp_path / "graph.nir"
    export_nir(small(), path)
    return path


def weight(file: h5py.File, change) -> None:
    values = file["node/nodes/layer0_synapse0/weight"]
    values[...] = change(values[...])


def replaced(file: h5py.File, place: str, value: object) -> None:
    del file[place]
    file[place] = value


def described(file: h5py.File, place: str, **changes) -> None:
    found = json.loads(file[place][()])
    replaced(file, place, json.dumps({**found, **changes}, sort_keys=True))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: weight(f, lambda w: w + 1), "a weight is odd"),
        (lambda f: weight(f, lambda w: w * 0.3), "a weight is not of 8 bits"),
        (lambda f: weight(f, lambda w: w * 1000), "a weight is not of 8 bits"),
        (lambda f: weight(f, lambda w: np.full_like(w, np.nan)), "a weight is not of 8 bits"),
        (lambda f: weight(f, lambda w: np.full_like(w, 2)), "node layer0_synapse0: weight"),
        (lambda f: replaced(f, "node/nodes/layer0/v_reset", np.zeros((4, 3, 3), np.float32)), "node layer0: v_reset"),
        (lambda f: replaced(f, "node/nodes/layer0/v_threshold", np.zeros((4, 3, 3), np.float32)), "initial potential"),
        (lambda f: replaced(f, "node/edges", f["node/edges"][:-1]), "found edges"),
        (lambda f: replaced(f, "node/edges", [[b"layer0", b"nowhere"]]), "found edges"),
        (lambda f: f["node/nodes"].copy("layer0", "more"), "found node more"),
        (lambda f: f.__delitem__("node/nodes/layer1"), "layer1"),
        (lambda f: f.__delitem__("node/metadata/snnc"), "was not exported by snnc"),
        (lambda f: replaced(f, "node/metadata/snnc", "[1]"), "is no JSON object"),
        (lambda f: replaced(f, "node/metadata/snnc", "{"), "not what its metadata describe"),
        (lambda f: described(f, "node/metadata/snnc", timesteps=10**9), "timesteps is out of range"),
        (lambda f: described(f, "node/metadata/snnc", timesteps=3), "found metadata"),
        (lambda f: described(f, "node/metadata/snnc", layers=10**9), "layer2"),
        (lambda f: described(f, "node/metadata/snnc", target="loihi9"), "unknown target"),
        (lambda f: described(f, "node/metadata/snnc", format_version=99), "is of a newer format"),
        (lambda f: described(f, "node/nodes/layer0/metadata/snnc", threshold=[1, 10**6]), "an exponent is 1000000"),
        (lambda f: described(f, "node/nodes/layer0/metadata/snnc", shape=[4, 3, 10**9]), ""),
        (
            lambda f: described(f, "node/nodes/layer0_synapse0/metadata/snnc", exponent=10**9),
            "an exponent is 1000000000",
        ),
        (lambda f: described(f, "node/nodes/layer0_synapse0/metadata/snnc", groups=3), ""),
        (
            lambda f: described(f, "node/nodes/layer1_synapse0/metadata/snnc", source=7),
            "expected -1..0, found 7",
        ),
        # Regression: the longest path through a circle was followed without end.
        (
            lambda f: described(f, "node/nodes/layer1_synapse0/metadata/snnc", source=1),
            "expected -1..0, found 1",
        ),
        (lambda f: replaced(f, "node/type", "Popen"), "is damaged, or no NIR graph"),
        (lambda f: replaced(f, "node/nodes/layer0/type", "Popen"), "is damaged, or no NIR graph"),
        (lambda f: f["node"].__setitem__("more", h5py.ExternalLink("/etc/hostname", "x")), "is a link to another"),
        (lambda f: f["node"].__setitem__("more", h5py.SoftLink("/version")), "is a link to another place"),
        (lambda f: f.create_dataset("node/more", (1 << 20, 1 << 20), "f4", chunks=True), "claims to be larger"),
        (lambda f: f.create_dataset("node/more", (1 << 30,), "f4"), "claims to be larger"),
        (lambda f: f.create_dataset("node/more", (2,), h5py.ref_dtype), "an array has the wrong type"),
        (lambda f: f.create_group("/".join(["node", *"abcdefghij"])), "groups lie too deep"),
    ],
)
def test_a_file_that_was_changed_is_refused(tmp_path: Path, damage, message: str) -> None:
    path = exported(tmp_path)
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(FormatError) as error:
        load_nir(path)
    assert message in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


@given(st.data())
def test_any_damaged_byte_is_an_error_or_changes_nothing_that_counts(tmp_path_factory, data) -> None:
    path = exported(tmp_path_factory.mktemp("nir"))
    content = bytearray(path.read_bytes())
    # The heap of texts is left alone: a damaged one can make HDF5 read for ever, as docs/exchange.md says.
    heap = content.index(b"GCOL")
    size = int.from_bytes(content[heap + 8 : heap + 16], "little")
    place = data.draw(st.one_of(st.integers(0, heap - 1), st.integers(heap + size, len(content) - 1)))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        assert_same(load_nir(path), small())
    except SnncError as error:
        assert "\n" not in str(error)
