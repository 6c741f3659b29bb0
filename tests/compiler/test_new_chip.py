"""A chip whose limits are narrower than Intel's is compiled for: every number obeys what its target says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.command_line import Call
from support.digits import Folder
from support.residual import residual

import snnc
from snnc.common.errors import TargetError
from snnc.program import Scaled
from snnc.program.net import load
from snnc.program.targets import LOIHI2, Target, register, registry
from snnc.runtime.simulator import Simulator

CHIP = replace(
    LOIHI2,
    name="fake",
    weight_bits=7,
    weight_minimum=-128,
    weight_maximum=126,
    weight_magnitude_maximum=100,
    weight_exponent_maximum=4,
    threshold_bits=10,
    state_bits=20,
    maximum_delay=2,
    graded_bits=4,
)


@pytest.fixture(autouse=True)
def chip(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.setattr(registry, "_TARGETS", dict(registry._TARGETS))
    monkeypatch.setattr(registry, "_ALIASES", dict(registry._ALIASES))
    yield register(CHIP)


@pytest.mark.parametrize("lead", [0, 2])
def test_the_integers_of_a_file_obey_a_chips_limits(lead: int, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 16, (24, 2, 8, 8)).astype(np.float32)
    module = residual()
    # Beyond what the two synapses of a bias carry at the scale of the weights alone.
    module.one.bias.data += 20 * module.one.weight.abs().max()
    snnc.compile(module, images, target="fake", timesteps=6, lead=lead).save(tmp_path / "a.net")
    program = load(tmp_path / "a.net")
    assert (program.target, program.coding.kind) == ("fake", "rate")
    numbers: list[Scaled] = []
    for index, layer in enumerate(program.layers):
        for synapse in layer.synapses:
            assert synapse.weight.min() >= -128 and synapse.weight.max() <= 126
            assert not (synapse.weight % 2).any()
            assert 0 <= synapse.exponent <= 4
            assert program.delay(index, synapse) <= 2
        assert np.abs(layer.bias).max() <= CHIP.bias_maximum == 63 * 32
        numbers += [layer.threshold] if layer.threshold else []
        numbers += [layer.gate.pulse] if layer.gate else []
        assert layer.threshold is None or layer.firing_level - 1 <= 1023
    assert all(each.mantissa <= 100 and each.exponent <= 4 for each in numbers)
    # Its limits are made use of, too.
    assert max(np.abs(synapse.weight).max() for layer in program.layers for synapse in layer.synapses) > 64
    assert not any(Simulator(program).run(program.coding.levels(images)).wraps)


def test_the_same_network_is_as_good_as_its_weights_are_fine(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 16, (64, 2, 8, 8)).astype(np.float32)
    module = residual()
    program = snnc.compile(module, images, target="fake", timesteps=32)
    spikes = Simulator(program).run(program.coding.levels(images)).readout.reshape(len(images), -1)
    with torch.no_grad():
        logits = module(torch.from_numpy(images)).numpy()
    assert np.corrcoef(spikes.ravel(), logits.ravel())[0, 1] > 0.9


def test_sigma_delta_neurons_need_wider_numbers_than_it_has() -> None:
    with pytest.raises(TargetError, match=r"states of 24 and weights of 8, found 4, 20 and 7"):
        snnc.CompileOptions(target="fake", neuron="sdnn").check()


def test_the_command_takes_its_name(made: Folder, here: Path, works: Call) -> None:
    works("compile", made.model, "--calib", "digits", "--target", "fake", "-T", 4, "-o", "out.net")
    assert load(here / "out.net").target == "fake"


def test_a_name_that_no_chip_has_is_answered_with_those_that_there_are(made: Folder, refused: Call) -> None:
    line = refused("compile", made.model, "--calib", "digits", "--target", "truenorth", "-o", "out.net")
    assert "expected one of fake, loihi, loihi1, loihi2, found 'truenorth'" in line
