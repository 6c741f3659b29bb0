"""Data to levels: lossless where data lie on a grid, off by at most half a step elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from snnc.common.errors import DataError, OptionError
from snnc.compiler.frontend import choose_coding
from snnc.program import InputCoding

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pixels(shape: tuple[int, ...], seed: int = 0, high: int = 255) -> np.ndarray:
    data = np.random.default_rng(seed).integers(0, high + 1, shape)
    # Black and white are in every set of images.
    data[0] = 0
    data[0].flat[-1] = high
    data[-1] = high
    return data


def check_lossless(coding: InputCoding, raw: np.ndarray, seen: np.ndarray, tolerance: float = 1e-5) -> None:
    levels = coding.levels(raw)
    assert levels.dtype == np.uint8 and levels.shape == raw.shape
    assert np.abs(coding.ann_input(levels) - seen).max() <= tolerance * max(1.0, np.abs(seen).max())


@given(st.integers(0, 1000), st.sampled_from([np.uint8, np.int16, np.int64, np.float32, np.float64]))
def test_whole_numbers_keep_their_levels(seed: int, dtype: type) -> None:
    raw = pixels((4, 2, 6, 6), seed).astype(dtype)
    coding = choose_coding(raw, "graded")
    assert np.array_equal(coding.levels(raw), raw)
    check_lossless(coding, raw, raw)


@given(st.integers(0, 1000), st.sampled_from([np.float32, np.float64]))
def test_images_divided_by_255_are_recovered(seed: int, dtype: type) -> None:
    whole = pixels((4, 3, 6, 6), seed)
    raw = (whole / 255).astype(dtype)
    coding = choose_coding(raw, "graded")
    assert np.array_equal(coding.levels(raw), whole)
    check_lossless(coding, raw, raw)


@given(st.integers(0, 1000), st.integers(0, 8))
def test_normalised_images_are_recovered_in_each_channel(seed: int, black: int) -> None:
    whole = np.maximum(pixels((4, 3, 12, 12), seed), np.array([0, black, 2 * black]).reshape(1, 3, 1, 1))
    mean, std = (np.array(each, np.float32).reshape(3, 1, 1) for each in IMAGENET)
    raw = (whole.astype(np.float32) / np.float32(255) - mean) / std
    coding = choose_coding(raw, "graded")
    levels = coding.levels(raw)
    assert np.array_equal(levels + np.array([0, black, 2 * black]).reshape(1, 3, 1, 1), whole)
    check_lossless(coding, raw, raw)


def test_normalised_mnist_is_recovered() -> None:
    whole = pixels((20, 1, 28, 28))
    raw = (whole.astype(np.float32) / np.float32(255) - np.float32(0.1307)) / np.float32(0.3081)
    coding = choose_coding(raw, "graded")
    assert np.array_equal(coding.levels(raw), whole)
    assert coding.unit[0] == pytest.approx(1 / 255 / 0.3081, rel=1e-6)


@pytest.mark.parametrize("scale", [1, 16, 1000])
def test_digits_keep_their_seventeen_levels(scale: int) -> None:
    whole = pixels((30, 1, 8, 8), high=16)
    raw = (whole / scale).astype(np.float32)
    coding = choose_coding(raw, "graded")
    assert np.array_equal(coding.levels(raw), whole)
    check_lossless(coding, raw, raw)


@given(st.integers(0, 1000))
def test_mean_and_std_are_what_the_network_saw(seed: int) -> None:
    raw = pixels((4, 3, 6, 6), seed).astype(np.uint8)
    mean, std = (np.array(each) * 255 for each in IMAGENET)
    coding = choose_coding(raw, "graded", mean=tuple(mean), std=tuple(std))
    check_lossless(coding, raw, (raw - mean.reshape(3, 1, 1)) / std.reshape(3, 1, 1))
    one = choose_coding(raw, "graded", mean=(mean[0],), std=(std[0],))
    check_lossless(one, raw, (raw - mean[0]) / std[0])


@given(st.integers(0, 1000), st.booleans(), st.floats(1e-3, 1e3), st.floats(-100, 100))
@example(0, False, 0.001, 1.0)  # was taken for a grid of one step
def test_any_other_number_is_off_by_half_a_step_at_most(seed: int, images: bool, scale: float, offset: float) -> None:
    shape = (5, 3, 4, 4) if images else (20, 4)
    raw = np.random.default_rng(seed).normal(size=shape) * scale + offset
    coding = choose_coding(raw, "graded")
    spread = (1, -1) + (1,) * (raw.ndim - 2)
    step = coding.unit.reshape(spread)
    found = coding.levels(raw) * step + coding.offset.reshape(spread)
    assert (np.abs(found - raw) <= step / 2 * (1 + 1e-9) + 1e-12 * np.abs(raw)).all()
    per = (0, 2, 3) if images else None
    ranges = raw.max(axis=per) - np.minimum(raw.min(axis=per), np.where(raw.min(axis=per) > 0, 0, np.inf))
    assert (coding.unit <= ranges / 255 * (1 + 1e-9)).all()


@given(st.integers(0, 1000), st.sampled_from(["graded", "rate"]))
def test_data_without_negative_values_keep_zero_as_level_zero(seed: int, kind: str) -> None:
    raw = np.random.default_rng(seed).random((3, 2, 4, 4)) + 0.5
    coding = choose_coding(raw, kind)
    assert (coding.offset == 0).all()
    assert coding.kind == kind


@pytest.mark.parametrize("constant", [-3.5, 0.0, 2.5])
def test_a_constant_channel_is_coded_exactly(constant: float) -> None:
    raw = np.random.default_rng(0).random((3, 2, 4, 4))
    raw[:, 1] = constant
    coding = choose_coding(raw, "graded")
    assert (coding.unit > 0).all()
    assert np.allclose(coding.ann_input(coding.levels(raw))[:, 1], constant)


def test_a_constant_feature_is_coded_like_the_others() -> None:
    raw = pixels((10, 5)).astype(np.float32)
    raw[:, 2] = 7
    check_lossless(choose_coding(raw, "graded"), raw, raw)


def test_a_unit_that_is_known_is_taken() -> None:
    raw = pixels((3, 1, 4, 4))[:1].astype(np.uint8) // 2 * 2
    coding = choose_coding(raw, "graded", unit=1.0)
    assert coding.unit.tolist() == [1.0] and coding.offset.tolist() == [0.0]
    assert np.array_equal(coding.levels(raw), raw)


def test_values_outside_the_calibrated_range_are_clipped() -> None:
    coding = choose_coding(np.linspace(-1, 1, 64).reshape(16, 1, 2, 2), "graded")
    outside = np.array([-9.0, 9.0, -np.inf, np.inf]).reshape(1, 1, 2, 2)
    assert coding.highest == 63
    assert coding.levels(outside).ravel().tolist() == [0, 63, 0, 63]


@pytest.mark.parametrize("timesteps", [1, 4, 16])
def test_the_highest_level_fires_in_every_step_where_spikes_are_binary(timesteps: int) -> None:
    whole = pixels((30, 1, 8, 8), high=16)
    coding = choose_coding(whole / 16, "rate", unit=1 / 16)
    assert (coding.highest, coding.largest) == (16, 1)
    counts = coding.spikes(coding.levels(whole / 16), timesteps).sum(1, dtype=int)
    assert (counts[whole == 16] == timesteps).all() and (counts[whole == 0] == 0).all()


@pytest.mark.filterwarnings("error")
def test_nan_is_refused() -> None:
    coding = choose_coding(np.linspace(-1, 1, 64).reshape(16, 1, 2, 2), "graded")
    with pytest.raises(DataError, match="NaN"):
        coding.levels(np.full((1, 1, 2, 2), np.nan))


def test_data_of_another_shape_are_refused() -> None:
    coding = choose_coding(pixels((3, 1, 4, 4)), "graded")
    for shape in ((1, 1, 4, 5), (1, 4, 4), (1, 16), (1, 2, 4, 4), (4,)):
        with pytest.raises(DataError, match=r"samples of shape \(1, 4, 4\)"):
            coding.levels(np.zeros(shape))


def test_data_without_information_are_refused() -> None:
    with pytest.raises(DataError, match=r"all values.*equal.*found 3"):
        choose_coding(np.full((3, 1, 2, 2), 3), "graded")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean": (1.0, 2.0)}, "mean: .*1 or 3 numbers"),
        ({"std": (1.0, 2.0, 3.0, 4.0)}, "std: .*1 or 3 numbers"),
        ({"mean": ()}, "mean"),
        ({"std": (0.0,)}, "std: .*positive"),
        ({"std": (1.0, -1.0, 1.0)}, "std: .*positive.*-1"),
        ({"std": (float("nan"),)}, "std"),
        ({"std": (float("inf"),)}, "std"),
        ({"mean": (float("nan"),)}, "mean"),
        ({"mean": (float("inf"),)}, "mean"),
    ],
)
def test_normalisation_that_does_not_fit_is_refused(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        choose_coding(pixels((3, 3, 2, 2)), "graded", **options)


def coding_of(kind: str, shape: tuple[int, ...] = (1, 16, 16)) -> InputCoding:
    ones = np.ones(shape[0])
    return InputCoding(kind, shape, ones, 0 * ones, ones, 0 * ones)


@pytest.mark.parametrize("timesteps", [1, 2, 3, 7, 8, 16, 255, 1024])
def test_rate_spikes_are_as_many_as_the_rounded_level_and_evenly_spread(timesteps: int) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    spikes = coding_of("rate").spikes(levels, timesteps)
    assert spikes.shape == (1, timesteps, 1, 16, 16) and spikes.dtype == np.uint8
    assert set(np.unique(spikes)) <= {0, 1}
    whole = levels.ravel().astype(int)
    # Rounded half up: 255 is odd, so q T / 255 is never exactly between two numbers.
    assert spikes.sum(1).ravel().tolist() == [(2 * q * timesteps + 255) // 510 for q in whole.tolist()]
    # Evenly: by step t there have been q t / 255 of them, rounded, for every t.
    so_far = spikes.cumsum(1, dtype=int)[0].reshape(timesteps, -1)
    steps = np.arange(1, timesteps + 1)[:, None]
    assert (np.abs(so_far - whole * steps / 255) <= 0.5).all()


@pytest.mark.parametrize("timesteps", [1, 3, 8, 300])
@pytest.mark.parametrize("divisor", [2, 8, 100, 256])
def test_graded_payloads_add_up_to_the_level_in_units_of_the_divisor(timesteps: int, divisor: int) -> None:
    coding = replace(coding_of("graded"), divisor=divisor)
    levels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    spikes = coding.spikes(levels, timesteps)
    assert spikes.shape == (1, timesteps, 1, 16, 16) and spikes.max() <= coding.largest == -(-255 // divisor)
    sums = spikes.cumsum(1, dtype=int)[0].reshape(timesteps, -1) * divisor
    exact = levels.ravel().astype(int) * np.arange(1, timesteps + 1)[:, None]
    assert (np.abs(sums - exact) < divisor).all()
    if timesteps % divisor == 0:
        assert np.array_equal(sums[-1], exact[-1])


def test_neighbours_round_at_different_steps() -> None:
    """A grey image arrives evenly in every step, summed over any window of 3 x 3."""
    coding = replace(coding_of("graded"), divisor=8)
    for level in (3, 100, 255):
        spikes = coding.spikes(np.full((1, 1, 16, 16), level, np.uint8), 8)[0, :, 0]
        windows = np.lib.stride_tricks.sliding_window_view(spikes, (3, 3), axis=(1, 2)).sum((-1, -2), dtype=int)
        # In step, nine neighbours would be off by up to 9 / 2.
        assert np.abs(windows - 9 * level / 8).max() <= 2.25


@pytest.mark.parametrize(
    ("timesteps", "divisors"),
    [
        (1, [1]),
        (3, [1, 2]),
        (16, [1, 2, 4, 8, 16]),
        (255, [1, 2, 4, 8, 16, 32, 64, 128]),
        (1024, [2**n for n in range(9)]),
    ],
)
def test_no_divisor_loses_a_level(timesteps: int, divisors: list[int]) -> None:
    assert list(InputCoding.divisors(timesteps)) == divisors
    levels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    for divisor in divisors:
        coding = replace(coding_of("graded"), divisor=divisor)
        assert len(np.unique(coding.spikes(levels, timesteps).sum(1, dtype=int))) == 256


def test_graded_spikes_are_the_level_at_every_step() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    spikes = coding_of("graded").spikes(levels, 5)
    assert spikes.shape == (1, 5, 1, 16, 16)
    assert all(np.array_equal(spikes[:, step], levels) for step in range(5))


@given(st.integers(1, 5), st.integers(0, 100))
def test_ann_input_is_scale_times_level_plus_shift_of_each_channel(channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale, shift = rng.normal(size=(2, channels))
    for shape in ((channels, 2, 3), (channels,)):
        coding = InputCoding("graded", shape, np.ones(channels), np.zeros(channels), scale, shift)
        levels = rng.integers(0, 256, (4, *shape)).astype(np.uint8)
        found = coding.ann_input(levels)
        assert found.dtype == np.float32
        for channel in range(channels):
            assert np.allclose(found[:, channel], levels[:, channel] * scale[channel] + shift[channel], rtol=1e-6)
