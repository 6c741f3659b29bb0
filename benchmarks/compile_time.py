"""How long importing, `snnc --help` and compiling take in two checkouts of this repository, turn by turn.

    git worktree add ../before REVISION
    python benchmarks/compile_time.py ../before .

Each turn is a process of its own, with one thread; the checkouts take turns, so that what else the machine does meets
both. Processor time and wall time are medians, and ratios are medians of the turns' ratios. Networks have random
weights, since time does not depend on their values; data are random images.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

# Network, side of its images, calibration samples.
NETWORKS = {"lenet": (28, 512), "resnet20": (32, 512), "vgg16": (32, 128)}
STARTS = {"import snnc": ["-c", "import snnc"], "snnc --help": ["-m", "snnc", "--help"]}


def main() -> None:
    """Take turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=[*STARTS, *NETWORKS], default=[*STARTS, *NETWORKS])
    parser.add_argument(
        "--options", type=json.loads, default={}, help='of snnc.compile, in JSON: {"calibrate": "bias"}'
    )
    given = parser.parse_args()
    print(f"{'':14} {'before':>18} {'after':>18}   ratio of processor and wall time")
    for name in given.only:
        turns = [
            [_seconds(tree.resolve(), name, given.options) for tree in (given.before, given.after)]
            for _ in range(given.repeats)
        ]
        columns = [[median(turn[tree][clock] for turn in turns) for clock in (0, 1)] for tree in (0, 1)]
        ratios = [median(turn[1][clock] / turn[0][clock] for turn in turns) for clock in (0, 1)]
        cells = [f"{processor:7.2f} s {wall:6.2f} s" for processor, wall in columns]
        print(f"{name:14} {cells[0]:>18} {cells[1]:>18}   {ratios[0]:.2f} {ratios[1]:.2f}", flush=True)


def _seconds(tree: Path, name: str, options: dict[str, object]) -> tuple[float, float]:
    """Processor time and wall time of one turn."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    if name in NETWORKS:
        side, samples = NETWORKS[name]
        call = ["-c", _COMPILE, name, str(side), str(samples), json.dumps(options)]
        found = subprocess.run([sys.executable, *call], env=environment, cwd="/", check=True, capture_output=True)
        processor, wall = json.loads(found.stdout)
        return processor, wall
    before, start = _children(), time.perf_counter()
    subprocess.run([sys.executable, *STARTS[name]], env=environment, cwd="/", check=True, capture_output=True)
    return _children() - before, time.perf_counter() - start


def _children() -> float:
    """Processor time of all processes that have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


# Compiled twice: the first time also loads and compiles what is only made once.
_COMPILE = """
import json, sys, time
import numpy as np, torch
import snnc, snnc.models
torch.set_num_threads(1)
name, side, samples, options = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
torch.manual_seed(0)
network = getattr(snnc.models, name)().eval()
channels = 1 if name == "lenet" else 3
images = np.random.default_rng(0).integers(0, 256, (samples, channels, side, side), dtype=np.uint8)
for _ in range(2):
    processor, wall = time.process_time(), time.perf_counter()
    snnc.compile(network, images, calibration_samples=samples, **options)
    spent = time.process_time() - processor, time.perf_counter() - wall
print(json.dumps(spent))
"""


if __name__ == "__main__":
    main()
