"""Started by against_ann.py: how much memory one forward pass, or one run, takes.

python memory_child.py ann|sim NETWORK T BATCH THREADS
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
from pathlib import Path

import torch
from networks import Network

from snnc.runtime.simulator import Simulator

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# Makes the kernel forget the highest resident size so far (proc(5)).
FORGET_PEAK = "5"


def resident(field: str) -> float:
    """VmRSS or VmHWM in MiB."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def main() -> None:
    what, name, timesteps, batch, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    network = Network.of(name)
    program = network.program(int(timesteps)) if what == "sim" else None
    images = network.batch(int(batch))
    if program is not None:
        simulator = Simulator(program)
        levels = program.coding.levels(images)

        def work(count: int) -> None:
            simulator.run(levels[:count])
    else:
        inputs = network.as_input(images)

        def work(count: int) -> None:
            with torch.no_grad():
                network.module(inputs[:count])

    # A first sample pays for what stays: code, packed weights. What was freed goes back to the system, so that it is
    # counted when it is taken again.
    work(1)
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    CLEAR.write_text(FORGET_PEAK)
    before = resident("VmRSS")
    work(int(batch))
    peak = resident("VmHWM")
    print(json.dumps({"grown": peak - before, "peak": peak}))


if __name__ == "__main__":
    main()
