"""Lava fires every spike that the simulator fires, and no other."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from support.examples import share
from support.networks import Case, dense_cases, image_cases, pooled_cases
from support.runs import assert_equal_runs

import snnc
from snnc.common.errors import TargetError, UnsupportedError
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import compile_module
from snnc.program import Gate, Scaled
from snnc.runtime.lava.network import open_network
from snnc.runtime.simulator import Simulator

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.lava
@pytest.mark.timeout(600)
@settings(max_examples=share(5))
@given(
    st.one_of(image_cases(), pooled_cases(), dense_cases()),
    st.integers(1, 16),
    st.sampled_from(["loihi1", "loihi2"]),
    st.booleans(),
)
def test_random_networks(case: Case, timesteps: int, target: str, per_channel: bool) -> None:
    options = CompileOptions(target=target, timesteps=timesteps, per_channel=per_channel)
    try:
        program = compile_module(case.module, case.levels / 255, options, unit=1 / 255).program
    except (UnsupportedError, TargetError):
        reject()  # no ReLU, or weights that all round to zero: other tests look at what is refused
    assert_equal_runs(program, program.coding.levels(case.levels[:4] / 255))


@pytest.mark.lava
@pytest.mark.timeout(280)
def test_lenet_on_mnist_images() -> None:
    data = np.load(DATA / "mnist.npz")
    program = snnc.compile(DATA / "lenet.pt", data["x_train"], timesteps=8)
    levels = program.coding.levels(data["x_test"] / 255)
    assert len(levels) == 20
    assert assert_equal_runs(program, levels) > 10_000
    predictions = Simulator(program).run(levels).predictions
    assert (predictions == data["y_test"]).mean() >= 0.95


@pytest.mark.lava
@pytest.mark.timeout(280)
def test_biases_and_thresholds_of_every_size() -> None:
    rng = np.random.default_rng(5)
    program = snnc.compile(DATA / "lenet.pt", np.load(DATA / "mnist.npz")["x_train"], timesteps=3)
    # A dense layer of its own, whose biases need both synapses that carry them, one of them, or none.
    layers = list(program.layers[-3:])
    features = layers[0].synapses[0].weight.shape[1]
    bias = np.resize([-9000, -257, -256, -129, -128, -1, 0, 1, 127, 128, 255, 256, 257, 9001], layers[0].neurons)
    # Strong enough for the largest of these biases, which the calibration data never saw.
    gate = Gate(Scaled(255, 7), 2)
    synapse = replace(layers[0].synapses[0], source=-1)
    layers[0] = replace(layers[0], bias=bias.astype(np.int32), synapses=(synapse,), gate=gate)
    layers[1] = replace(layers[1], synapses=(replace(layers[1].synapses[0], source=0),))
    layers[2] = replace(layers[2], synapses=(replace(layers[2].synapses[0], source=1),))
    coding = replace(
        program.coding,
        shape=(features,),
        **{name: np.resize(getattr(program.coding, name), features) for name in ("unit", "offset", "scale", "shift")},
    )
    small = replace(program, layers=tuple(layers), coding=coding)
    assert_equal_runs(small, rng.integers(0, 2, (3, features)).astype(np.uint8))


@pytest.mark.lava
@pytest.mark.timeout(120)
@pytest.mark.parametrize("weights", [(-256, -4), (-8, -6), (254, 6), (-2, 0)])
def test_dense_weights_of_one_sign_stay_what_they_are(weights: tuple[int, int]) -> None:
    program = snnc.load(DATA / "portable.net")
    readout = program.readout
    weight = np.resize(np.array(weights, np.int16), readout.synapses[0].weight.shape)
    readout = replace(readout, synapses=(replace(readout.synapses[0], weight=weight),))
    levels = program.coding.levels(snnc.load_data("digits", split="test").take(2).images / 16)
    assert_equal_runs(replace(program, layers=(*program.layers[:-1], readout)), levels)


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_no_process_is_left_when_something_fails() -> None:
    before = {child.pid for child in multiprocessing.active_children()}
    program = snnc.compile(DATA / "lenet.pt", np.load(DATA / "mnist.npz")["x_train"], timesteps=1)
    levels = program.coding.levels(np.load(DATA / "mnist.npz")["x_test"][:1] / 255)
    with pytest.raises(ZeroDivisionError), open_network(program, levels, "stock") as network:
        network.run(1)
        assert {child.pid for child in multiprocessing.active_children()} > before
        raise ZeroDivisionError
    assert {child.pid for child in multiprocessing.active_children()} == before
