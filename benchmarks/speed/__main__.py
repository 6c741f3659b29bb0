"""How fast the native simulator and the compiler are, side by side with others on this machine.

    python benchmarks/speed                        # everything: about an hour on two cores
    python benchmarks/speed --quick                # the same with few repeats and small batches: some minutes
    python benchmarks/speed --only time memory     # parts of it

Contestants take turns, and ratios are medians of the turns; processor time is there beside wall time, since other
programs on the machine disturb it less. Tables are printed; results.json and a picture of each growth are written into
the output folder.

SpikingJelly is installed into an environment of its own, with a PyTorch of its own (some gigabytes), the first time;
--spikingjelly-python takes a Python that has it already. Where it cannot be had, its part is left out and says so.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import against_ann
import against_spikingjelly
import compile_passes
import growth
import present
import torch
from measure import machine
from networks import Network

PARTS = ("time", "memory", "spikingjelly", "compile", "growth")


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"machine": machine(), "repeats": arguments.repeats}
    present.show_machine(results["machine"])
    networks: dict[str, Network] = {}

    def network(name: str) -> Network:
        if name not in networks:
            networks[name] = Network.of(name)
        return networks[name]

    parts: dict[str, Callable[[], Any]] = {
        "time": lambda: _time(arguments, network),
        "memory": lambda: _memory(arguments),
        "spikingjelly": lambda: _spikingjelly(arguments, network),
        "compile": lambda: _compile(arguments, network),
        "growth": lambda: _growth(arguments, network),
    }
    for part in arguments.only:
        results[part] = parts[part]()
        # After each part, so that an interrupted run leaves what it had.
        (arguments.output / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    present.console.print(f"wrote {arguments.output / 'results.json'}", highlight=False)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--networks", nargs="+", choices=list(growth.NETWORKS), default=["resnet20", "vgg16"])
    parser.add_argument("--timesteps", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="torch's threads, the same for all contestants")
    parser.add_argument("--quick", action="store_true", help="few repeats, small batches, few points")
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks/speed"))
    parser.add_argument("--spikingjelly-python", type=Path, help="a Python that has SpikingJelly")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.batch, arguments.repeats = min(arguments.batch, 8), min(arguments.repeats, 2)
    return arguments


def _time(arguments: argparse.Namespace, network: Callable[[str], Network]) -> list[dict[str, object]]:
    rows = [
        against_ann.compare_time(network(name), timesteps, arguments.batch, arguments.repeats)
        for name in arguments.networks
        for timesteps in arguments.timesteps
    ]
    present.show_times(rows)
    return rows


def _memory(arguments: argparse.Namespace) -> list[dict[str, object]]:
    if not Path("/proc/self/clear_refs").exists():
        present.console.print("memory: left out, since this system does not tell a process's peak from a point on")
        return []
    rows = [
        against_ann.compare_memory(name, timesteps, arguments.batch)
        for name in arguments.networks
        for timesteps in arguments.timesteps
    ]
    present.show_memory(rows)
    return rows


def _spikingjelly(arguments: argparse.Namespace, network: Callable[[str], Network]) -> list[dict[str, object]]:
    python, reason = arguments.spikingjelly_python, ""
    if python is None:
        python, reason = against_spikingjelly.find_python(arguments.output / "spikingjelly")
    if python is None:
        present.console.print(f"SpikingJelly: left out, {reason}", highlight=False)
        return []
    rows = [
        against_spikingjelly.compare(network("resnet20"), timesteps, arguments.batch, arguments.repeats, python)
        for timesteps in arguments.timesteps
    ]
    present.show_spikingjelly(rows)
    return rows


def _compile(arguments: argparse.Namespace, network: Callable[[str], Network]) -> list[dict[str, object]]:
    rows = [
        compile_passes.measure(network(name), arguments.timesteps[0], min(arguments.repeats, 3))
        for name in arguments.networks
    ]
    present.show_passes(rows)
    return rows


def _growth(arguments: argparse.Namespace, network: Callable[[str], Network]) -> dict[str, object]:
    subject, quick, repeats = network("resnet20"), arguments.quick, min(arguments.repeats, 3)
    timesteps, batch = arguments.timesteps[0], arguments.batch
    curves = [
        growth.with_steps(subject, min(batch, 16), growth.STEPS[::2] if quick else growth.STEPS, repeats),
        growth.with_batch(subject, timesteps, batch, tuple(each for each in growth.BATCHES if each <= batch), repeats),
        growth.with_samples(subject, timesteps, growth.SAMPLES[:3] if quick else growth.SAMPLES, repeats),
        growth.with_size(growth.NETWORKS[:3] if quick else growth.NETWORKS, timesteps, min(batch, 16), repeats),
    ]
    present.show_growth(curves)
    for curve in curves:
        present.draw(curve, arguments.output / f"growth-{curve.name}.png")
    return {curve.name: curve.form for curve in curves}


if __name__ == "__main__":
    main()
