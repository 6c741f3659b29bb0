"""The threshold of least conversion error of all, for any T, by branch and bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.common.arrays import FloatArray
from snnc.compiler.conversion.methods import threshold_method
from snnc.compiler.conversion.solver.distribution import Distribution, IndexArray, Solution
from snnc.compiler.conversion.solver.error import conversion_error, spike_sums

# Intervals to begin with, how many parts one that may hold the optimum is cut into, and how many breakpoints may be
# left in one for them to be tried one by one.
INTERVALS, PARTS, FEW = 256, 4, 32
# Relative to the sum of the activations: what prefix sums in float64 cannot tell apart anyway.
ROUNDING = 1e-14
BLOCK = 1 << 16


@threshold_method("optimal", order=20, minimises=True)
def optimal(distribution: Distribution, timesteps: int, objective: int = 1) -> Solution:
    """Return the global minimiser of the conversion error over all Vth, with v0 = Vth / 2.

    Between two breakpoints the error is concave (m = 1, breakpoints T a / k) or one parabola (m = 2, breakpoints
    T a / (k - 1/2)), so that its minimum is at a breakpoint or at the parabola's vertex. An interval is dropped as
    soon as the error at its ends, less the most it can sag in between, is no better than what was found elsewhere.
    Proofs in docs/solver.md.

    Args:
        distribution: The activations.
        timesteps: T >= 1.
        objective: m, 1 or 2.
    """
    search = _Search(distribution.merged(), timesteps, objective)
    search.run()
    return Solution(search.threshold, search.threshold / 2, search.error)


@dataclass
class _Search:
    distribution: Distribution
    timesteps: int
    objective: int
    threshold: float = 0.0
    error: float = np.inf

    def run(self) -> None:
        low, high = float(self.distribution.values[0]), self.distribution.maximum * self.timesteps
        # All in proportion to the activations, so that scaling them by a power of two scales the answer exactly.
        points = self.distribution.maximum * np.geomspace(1 / INTERVALS, self.timesteps, INTERVALS + 1)
        points = np.concatenate(([low], points[(points > low) & (points < high)], [high]))
        errors = self.judge(points)
        lefts, rights, at_left, at_right = points[:-1], points[1:], errors[:-1], errors[1:]
        few = max(FEW, 2 * self.timesteps)
        slack = ROUNDING * float((self.distribution.sums if self.objective == 1 else self.distribution.squares)[-1])
        while len(lefts):
            inside, sag = self.between(lefts, rights)
            bound = np.minimum(at_left, at_right) - sag
            # Where many breakpoints coincide, no cut parts them.
            last = (inside <= few) | (rights - lefts <= 8 * np.spacing(rights))
            tried = last & (bound < self.error - slack)
            self.exhaust(lefts[tried], rights[tried])
            kept = ~last & (bound < self.error - slack)
            lefts, rights, at_left, at_right = self.cut(lefts[kept], rights[kept], at_left[kept], at_right[kept])

    def judge(self, thresholds: FloatArray) -> FloatArray:
        """Return the errors, (candidates,); the best so far is kept."""
        errors = conversion_error(self.distribution, thresholds, self.timesteps, objective=self.objective)
        if len(errors):
            best = int(np.argmin(errors))
            if errors[best] < self.error:
                self.threshold, self.error = float(thresholds[best]), float(errors[best])
        return errors

    def offsets(self) -> FloatArray:
        """Return k - offset, (T,): breakpoints are T a / (k - offset), k = 1..T."""
        return np.arange(1, self.timesteps + 1) - (0.0 if self.objective == 1 else 0.5)

    def spans(self, lefts: FloatArray, rights: FloatArray) -> tuple[IndexArray, IndexArray]:
        """Return groups first..last-1 whose breakpoint for k lies in an interval; both ends (intervals, T)."""
        scale = self.offsets() / self.timesteps
        first = np.asarray(np.searchsorted(self.distribution.values, scale * lefts[:, None], "right"))
        last = np.asarray(np.searchsorted(self.distribution.values, scale * rights[:, None], "left"))
        return first, np.maximum(first, last)

    def between(self, lefts: FloatArray, rights: FloatArray) -> tuple[IndexArray, FloatArray]:
        """Count breakpoints inside each interval, and bound the error's sag there below the lower of its ends."""
        inside = np.empty(len(lefts), dtype=np.intp)
        sag = np.empty(len(lefts))
        block = max(1, BLOCK // self.timesteps)
        for begin in range(0, len(lefts), block):
            part = slice(begin, begin + block)
            left, right = lefts[part], rights[part]
            first, last = self.spans(left, right)
            inside[part] = (last - first).sum(1)
            width = right - left
            if self.objective == 1:
                number = self.distribution.number(last) - self.distribution.number(first)
                # Each breakpoint inside bends the slope upwards by 2 k / T.
                bend = 2 / self.timesteps * (number * self.offsets()).sum(1)
                sag[part] = bend * width / 4
            else:
                _, square = spike_sums(self.distribution, left, self.timesteps)
                sag[part] = 2 / self.timesteps**2 * square * width**2 / 8
        return inside, sag

    def cut(
        self, lefts: FloatArray, rights: FloatArray, at_left: FloatArray, at_right: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return each interval in parts of one width."""
        steps = np.arange(1, PARTS) / PARTS
        points = lefts[:, None] + (rights - lefts)[:, None] * steps
        errors = self.judge(points.ravel()).reshape(points.shape)
        every = np.column_stack((lefts, points, rights))
        at_every = np.column_stack((at_left, errors, at_right))
        return every[:, :-1].ravel(), every[:, 1:].ravel(), at_every[:, :-1].ravel(), at_every[:, 1:].ravel()

    def exhaust(self, lefts: FloatArray, rights: FloatArray) -> None:
        """Try every breakpoint inside the intervals, or for m = 2 the vertex of every parabola."""
        first, last = self.spans(lefts, rights)
        sizes = last - first
        total = int(sizes.sum())
        starts = np.cumsum(sizes.ravel()) - sizes.ravel()
        groups = np.repeat(first.ravel() - starts, sizes.ravel()) + np.arange(total)
        spikes = np.repeat(np.tile(self.offsets(), len(lefts)), sizes.ravel())
        breakpoints = self.distribution.values[groups] * (self.timesteps / spikes)
        if self.objective == 1:
            self.judge(np.unique(breakpoints))
            return
        points = np.unique(np.concatenate((lefts, breakpoints, rights)))
        middles = (points[:-1] + points[1:]) / 2
        product, square = spike_sums(self.distribution, middles, self.timesteps)
        fires = square > 0
        self.judge(self.timesteps * product[fires] / square[fires])
