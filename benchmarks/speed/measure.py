"""Measuring side by side: repeats of all contestants in turn, medians, and what machine it was."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import torch

# Wall seconds and processor seconds, all threads together.
Seconds = tuple[float, float]


@dataclass(frozen=True)
class Timing:
    """What a contestant took.

    Attributes:
        seconds: Median wall time of a repeat.
        processor: Median processor time of a repeat, all threads together.
        ratio: Median over the repeats of its wall time divided by that of the baseline in the same repeat.
        processor_ratio: The same for processor time: what other programs on the machine disturb least.
    """

    seconds: float
    processor: float
    ratio: float
    processor_ratio: float

    @property
    def form(self) -> dict[str, float]:
        """As JSON."""
        return asdict(self)


def timed(work: Callable[[], object]) -> Callable[[], Seconds]:
    """Work that says how long it took."""

    def measured() -> Seconds:
        wall, processor = time.perf_counter(), time.process_time()
        work()
        return time.perf_counter() - wall, time.process_time() - processor

    return measured


def side_by_side(contestants: Mapping[str, Callable[[], Seconds]], baseline: str, repeats: int) -> dict[str, Timing]:
    """Times contestants in turn, after one turn that does not count.

    Args:
        contestants: By name what does the work once and says how long it took.
        baseline: The name of the one that the others are compared with.
        repeats: Number of turns.
    """
    for work in contestants.values():
        work()
    turns = [{name: work() for name, work in contestants.items()} for _ in range(repeats)]

    def middle(name: str, kind: int) -> float:
        return median(turn[name][kind] for turn in turns)

    def ratio(name: str, kind: int) -> float:
        return median(turn[name][kind] / turn[baseline][kind] for turn in turns)

    return {name: Timing(middle(name, 0), middle(name, 1), ratio(name, 0), ratio(name, 1)) for name in contestants}


def machine() -> dict[str, object]:
    """What was measured on."""
    cpu = platform.processor() or platform.machine()
    flags = ""
    description = Path("/proc/cpuinfo")
    if description.exists():
        fields = dict(line.split(":", 1) for line in description.read_text().splitlines() if ":" in line)
        fields = {name.strip(): value.strip() for name, value in fields.items()}
        cpu, flags = fields.get("model name", cpu), fields.get("flags", "")
    return {
        "cpu": cpu,
        "vnni": "avx512_vnni" in flags or "avx_vnni" in flags,
        "cores": torch.multiprocessing.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch_capability": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numba": version("numba"),
        "numpy": version("numpy"),
    }
