"""Overflow: what is proven, what is measured, what is refused, and what a run says."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.runs import assert_equal_results

import snnc
from snnc.cli import main
from snnc.program import Gate, InputCoding, Layer, Membrane, Program, Provenance, Scaled, Synapse
from snnc.program.bounds import Safety, is_safe, measured_margin, program_safety
from snnc.program.targets import get_target
from snnc.reporting import wording
from snnc.reporting.program import program_json
from snnc.runtime.agreement import count_overflows
from snnc.runtime.backends import run_levels
from snnc.runtime.options import RunOptions
from snnc.runtime.simulator import Simulator

DATA = Path(__file__).parents[1] / "data"
LENET, PORTABLE = DATA / "lenet.pt", DATA / "portable.net"
LIMIT = 1 << 17


def compiled(**options: object) -> Program:
    return snnc.compile(LENET, np.load(DATA / "mnist.npz")["x_train"], threshold="max", **options)


def safety_of(program: Program) -> tuple[Safety, ...]:
    target = get_target(program.target)
    return program_safety(program, target.membrane_limit, target.input_limit)


@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_strict_proves_every_layer(target: str) -> None:
    program = compiled(target=target, strict=True)
    assert all(each.proven for each in safety_of(program))
    assert all(Simulator(program).proven)
    assert program.provenance.options["strict"] is True
    (note,) = (each for each in program.provenance.notes if each.startswith("so that no input can overflow"))
    assert re.search(r"\d of 5 layers have smaller weights .* gives most, \d\.\d bits", note)
    statements = [layer["membrane"]["statement"] for layer in program_json(program)["layers"]]
    assert statements == ["proven not to overflow"] * 5
    # The very darkest, the very brightest, and noise: nothing to be seen on any calibration image.
    levels = np.random.default_rng(0).integers(0, 256, (3, 1, 28, 28)).astype(np.uint8)
    levels[0], levels[1] = 0, 255
    assert not any(Simulator(program).run(levels).wraps)


def test_without_it_a_layer_may_rest_on_the_calibration_data() -> None:
    program = compiled(timesteps=32)
    safety = safety_of(program)
    assert not all(each.proven for each in safety) and "strict" not in program.provenance.options
    for layer, known in zip(program_json(program)["layers"], safety, strict=True):
        if known.proven:
            assert layer["membrane"]["statement"] == "proven not to overflow" and layer["membrane"]["cannot_overflow"]
        else:
            found = re.fullmatch(
                rf"no overflow on {program.provenance.calibration_samples} calibration samples with margin ([\d.]+)",
                layer["membrane"]["statement"],
            )
            assert found and 1 <= float(found[1]) <= layer["membrane"]["margin"]
    assert not any("no input can overflow" in each for each in program.provenance.notes)


def test_what_cannot_be_proven_with_enough_weight_units_is_refused() -> None:
    with pytest.raises(snnc.TargetError, match="no scale is proven") as caught:
        compiled(timesteps=64, strict=True)
    text = str(caught.value)
    assert text.startswith("module") and "expected less than 131,072 weight units for any input" in text
    found = re.search(r"found a bound of ([\d,]+) with 128 weight units for a threshold", text)
    assert found and int(found[1].replace(",", "")) >= LIMIT
    fewer = re.search(r"choose T = (\d+) or less, or make thresholds larger", text)
    assert fewer and all(each.proven for each in safety_of(compiled(timesteps=int(fewer[1]), strict=True)))


def test_the_command_refuses_in_one_line_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "images.npz", x=np.load(DATA / "mnist.npz")["x_train"])
    arguments = ["compile", str(LENET), "--calib", str(tmp_path / "images.npz"), "--threshold", "max", "--strict"]
    assert main([*arguments, "-T", "64", "-o", str(tmp_path / "a.net")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("error: module")
    assert not (tmp_path / "a.net").exists()
    assert main([*arguments, "-T", "4", "-o", str(tmp_path / "a.net")]) == 0
    assert "every layer is proven not to overflow, whatever the input" in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "a.net"), "--json"]) == 0
    form = json.loads(capsys.readouterr().out)
    assert form["provenance"]["options"]["strict"] == "True"
    assert [layer["membrane"]["cannot_overflow"] for layer in form["layers"]] == [True] * 5
    assert main(["inspect", str(tmp_path / "a.net")]) == 0
    assert "every layer is proven not to overflow" in capsys.readouterr().out


def neuron(measured: tuple[int, int] | None, gate: int | None = 1000, bias: int = 0) -> Layer:
    """One neuron with a firing level of 300, which reads one input by a weight of 100."""
    return Layer(
        name="neuron",
        modules=(),
        shape=(1,),
        synapses=(Synapse(-1, "dense", np.array([[100]], np.int16)),),
        bias=np.array([bias], np.int32),
        threshold=Scaled(200, 1),
        initial_potential=100,
        gate=None if gate is None else Gate(Scaled(gate >> 3, 3), 1),
        scale=np.ones(1),
        membrane=Membrane((0, 0), measured, 7),
    )


@pytest.mark.parametrize(
    ("measured", "gate", "bias", "lead", "margin"),
    [
        ((-1000, 0), None, 0, 0, LIMIT / 1000),
        ((-10, 1000), None, 0, 0, LIMIT / 1000),
        # The gate silences what is below 300 + 1000, the bias included where it comes in the blank step.
        ((0, 500), 1000, 0, 0, 1300 / 500),
        ((0, 500), 1000, 100, 0, 1200 / 500),
        ((0, 500), 1000, 100, 2, 1300 / 500),
        # It pulls a low potential down by 1000 more.
        ((-1000, 0), 1000, 0, 0, (LIMIT - 1000) / 1000),
        ((-1000, 0), 1000, -50, 0, (LIMIT - 1050) / 1000),
        # The calibration data went through: the potential before the reset is not what the gate met.
        ((0, 5000), 1000, 0, 0, 1.0),
        ((0, LIMIT * 2), 1000, 0, 0, 0.5),
        ((0, 0), 1000, 0, 0, math.inf),
        (None, 1000, 0, 0, None),
    ],
)
def test_the_margin_is_how_far_the_measured_range_can_grow(measured, gate, bias, lead, margin) -> None:
    assert measured_margin(neuron(measured, gate, bias), LIMIT, lead) == margin


def test_what_is_known_in_words() -> None:
    proven, measured = Safety(True, 3.0, 9), Safety(False, 2.39, 9)
    assert wording.safety(proven) == "proven not to overflow"
    assert wording.safety(measured) == "no overflow on 9 calibration samples with margin 2.3"
    assert wording.safety(Safety(False, None, 0)) == "overflow is neither excluded nor measured"
    assert wording.safety(Safety(False, 0.99, 9)) == "overflows on 9 calibration samples"
    assert wording.overall_safety([proven, proven]).startswith(
        "membrane potentials: every layer is proven not to overflow"
    )
    assert wording.overall_safety([proven, measured]).endswith(
        "1 of 2 layers are proven not to overflow, whatever the input; "
        "the other: no overflow on 9 calibration samples with margin 2.3"
    )
    assert wording.overall_safety([measured, Safety(False, 1.01, 9)]).endswith("with margin 1.0 or more")


def test_a_proof_looks_at_the_register_that_adds_up_a_step() -> None:
    layer = neuron(None, gate=2000)
    # 25,500 at most of input and 400 of reset: the membrane holds it, and so does a register for less than 32,768.
    assert is_safe(layer, (0, 500), 2, LIMIT, 0, 1 << 15)
    assert is_safe(layer, (-32_000, 500), 2, LIMIT)
    assert is_safe(layer, (-32_000, 500), 2, LIMIT, 0, 1 << 15)
    assert not is_safe(layer, (-32_400, 500), 2, LIMIT, 0, 1 << 15)


def overflowing() -> Program:
    """A compiled network whose readout gets a bias that no membrane holds for eight steps."""
    program = snnc.load(PORTABLE)
    readout = replace(program.readout, bias=np.full_like(program.readout.bias, 127 * 256))
    return replace(program, layers=(*program.layers[:-1], readout), timesteps=8)


def test_a_run_that_overflows_fails_loudly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = overflowing()
    program.save(tmp_path / "a.net")
    assert main(["run", str(tmp_path / "a.net"), "--data", "digits", "--samples", "3"]) == 1
    name = program.readout.name
    assert f"warning: layer {name}: the membrane potential overflowed" in capsys.readouterr().err
    with pytest.warns(snnc.OverflowWarning, match=f"layer {name}: .* means nothing"):
        result = snnc.run(program, "digits", samples=3)
    assert result.wraps is not None and result.wraps[-1] > 0


def test_overflows_are_counted_for_backends_that_cannot_see_them(monkeypatch: pytest.MonkeyPatch) -> None:
    program = overflowing()
    levels = program.coding.levels(snnc.load_data("digits", split="test").take(2).images / 16)
    assert count_overflows(program, levels) == Simulator(program).run(levels).wraps
    proven = snnc.compile(
        snnc.models.digits_cnn(), "digits", threshold="max", timesteps=2, calibration_samples=16, strict=True
    )
    monkeypatch.setattr(Simulator, "run", lambda *_, **__: pytest.fail("nothing has to be run"))
    assert count_overflows(proven, np.zeros((2, *proven.coding.shape), np.uint8)) == (0,) * len(proven.layers)


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_an_overflow_on_lava_is_told() -> None:
    program = overflowing()
    levels = program.coding.levels(snnc.load_data("digits", split="test").take(2).images / 16)
    simulated = run_levels(program, levels, RunOptions(record=True))
    found = run_levels(program, levels, RunOptions(backend="lava", record=True))
    assert found.wraps == simulated.wraps and any(found.wraps or ())
    assert_equal_results(simulated, found)


def far_beyond(inputs: int, weight: int, timesteps: int) -> Program:
    """A readout whose bias is odd: so many inputs of 255 take it far beyond 24 bits in every step."""
    array = np.full((2, inputs), weight, np.int16)
    array[1] = -weight
    bias = np.array([1, -3], np.int32)
    readout = Layer("out", (), (2,), (Synapse(-1, "dense", array),), bias, None, 0, None, np.ones(2), Membrane((0, 0)))
    ones = np.ones(inputs)
    coding = InputCoding("graded", (inputs,), ones, 0 * ones, ones, 0 * ones)
    return Program("loihi2", timesteps, coding, (readout,), (), Provenance("", "", "", 0))


def as_lava_adds_up(drive: int, bias: int, timesteps: int) -> int:
    """u after so many steps, in weight units, by lava/proc/lif/models.py: 32 bits, then one wrap of 24."""
    u = 0
    for _ in range(timesteps):
        u = (u + 64 * (drive + bias) + 2**31) % 2**32 - 2**31
        if u > 2**23:
            u -= 2**24
        elif u <= -(2**23):
            u += 2**24
    return u // 64


# Of the second a step fits into float32, but what a single wrap leaves of several does not; of the third it passes the
# 32 bits in which Lava adds up.
EXTREMES = [(10, 254, 9), (250, 254, 33), (700, 254, 5)]


@pytest.mark.parametrize(("inputs", "weight", "timesteps"), EXTREMES)
@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("memory", [None, 1 << 14])
def test_what_leaves_24_bits_by_far_is_exact_too(
    inputs: int, weight: int, timesteps: int, native: bool, memory: int | None
) -> None:
    program = far_beyond(inputs, weight, timesteps)
    levels = np.full((2, inputs), 255, np.uint8)
    levels[1] = 254
    result = Simulator(program, native=native, memory=memory).run(levels)
    expected = [
        [as_lava_adds_up(sign * weight * inputs * level, bias, timesteps) for sign, bias in ((1, 1), (-1, -3))]
        for level in (255, 254)
    ]
    assert result.readout.tolist() == expected
    assert result.wraps is not None and result.wraps[0] > 0


@pytest.mark.lava
@pytest.mark.timeout(280)
@pytest.mark.parametrize(("inputs", "weight", "timesteps"), EXTREMES)
def test_lava_leaves_24_bits_as_the_simulator_does(inputs: int, weight: int, timesteps: int) -> None:
    program = far_beyond(inputs, weight, timesteps)
    levels = np.full((2, inputs), 255, np.uint8)
    levels[1] = 254
    simulated = Simulator(program).run(levels, record=True)
    for models in ("fast", "stock"):
        assert_equal_results(
            simulated, run_levels(program, levels, RunOptions(backend="lava", record=True, lava_models=models))
        )
