"""What a reader would refuse, no writer writes: both say the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.branching import branching
from support.sigma_delta import compiled, dense_chain
from support.written_programs import sample

from snnc.common.errors import FormatError, TargetError
from snnc.program import CompiledNetwork, Gate, Membrane, Program, Scaled, SigmaDeltaProgram, Synapse
from snnc.program.net import load
from snnc.program.nir import export_nir
from snnc.program.provenance import AnnLayer
from snnc.program.validate import validate

Change = Callable[[Program], Program]


def head(**fields: object) -> Change:
    return lambda program: replace(program, **fields)


def coding(**fields: object) -> Change:
    return lambda program: replace(program, coding=replace(program.coding, **fields))


def provenance(**fields: object) -> Change:
    return lambda program: replace(program, provenance=replace(program.provenance, **fields))


def layer(index: int, **fields: object) -> Change:
    def change(program: Program) -> Program:
        layers = list(program.layers)
        layers[index] = replace(layers[index], **fields)
        return replace(program, layers=tuple(layers))

    return change


def synapse(index: int, position: int, **fields: object) -> Change:
    def change(program: Program) -> Program:
        synapses = list(program.layers[index].synapses)
        synapses[position] = replace(synapses[position], **fields)
        return layer(index, synapses=tuple(synapses))(program)

    return change


def weight(value: int) -> np.ndarray:
    return np.full((3, 12), value, np.int16)


# The reader gets as far as the values themselves, so that its words are those of the writer.
SAME: list[tuple[Change, str]] = [
    (head(target="loihi9"), "unknown target"),
    (head(target="loihi1"), "loihi1 takes no graded spikes"),
    (head(timesteps=0), "timesteps is out of range"),
    (head(timesteps=1025), r"timesteps is out of range.*1\.\.1024"),
    (coding(unit=np.zeros(4)), "unit is not positive"),
    (coding(kind="latency"), "unknown kind"),
    (coding(divisor=257), "divisor is out of range"),
    (coding(highest=256), "highest is out of range"),
    (layer(0, scale=np.zeros(4)), "scale is not positive"),
    (layer(0, bias=np.full((4, 1, 1), 1 << 30, np.int32)), "bias is out of range"),
    (layer(0, initial_potential=1000), "initial potential is out of range"),
    (layer(0, initial_potential=-1), "initial_potential is out of range"),
    (layer(2, initial_potential=7), "initial_potential is out of range"),
    (layer(0, threshold=Scaled(256, 0)), "threshold is out of range"),
    (layer(0, threshold=Scaled(250, 8)), "threshold or gate are out of range"),
    (layer(0, gate=Gate(Scaled(255, 8), 1)), "threshold or gate are out of range"),
    (layer(0, gate=Gate(Scaled(255, 7), 256)), "gate is out of range"),
    (layer(2, threshold=Scaled(250, 2)), "the readout has a threshold"),
    (layer(0, membrane=Membrane((-(1 << 41), 0))), "membrane_proven is out of range"),
    (layer(0, membrane=Membrane((0, 0), (0, 1 << 41), 5)), "membrane_measured is out of range"),
    (synapse(1, 1, hold=1 << 17), "hold is out of range"),
    (synapse(1, 1, exponent=8), "exponent is out of range"),
    (synapse(2, 0, weight=weight(3)), "a weight is odd"),
    (synapse(2, 0, weight=weight(256)), "weight is out of range"),
    (synapse(2, 0, weight=weight(-258)), "weight is out of range"),
    (synapse(1, 1, stride=(2, 1)), "gives another shape"),
    (synapse(1, 1, stride=(0, 1)), "stride is out of range"),
    (synapse(1, 1, padding=(128, 0)), "padding is out of range"),
    (synapse(1, 1, dilation=(9, 1)), "the kernel does not fit"),
]
# A reader finds these before it has a network, in words of the file.
OTHER: list[tuple[Change, str]] = [
    # A file leaves a lead of 0 out, so that its reader expects 1..8 of one that is there.
    (head(lead=9), r"lead is out of range.*0\.\.8"),
    (head(layers=()), "there is no layer"),
    (head(ann=(AnnLayer("a", 2.5),)), "ann has the wrong type"),
    (head(ann=(AnnLayer("a", -1),)), "ann is out of range"),
    (provenance(calibration_samples="many"), "provenance has a wrong calibration_samples"),
    (provenance(options={"mean": None}), "provenance has a wrong options"),
    (coding(shape=(4, 35)), "wrong number of axes"),
    (coding(scale=np.full(4, np.nan)), "NaN"),
    (coding(shift=np.full(4, np.inf)), "infinity"),
    (coding(offset=np.ones(3)), "offset has the wrong shape"),
    (layer(0, name="\x1b[2J"), "control characters"),
    (layer(0, name=3), "name is not a string"),
    (layer(0, modules=("a", "\x00")), "control characters"),
    (layer(0, modules=[1]), "modules is not a list of names"),
    (layer(0, bias=np.zeros((4, 5, 2), np.int32)), "bias has the wrong shape"),
    (layer(0, bias=np.zeros((4, 5, 3))), "bias has the wrong type"),
    (layer(0, threshold=None), "threshold is missing"),
    (layer(0, gate=None), "gate is missing"),
    (layer(0, synapses=()), "there is no synapse"),
    (layer(2, gate=Gate(Scaled(1, 0), 1)), "the readout or a memoryless layer has a gate"),
    (synapse(2, 0, weight=weight(2)[:, :5]), "weight has the wrong shape"),
    (synapse(2, 0, weight=weight(2).astype(float)), "weight has the wrong type"),
    (synapse(1, 0, groups=3), "groups do not divide the channels"),
    (synapse(1, 1, kind="dense"), "feeds an image"),
    (synapse(2, 0, kind="sparse"), "says where its weights stand"),
    (synapse(2, 0, kind="full"), "unknown kind"),
    (synapse(2, 0, source=0), "no layer reads its spikes"),
    (synapse(2, 0, source=2), "source is out of range"),
    (synapse(1, 1, hold=3), "the first synapse does not read the deepest layer"),
]


@pytest.mark.parametrize(("change", "message"), SAME, ids=range(len(SAME)))
def test_the_writer_refuses_in_the_words_of_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change, message: str
) -> None:
    program, path = change(sample()), tmp_path / "a.net"
    with pytest.raises(FormatError, match=message) as written:
        program.save(path)
    assert not path.exists()
    monkeypatch.setattr("snnc.program.net.writer.validate", lambda *_: None)
    try:
        program.save(path)
    except (LookupError, ValueError, FormatError, TargetError):
        return  # nothing that a file could hold
    with pytest.raises(FormatError, match=message) as found:
        load(path)
    assert str(found.value) == str(written.value)


@pytest.mark.parametrize(("change", "message"), [*SAME, *OTHER], ids=range(len(SAME) + len(OTHER)))
def test_no_writer_takes_a_program_that_contradicts_itself(tmp_path: Path, change: Change, message: str) -> None:
    program = change(sample())
    for path, write in (
        (tmp_path / "a.net", program.save),
        (tmp_path / "a.nir", lambda each: export_nir(program, each)),
    ):
        with pytest.raises(FormatError, match=message) as caught:
            write(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
        assert not path.exists()


def test_no_writer_makes_a_file_larger_than_its_reader_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, path = sample(), tmp_path / "a.net"
    program.save(path)
    before = path.read_bytes()
    monkeypatch.setattr("snnc.program.net.hdf5_safety.ENTRIES_MAXIMUM", 20)
    with pytest.raises(FormatError, match="too many entries") as written:
        program.save(path)
    assert path.read_bytes() == before
    with pytest.raises(FormatError, match="too many entries"):
        load(path)
    assert str(path) in str(written.value)


def branch(change: Change) -> Callable[[], CompiledNetwork]:
    return lambda: change(branching())


def unread(program: Program) -> Program:
    (first, *_) = program.layers[4].synapses
    return layer(4, synapses=(first,))(layer(3, synapses=program.layers[3].synapses[:1])(program))


def chain(change: Callable[[SigmaDeltaProgram], SigmaDeltaProgram]) -> Callable[[], CompiledNetwork]:
    return lambda: change(compiled(dense_chain()))


def sigma_layer(index: int, **fields: object) -> Callable[[SigmaDeltaProgram], SigmaDeltaProgram]:
    def change(program: SigmaDeltaProgram) -> SigmaDeltaProgram:
        layers = list(program.layers)
        layers[index] = replace(layers[index], **fields)
        return replace(program, layers=tuple(layers))

    return change


def reading(source: int) -> Callable[[SigmaDeltaProgram], SigmaDeltaProgram]:
    return lambda program: sigma_layer(1, synapse=replace(program.layers[1].synapse, source=source))(program)


def heavy(program: SigmaDeltaProgram) -> SigmaDeltaProgram:
    found: Synapse = program.layers[1].synapse
    return sigma_layer(1, synapse=replace(found, weight=np.full_like(found.weight, 128)))(program)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (branch(layer(2, bias=np.ones((4, 1, 1), np.int32))), "a memoryless layer has a bias|wrong shape"),
        (branch(layer(2, initial_potential=1)), "initial_potential is out of range"),
        (branch(layer(4, memoryless=True)), "the readout has a threshold, or is memoryless"),
        (branch(unread), "no layer reads its spikes"),
        (chain(lambda program: replace(program, target="loihi1")), "unknown target"),
        (
            chain(lambda program: replace(program, coding=replace(program.coding, divisor=2))),
            "the input of sigma-delta neurons is spread over steps",
        ),
        (chain(sigma_layer(0, delta_threshold=None)), "only the last layer is a readout"),
        (chain(sigma_layer(-1, delta_threshold=0)), "only the last layer is a readout"),
        (chain(sigma_layer(0, delta_threshold=512)), "vThMant is out of range"),
        (chain(sigma_layer(0, has_constant=False)), "have a channel of constants"),
        (chain(reading(-1)), "source is out of range"),
        (chain(heavy), r"weight is out of range.*-127\.\.127"),
    ],
)
def test_branches_and_sigma_delta_networks_are_checked_too(
    make: Callable[[], CompiledNetwork], message: str, tmp_path: Path
) -> None:
    with pytest.raises(FormatError, match=message):
        make().save(tmp_path / "a.net")


def test_the_compiler_may_name_another_class_of_errors() -> None:
    with pytest.raises(TargetError, match=r"^program: timesteps is out of range"):
        validate(replace(sample(), timesteps=0), error=TargetError)


def test_without_a_file_a_layer_is_named_by_its_modules() -> None:
    program = sample()
    program = synapse(0, 0, weight=np.full_like(program.layers[0].synapses[0].weight, 300))(program)
    name = program.layers[0].where
    with pytest.raises(TargetError) as caught:
        validate(program, error=TargetError)
    assert str(caught.value).startswith(
        f"{name}/synapses/0: weight is out of range"
    ) and "the network again" not in str(caught.value)
