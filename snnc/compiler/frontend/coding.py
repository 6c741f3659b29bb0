"""Choosing how data become 8-bit levels."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray
from snnc.common.errors import DataError, OptionError
from snnc.program import InputCoding
from snnc.program.coding import LEVELS

# Values nearer to a grid point than this share of a step count as being on it: float32 data divided by 255 and
# normalised are off by about 1e-5 steps.
GRID_TOLERANCE = 1e-2
GRID_SAMPLE = 200_000


def choose_coding(
    raw: NDArray[np.generic],
    kind: Literal["graded", "rate"],
    *,
    unit: float | None = None,
    mean: tuple[float, ...] = (0.0,),
    std: tuple[float, ...] = (1.0,),
) -> InputCoding:
    """Return the coding for data like these.

    Integers keep their own levels. Real numbers that lie on a grid of at most 256 points (images divided by 255 and
    normalised) get that grid, so nothing is lost; any others get 256 levels over their range.

    Args:
        raw: Calibration data, (samples, channels, height, width) or (samples, features).
        kind: ``graded`` or ``rate``.
        unit: Value of one step where the data are known to be multiples of it, from 0 on.
        mean: Subtracted from the raw values before the ANN saw them, one number or one for each channel.
        std: Divided by after that, > 0.

    Raises:
        DataError: There are no samples, their axes are others than these, or the values are not finite numbers or
            all equal.
        OptionError: mean or std do not fit the channels or are not finite, or std is not positive.
    """
    _check_data(raw)
    channels = raw.shape[1]
    means, deviations = _per_channel(mean, channels, "mean"), _per_channel(std, channels, "std")
    if not (np.isfinite(means).all() and np.isfinite(deviations).all()):
        name, values = ("std", std) if np.isfinite(means).all() else ("mean", mean)
        raise OptionError("is not a finite number", where=name, found=str(values))
    if not (deviations > 0).all():
        raise OptionError("the standard deviation must be positive", where="std", found=str(min(std)))
    if raw.min() == raw.max():
        raise DataError("all values of the calibration data are equal", found=str(raw.flat[0]))
    if unit is not None:
        units, offsets = np.full(channels, unit), np.zeros(channels)
    elif raw.ndim == 2:
        # Features are coded alike: they need not be comparable one by one, but a constant one must be coded too.
        one_unit, one_offset = _grid(raw)
        units, offsets = np.full(channels, one_unit), np.full(channels, one_offset)
    else:
        grids = [_grid(raw[:, channel]) for channel in range(channels)]
        units, offsets = np.array([grid[0] for grid in grids]), np.array([grid[1] for grid in grids])
    coding = InputCoding(
        kind=kind,
        shape=tuple(raw.shape[1:]),
        unit=units,
        offset=offsets,
        scale=units / deviations,
        shift=(offsets - means) / deviations,
    )
    # Digits have levels up to 16, not 255: binary spikes that stood for 255 of them would hardly ever come.
    return replace(coding, highest=max(1, int(coding.levels(raw).max())))


def _check_data(raw: NDArray[np.generic]) -> None:
    if raw.dtype.kind not in "biuf":
        raise DataError("the calibration data are not numbers", found=f"type {raw.dtype}")
    if raw.ndim not in (2, 4) or not raw.size:
        raise DataError(
            "the calibration data have the wrong shape",
            expected="(samples, channels, height, width) or (samples, features), none of them 0",
            found=str(raw.shape),
        )
    if not np.isfinite(raw).all():
        raise DataError("the calibration data hold NaN or infinite values", expected="finite numbers")


def _per_channel(values: tuple[float, ...], channels: int, name: str) -> FloatArray:
    if len(values) not in (1, channels):
        raise OptionError(
            "does not fit the channels of the data",
            where=name,
            expected="one number" if channels == 1 else f"1 or {channels} numbers",
            found=f"{len(values)}",
        )
    return np.broadcast_to(np.asarray(values, np.float64), (channels,)).copy()


def _grid(raw: NDArray[np.generic]) -> tuple[float, float]:
    """Return the step and origin of the levels for one channel."""
    low, high = float(raw.min()), float(raw.max())
    if low == high:
        return (abs(high) / (LEVELS - 1) or 1.0), 0.0 if high > 0 else high
    # From 0 on where no value is negative: padding with zeros is then padding with level 0.
    origins = [0.0, low] if low >= 0 else [low]
    values = np.unique(raw.ravel()[:GRID_SAMPLE].astype(np.float64))
    for origin in origins:
        steps = np.diff(np.union1d(values, [origin]))
        if not len(steps):
            continue
        # Rounding errors of float32 make equal steps differ, and can split one value into two near ones.
        coarse = steps[steps > (high - origin) / (LEVELS * 4)]
        if not len(coarse):
            continue
        count = round((high - origin) / float(coarse.min()))
        if not 1 <= count < LEVELS:
            continue
        # The mean step is known far better than a single one.
        step = (high - origin) / count
        positions = (values - origin) / step
        # In steps of 256 levels: a coarser grid must not swallow what those would tell apart.
        deviation = np.abs(positions - np.rint(positions)).max() * (LEVELS - 1) / count
        if deviation < GRID_TOLERANCE:
            return step, origin
    origin = origins[0]
    return (high - origin) / (LEVELS - 1), origin
