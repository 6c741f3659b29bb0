"""How fast lava-dl's own test networks run, on the simulator and on Lava: the figures of docs/netx.md.

    OMP_NUM_THREADS=1 python benchmarks/netx_speed.py            # needs Lava; some minutes
    OMP_NUM_THREADS=1 python benchmarks/netx_speed.py --repeats 1 --steps 4

Each network runs on random input that drives it about as its own data do: on the simulator, on Lava with our process
models in one process, and on Lava with its own. Starting the network is not counted: Lava's seconds are those of the
steps behind the first. All three have to give the same spikes. Figures are medians of the repeats.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from snnc.program.netx import NetxNetwork, load_netx
from snnc.runtime.lava.netx import NetxLavaNetwork
from snnc.runtime.lava.running_network import stopped_at_the_end
from snnc.runtime.netx import NetxSchedule, NetxSimulator
from snnc.runtime.netx.schedule import checked_values

NETWORKS = {
    "tinynet": ("tiny.net", 16),
    "mnist": ("mnist.net", 16),
    "pilotnet_lif": ("gts/pilotnet_lif/network.net", 16),
    "ntidigits": ("gts/ntidigits/ntidigits.net", 300),
}
# Samples that the simulator computes together, for the figure of many.
TOGETHER = 64


def folder() -> Path:
    """Where lava-dl's wheel puts its test networks."""
    found = importlib.util.find_spec("lava.lib.dl.netx")
    if found is None or found.origin is None:
        raise SystemExit("this needs lava-dl")
    return Path(found.origin).parents[4] / "tests" / "lava" / "lib" / "dl" / "netx"


def inputs(network: NetxNetwork, samples: int, timesteps: int) -> np.ndarray:
    """Images for an input block, else few spikes."""
    rng = np.random.default_rng(0)
    if network.takes_biases:
        assert network.transform is not None
        images = network.transform.weight * rng.uniform(-1, 1, (samples, 1, *network.input_shape))
        return (images + network.transform.bias).astype(np.int32)
    return (rng.random((samples, timesteps, *network.input_shape)) < 0.02).astype(np.int32)


def lava_seconds(
    path: Path, network: NetxNetwork, values: np.ndarray, schedule: NetxSchedule, models: str
) -> tuple[float, int]:
    """Seconds of one sample's steps, those before them taken out, and the output's spikes."""
    values = checked_values(network, values, schedule, 0)
    latency = schedule.latency(len(network.blocks) - 1)
    lava = NetxLavaNetwork(path, network, values, schedule, input_bits=0, models=models)
    with stopped_at_the_end(lava):
        lava.run(latency + 1)
        began = time.perf_counter()
        lava.run(schedule.timesteps - 1)
        each = (time.perf_counter() - began) / (schedule.timesteps - 1)
        spikes = sum(int(lava.spikes(index)[: schedule.timesteps].sum()) for index in range(len(network.blocks)))
    return each * schedule.timesteps, spikes


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, help="steps of a sample, for all networks")
    options = parser.parse_args()
    table = Table(
        "network", "T", "sim, 1 sample", f"sim, {TOGETHER} together", "Lava, our models", "Lava, its own", "sim 1 / own"
    )
    for name, (file, usual) in NETWORKS.items():
        path = folder() / file
        network = load_netx(path)
        schedule = NetxSchedule.of(network, options.steps or usual)
        values = inputs(network, TOGETHER, schedule.timesteps)
        simulator = NetxSimulator(network)
        simulator.run(values[:1], schedule)
        figures: dict[str, list[float]] = {"one": [], "many": [], "fast": [], "stock": []}
        for _ in range(options.repeats):
            began = time.perf_counter()
            expected = simulator.run(values[:1], schedule)
            figures["one"].append(time.perf_counter() - began)
            began = time.perf_counter()
            simulator.run(values, schedule)
            figures["many"].append((time.perf_counter() - began) / TOGETHER)
            for models in ("fast", "stock"):
                seconds, spikes = lava_seconds(path, network, values[:1], schedule, models)
                figures[models].append(seconds)
                assert spikes == sum(int(each.sum()) for each in expected.spike_counts), (name, models)
        medians = {each: statistics.median(found) for each, found in figures.items()}
        row = [f"{1000 * medians[each]:,.1f} ms" for each in figures]
        table.add_row(name, str(schedule.timesteps), *row, f"{medians['stock'] / medians['one']:,.0f} times")
        Console(width=140).print(name, row)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
