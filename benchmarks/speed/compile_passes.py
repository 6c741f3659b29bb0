"""How long compiling takes, pass by pass."""

from __future__ import annotations

import time
from statistics import median

from networks import Network

from snnc.api.compile import compile_recorded


def measure(network: Network, timesteps: int, repeats: int) -> dict[str, object]:
    """One network: seconds of each pass, medians of the repeats, and what is left between them."""
    totals: list[float] = []
    passes: dict[str, list[float]] = {}
    for _ in range(repeats):
        begin = time.perf_counter()
        records = compile_recorded(network.module, network.images, timesteps=timesteps).records
        totals.append(time.perf_counter() - begin)
        for record in records:
            passes.setdefault(record.name, []).append(record.seconds)
    seconds = {name: median(each) for name, each in passes.items()}
    total = median(totals)
    return {
        "network": network.name,
        "timesteps": timesteps,
        "calibration_samples": len(network.images),
        "seconds": total,
        "passes": seconds,
        "outside_passes": total - sum(seconds.values()),
    }
