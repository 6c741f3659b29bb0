"""The samples on Lava's CPU simulator."""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np

from snnc.runtime.hardware.lab_script.bundle_folder import Bundle, Outcome, Timing
from snnc.runtime.hardware.lab_script.network import build, check_interrupt, stopped_at_the_end


def run_on_cpu(bundle: Bundle, folder: Path) -> Outcome:
    """Run the samples.

    Args:
        bundle: The bundle.
        folder: Where recorders write.
    """
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import Read
    from lava.proc.io.source import RingBuffer
    from scipy.sparse import SparseEfficiencyWarning

    from snnc.runtime.hardware.lab_script.recorder import recorders, records

    # Lava's DelaySparse builds its matrices in a way that scipy finds slow.
    warnings.simplefilter("ignore", SparseEfficiencyWarning)
    began = time.perf_counter()
    timing = Timing(bundle)
    source = RingBuffer(data=timing.stream(timing.steps))
    processes = build(bundle, source.s_out)
    kept = recorders(bundle, folder)
    for index, each in enumerate(kept):
        processes[bundle.layers[index]["process"]].s_out.connect(each.spikes)
    place = bundle.form["readout"]
    read = Read(buffer=timing.reads, interval=bundle.interval, offset=place["offset"])
    read.connect_var(processes[place["process"]].u)
    with stopped_at_the_end(read):
        read.run(condition=RunSteps(1), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        started = time.perf_counter()
        for step in range(1, timing.steps, bundle.interval):
            check_interrupt()
            _show(f"step {step} of {timing.steps}")
            read.run(condition=RunSteps(min(bundle.interval, timing.steps - step)))
        ended = time.perf_counter()
        potential = read.data.get().astype(np.int64)
    return Outcome(
        [timing.windows(record, first) for first, record in records(bundle, folder)],
        timing.readout(potential),
        timing.steps,
        started - began,
        ended - started,
        None,
    )


def _show(text: str) -> None:
    """Show a line that the next one overwrites, where someone looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text} ")
        sys.stderr.flush()
