"""Which share of the time of a compilation its verdict takes: the integers beside the ANN, at the end.

    python benchmarks/verdict.py
    python benchmarks/verdict.py --network resnet20 --timesteps 32 --options '{"calibrate": "weights,spread,bias"}'

Networks have random weights, since time does not depend on their values; data are random images. One thread; the
second of two compilations counts, since the first also compiles what is only made once. At most 15 % is what we allow.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings

import numpy as np
import torch

import snnc
import snnc.models

# What the verdict is called as it begins, the last step of all.
TITLE = "comparing ANN and sim"


class Clock:
    """A :class:`snnc.Progress` that notes when the verdict begins."""

    began = 0.0

    def begin(self, title: str, total: int = 1) -> None:
        """Note the time."""
        if title == TITLE:
            self.began = time.process_time()

    def advance(self, done: int) -> None:
        """Do nothing."""

    def say(self, text: str | None) -> None:
        """Do nothing."""


def main() -> None:
    """Compile twice, and print what the verdict took of the second time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="resnet20")
    parser.add_argument("--timesteps", type=int, default=8)
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--options", type=json.loads, default={}, help='of snnc.compile, in JSON: {"lead": 4}')
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = getattr(snnc.models, given.network)().eval()
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (given.samples + 128, 3, 32, 32), dtype=np.uint8)
    warnings.simplefilter("ignore", snnc.VerdictWarning)
    for _ in range(2):
        clock, start = Clock(), time.process_time()
        snnc.compile(
            network,
            images,
            timesteps=given.timesteps,
            calibration_samples=given.samples,
            progress=clock,
            **given.options,
        )
        end = time.process_time()
    taken, whole = end - clock.began, end - start
    print(f"{given.network}, T = {given.timesteps}: {whole:.1f} s, the verdict {taken:.1f} s ({taken / whole:.1%})")


if __name__ == "__main__":
    main()
