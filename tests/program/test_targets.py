"""The targets: names, errors, and figures that follow from one another or from Lava's own code."""

from __future__ import annotations

import dataclasses
import inspect

import numpy as np
import pytest

from snnc.common.errors import TargetError
from snnc.program.targets import LOIHI1, LOIHI2, Target, get_target, target_names

both = pytest.mark.parametrize("target", [LOIHI1, LOIHI2], ids=lambda target: target.name)


def test_targets_are_found_by_name_and_alias():
    assert get_target("loihi1") is LOIHI1
    assert get_target("loihi2") is LOIHI2
    assert get_target("loihi") is LOIHI2
    assert get_target("loihi").name == "loihi2"
    assert target_names() == ("loihi", "loihi1", "loihi2")


@pytest.mark.parametrize("name", ["truenorth", "", "LOIHI", "loihi 2"])
def test_unknown_target_lists_the_names(name):
    with pytest.raises(TargetError) as caught:
        get_target(name)
    message = str(caught.value)
    assert repr(name) in message
    assert all(known in message for known in target_names())


def test_a_target_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        LOIHI2.maximum_delay = 63  # type: ignore[misc]


@both
def test_weights_are_the_even_numbers_that_eight_bits_can_count(target):
    weights = range(target.weight_minimum, target.weight_maximum + 1, target.weight_step)
    assert weights[0] == -256 and weights[-1] == 254
    assert len(weights) == 2**target.weight_bits
    assert 0 in weights


@both
def test_membrane_limit_is_where_the_state_register_wraps(target):
    largest = 2 ** (target.state_bits - 1) - 1
    assert (target.membrane_limit - 1) << target.synaptic_input_shift <= largest
    assert target.membrane_limit << target.synaptic_input_shift > largest
    assert target.membrane_limit == 131072


@both
def test_every_threshold_fits_below_the_membrane_limit(target):
    assert target.threshold_maximum == 131071
    assert target.threshold_maximum < target.membrane_limit


@both
def test_bias_ranges(target):
    assert target.bias_mantissas == (-4096, 4095)
    # Twice a rest of -128..127 and twice a coarse part of -127..127 are even weights of -256..254.
    assert (target.bias_step, target.bias_maximum) == (256, 127 * 256)


@both
def test_largest_single_weight_fits_the_input_register(target):
    largest = target.weight_magnitude_maximum * 2**target.weight_exponent_maximum
    if target.input_limit is not None:
        assert largest < target.input_limit
    assert largest < target.membrane_limit


def test_published_sizes():
    assert LOIHI1.input_limit == 2**15
    assert LOIHI2.input_limit is None
    assert LOIHI1.neurons_per_core * LOIHI1.cores_per_chip == 131072
    # Davies et al. 2018 p. 95: 16 MB of synaptic memory on the chip.
    assert LOIHI1.memory_per_core * LOIHI1.cores_per_chip == 16 * 2**20
    assert (LOIHI1.input_axons_per_core, LOIHI1.output_axons_per_core) == (4096, 4096)
    # Intel's brief rounds to "up to 1 million neurons".
    assert LOIHI2.neurons_per_core * LOIHI2.cores_per_chip == 2**20
    assert LOIHI2.memory_per_core == 196608


def test_only_loihi2_takes_graded_input():
    assert (LOIHI1.graded_bits, LOIHI1.carries(1)) == (0, False)
    assert (LOIHI2.graded_bits, LOIHI2.carries(2**32 - 1), LOIHI2.carries(2**32)) == (32, True, False)


@both
def test_every_field_is_documented(target):
    # Python 3.13 takes the indentation off a docstring, older ones keep it.
    documentation = inspect.getdoc(Target) or ""
    missing = [field.name for field in dataclasses.fields(target) if f"    {field.name}: " not in documentation]
    assert missing == []


@pytest.mark.lava
@both
def test_weight_range_is_what_lava_keeps(target):
    utilities = pytest.importorskip("lava.utils.weightutils")

    def stored(weights, mode):
        mode = utilities.SignMode[mode]
        clipped = utilities.clip_weights(np.array([weights]), mode, target.weight_bits)
        return utilities.truncate_weights(clipped, mode, target.weight_bits)[0].tolist()

    mixed = range(target.weight_minimum, target.weight_maximum + 1, target.weight_step)
    assert stored(list(mixed), "MIXED") == list(mixed)
    assert stored([-258, 256, 255, 3], "MIXED") == [-256, 254, 254, 2]
    single = range(-target.weight_magnitude_maximum, 1)
    assert stored(list(single), "INHIBITORY") == list(single)
    assert stored([-256, -300], "INHIBITORY") == [-255, -255]
