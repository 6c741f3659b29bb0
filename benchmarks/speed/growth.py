"""How the simulator's time grows: with T, batch, samples and network size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from measure import side_by_side, timed
from networks import Network

from snnc.runtime.simulator import Simulator

STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
SAMPLES = (16, 32, 64, 128, 256)
NETWORKS = ("digits_cnn", "cifarnet", "resnet20", "resnet18", "vgg16")


@dataclass(frozen=True)
class Growth:
    """A curve.

    Attributes:
        name: What grows.
        axis: Its label.
        unit: What the seconds are for.
        points: (what grows, seconds).
        ideal: Whether time in proportion to it would be a straight line through the first point.
    """

    name: str
    axis: str
    unit: str
    points: tuple[tuple[float, float], ...]
    ideal: bool = True

    @property
    def form(self) -> dict[str, object]:
        """As JSON."""
        return {"axis": self.axis, "unit": self.unit, "points": [list(each) for each in self.points]}


def _curve(runs: dict[float, Callable[[], object]], repeats: int) -> tuple[tuple[float, float], ...]:
    contestants = {str(value): timed(run) for value, run in runs.items()}
    first = next(iter(contestants))
    timings = side_by_side(contestants, first, repeats)
    return tuple((value, timings[str(value)].seconds) for value in runs)


def with_steps(network: Network, samples: int, steps: tuple[int, ...], repeats: int) -> Growth:
    """Seconds for a sample by T."""
    runs = {}
    for timesteps in steps:
        program = network.program(timesteps)
        simulator, levels = Simulator(program), program.coding.levels(network.batch(samples))
        runs[float(timesteps)] = lambda simulator=simulator, levels=levels: simulator.run(levels)
    points = tuple((value, seconds / samples) for value, seconds in _curve(runs, repeats))
    return Growth("steps", f"T ({network.name})", "s for a sample", points)


def with_batch(network: Network, timesteps: int, samples: int, batches: tuple[int, ...], repeats: int) -> Growth:
    """Seconds for a sample by the number of samples computed at once."""
    program = network.program(timesteps)
    simulator, levels = Simulator(program, memory=1 << 32), program.coding.levels(network.batch(samples))
    runs = {float(size): lambda size=size: simulator.run(levels, batch_size=size) for size in batches}
    points = tuple((value, seconds / samples) for value, seconds in _curve(runs, repeats))
    return Growth("batch", f"samples at once ({network.name}, T = {timesteps})", "s for a sample", points, ideal=False)


def with_samples(network: Network, timesteps: int, counts: tuple[int, ...], repeats: int) -> Growth:
    """Seconds of a run by the number of its samples."""
    program = network.program(timesteps)
    simulator, levels = Simulator(program), program.coding.levels(network.batch(max(counts)))
    runs = {float(count): lambda count=count: simulator.run(levels[:count]) for count in counts}
    return Growth("samples", f"samples ({network.name}, T = {timesteps})", "s", _curve(runs, repeats))


def with_size(names: tuple[str, ...], timesteps: int, samples: int, repeats: int) -> Growth:
    """Seconds for a sample by the multiply-accumulates of the ANN, one point for each network."""
    runs = {}
    for name in names:
        program = (network := Network.of(name)).program(timesteps)
        simulator, levels = Simulator(program), program.coding.levels(network.batch(samples))
        size = float(sum(layer.macs for layer in program.ann))
        runs[size] = lambda simulator=simulator, levels=levels: simulator.run(levels)
    points = tuple((value, seconds / samples) for value, seconds in sorted(_curve(runs, repeats)))
    axis = f"multiply-accumulates of the ANN ({', '.join(names)}; T = {timesteps})"
    return Growth("size", axis, "s for a sample", points)
