"""How fast Lava is with its own process models and with ours: every figure of docs/performance-lava.md.

    python benchmarks/lava_speed.py                                  # LeNet and ResNet20 with random weights
    python benchmarks/lava_speed.py --network lenet --repeats 3      # a shorter look
    python benchmarks/lava_speed.py --net model.net --json out.json  # a network of your own, on random input

All that is compared runs alternately in one process, some steps at a time, so that a busy machine slows all of it: Lava
with its own models, our models in Lava's runtime, our models in one process, the matrix products of our models alone,
and the simulator. Figures are medians of the repeats. Beside the seconds on the clock stand those of all processors
together (on Linux): on a machine with other work, forty processes get a larger part of it than one does.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import snnc
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import compile_module
from snnc.models import lenet, resnet20
from snnc.program import Program
from snnc.runtime.lava.network import LavaNetwork, open_network
from snnc.runtime.simulator import Simulator

NETWORKS = {"lenet": (lenet, (1, 28, 28)), "resnet20": (resnet20, (3, 32, 32))}
CALIBRATION = 32
BATCH = 64
# What each way to run takes a share of a repeat for, in steps: the slow ones few, the fast ones many.
STOCK_STEPS, FAST_STEPS, PRODUCTS = 9, 90, 90

WAYS = {
    "stock": "Lava's models, Lava's runtime",
    "fast models": "our models, Lava's runtime",
    "fast": "our models, one process",
    "products": "their matrix products alone",
}


def network(name: str, timesteps: int) -> Program:
    """One of our networks with random weights, calibrated on random images."""
    factory, shape = NETWORKS[name]
    torch.manual_seed(0)
    module = factory()
    levels = np.random.default_rng(0).integers(0, 256, (CALIBRATION, *shape)).astype(np.uint8)
    with torch.no_grad():  # batch normalisation as training leaves it, so that all layers fire
        module.train()(torch.as_tensor(levels / 255, dtype=torch.float32))
    return compile_module(module, levels / 255, CompileOptions(timesteps=timesteps), unit=1 / 255).program


def seconds(action: Callable[[], object], children: frozenset[int] = frozenset()) -> tuple[float, float]:
    """Seconds on the clock, and of all processors in this process and some children."""
    busy, start = processor_seconds(children), time.perf_counter()
    action()
    return time.perf_counter() - start, processor_seconds(children) - busy


def processor_seconds(children: frozenset[int]) -> float:
    """Seconds that processors worked for this process and some children; not a number where Linux does not tell."""
    total = time.process_time()
    for child in children:
        tasks = list(Path(f"/proc/{child}/task").glob("*/schedstat"))
        if not tasks:
            return float("nan")
        total += sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
    return total


def child_processes() -> frozenset[int]:
    return frozenset(child.pid for child in multiprocessing.active_children() if child.pid)


def start_in_lava_runtime(network: LavaNetwork) -> None:
    """Our models, in a process of the operating system each."""
    from snnc.runtime.lava.fast.configuration import FastSimCfg
    from snnc.runtime.lava.offspring import offspring

    with offspring():
        network._read.create_runtime(run_cfg=FastSimCfg())


def products(network: LavaNetwork) -> Callable[[], None]:
    """One step's matrix products of a fast network that has run."""
    from snnc.runtime.lava.fast.conv import FastConvModel
    from snnc.runtime.lava.fast.synapses import FastDenseModel

    models = network._read.runtime.models
    convolutions = [each for model in models if isinstance(model, FastConvModel) for each in model.products]
    matrices = [model.matrix for model in models if isinstance(model, FastDenseModel)]
    vectors = [np.ones(len(matrix), matrix.dtype) for matrix in matrices]

    def multiply() -> None:
        for product in convolutions:
            product.multiply()
        for vector, matrix in zip(vectors, matrices, strict=True):
            vector @ matrix

    return multiply


def measure(program: Program, repeats: int, console: Console) -> dict[str, Any]:
    """Seconds for each step of each way, images a second, and how many processes there are."""
    rng = np.random.default_rng(1)
    # Input for all steps: a stream that ends sends zeros no more.
    samples = 2 + (FAST_STEPS * (repeats + 1)) // program.interval
    levels = rng.integers(0, 256, (samples, *program.coding.shape)).astype(np.uint8)
    batch = levels[rng.integers(0, samples, BATCH)]
    simulator = Simulator(program)
    children: dict[str, frozenset[int]] = {}
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in (*WAYS, "sim")}
    with ExitStack() as stack:
        networks = {}
        for way, models in (("stock", "stock"), ("fast models", "stock"), ("fast", "fast")):
            before = child_processes()
            opened = stack.enter_context(open_network(program, levels, models))
            if way == "fast models":
                start_in_lava_runtime(opened)
            # Until the pipeline is full, layers have nothing to do; what is computed once is computed.
            opened.run(opened.schedule.depth + program.timesteps)
            networks[way] = opened
            children[way] = child_processes() - before
            console.print(f"  {way}: {1 + len(children[way])} processes")
        multiply = products(networks["fast"])
        simulator.run(batch)
        for _ in range(repeats):
            for way, steps in (("stock", STOCK_STEPS), ("fast models", STOCK_STEPS), ("fast", FAST_STEPS)):
                network, own = networks[way], children[way]
                times[way].append(each(seconds(partial(network.run, steps), own), steps))
            times["products"].append(each(seconds(lambda: [multiply() for _ in range(PRODUCTS)]), PRODUCTS))
            times["sim"].append(each(seconds(partial(simulator.run, batch)), BATCH * program.interval))
    return {
        "timesteps": program.timesteps,
        "processes": {way: 1 + len(children[way]) for way in children},
        "clock": figures([{way: times[way][k][0] for way in times} for k in range(repeats)], program.interval),
        "processors": figures([{way: times[way][k][1] for way in times} for k in range(repeats)], program.interval),
    }


def each(total: tuple[float, float], count: int) -> tuple[float, float]:
    return total[0] / count, total[1] / count


def figures(repeats: list[dict[str, float]], interval: int) -> dict[str, Any]:
    """Medians, and medians of the ratios within a repeat.

    Args:
        repeats: For each way the seconds of a step; of the simulator those of an image, divided by its steps.
        interval: Steps of an image.
    """

    def ratio(one: str, other: str) -> float:
        return statistics.median(times[one] / times[other] for times in repeats)

    step = {way: statistics.median(times[way] for times in repeats) for way in repeats[0]}
    return {
        "milliseconds_per_step": {way: 1e3 * step[way] for way in WAYS},
        "images_per_second": {way: 1 / (step[way] * interval) for way in step if way != "products"},
        "ratios": {
            "stock / fast, a step": ratio("stock", "fast"),
            "stock / our models in Lava's runtime, a step": ratio("stock", "fast models"),
            "fast / its matrix products, a step": ratio("fast", "products"),
            "sim / stock, images per second": ratio("stock", "sim"),
            "sim / fast, images per second": ratio("fast", "sim"),
        },
        "all_milliseconds": [{way: 1e3 * value for way, value in times.items()} for times in repeats],
    }


def machine() -> dict[str, Any]:
    """What it ran on."""
    names = Path("/proc/cpuinfo")
    lines = names.read_text().splitlines() if names.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "torch_threads": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
    }


def show(name: str, found: dict[str, Any], console: Console) -> None:
    """A table of the medians, and the ratios."""
    heads = ("processes", "ms a step", "images/s", "ms a step (processors)", "images/s (processors)")
    table = Table("", *heads, title=f"{name}, T = {found['timesteps']}")
    for way, title in (*WAYS.items(), ("sim", f"simulator, batches of {BATCH}")):
        row = [str(found["processes"].get(way, ""))]
        for kind in ("clock", "processors"):
            for column, digits in (("milliseconds_per_step", 3), ("images_per_second", 1)):
                value = found[kind][column].get(way)
                row.append("" if value is None else f"{value:,.{digits}f}")
        table.add_row(title, *row)
    console.print(table)
    for title, ratio in found["clock"]["ratios"].items():
        console.print(f"  {title}: {ratio:,.2f} ({found['processors']['ratios'][title]:,.2f} in processor time)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=NETWORKS, action="append", help="default: both")
    parser.add_argument("--net", type=Path, help="a .net file instead")
    parser.add_argument("-T", type=int, default=8, dest="timesteps")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write all figures there")
    arguments = parser.parse_args()
    console = Console()
    results: dict[str, Any] = {"machine": machine()}
    console.print(", ".join(f"{key} {value}" for key, value in results["machine"].items()))
    names = [str(arguments.net)] if arguments.net else arguments.network or list(NETWORKS)
    for name in names:
        program = snnc.load(arguments.net) if arguments.net else network(name, arguments.timesteps)
        results[name] = measure(program, arguments.repeats, console)
        show(name, results[name], console)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
