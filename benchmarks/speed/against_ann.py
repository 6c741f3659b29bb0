"""The simulator against T forward passes of the ANN, in time and in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import torch
from measure import side_by_side, timed
from networks import Network

from snnc.runtime.simulator import Simulator

# What the project asks for.
TIME_RATIO, MEMORY_RATIO = 1.0, 1.5


def compare_time(network: Network, timesteps: int, batch: int, repeats: int) -> dict[str, object]:
    """One row: the simulator's time for a batch divided by T times the ANN's.

    The ANN is the user's module as it is, in evaluation mode, batch normalisation and all, without gradients.
    """
    levels = network.batch(batch)
    inputs = network.as_input(levels)
    program = network.program(timesteps)
    simulator = Simulator(program)
    levels = program.coding.levels(levels)

    def forward() -> None:
        with torch.no_grad():
            network.module(inputs)

    timings = side_by_side({"ann": timed(forward), "sim": timed(lambda: simulator.run(levels))}, "ann", repeats)
    sim = timings["sim"]
    result = simulator.run(levels)
    neurons = sum(layer.neurons for layer in program.spiking_layers)
    return {
        "network": network.name,
        "timesteps": timesteps,
        "batch": batch,
        "ann": timings["ann"].form,
        "sim": sim.form,
        "ratio": sim.ratio / timesteps,
        "processor_ratio": sim.processor_ratio / timesteps,
        "spike_rate": sum(int(each.sum()) for each in result.spike_counts) / (neurons * timesteps * batch),
        "wraps": sum(result.wraps or ()),
    }


def compare_memory(name: str, timesteps: int, batch: int) -> dict[str, object]:
    """One row: what a batch takes beyond what is there after a first sample, in MiB; each in a process of its own."""
    grown = {what: _grown(what, name, timesteps, batch) for what in ("ann", "sim")}
    ann, sim = grown["ann"], grown["sim"]
    ratio = sim["grown"] / ann["grown"] if ann["grown"] else None
    return {"network": name, "timesteps": timesteps, "batch": batch, "ann": ann, "sim": sim, "ratio": ratio}


def _grown(what: str, name: str, timesteps: int, batch: int) -> dict[str, float]:
    script = Path(__file__).with_name("memory_child.py")
    command = [sys.executable, script, what, name, timesteps, batch, torch.get_num_threads()]
    printed = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = json.loads(printed)
    return found
