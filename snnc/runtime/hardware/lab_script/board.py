"""The samples on Loihi 2: written after Lava's public documentation and examples, and never yet tried on a board.

Input and spikes pass through Lava's adapters between host and chip, whose delays are documented nowhere: that of the
input is an option; those of spikes and readouts are found by comparing at each that is likely, one for all layers.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.runtime.hardware.lab_script.bundle_folder import Bundle, LabError, Outcome, Timing, one_line
from snnc.runtime.hardware.lab_script.network import build, stopped_at_the_end


def choose_board(options: argparse.Namespace) -> None:
    """Tell Lava to use a board of Slurm's, or one on the network; else it goes by the environment.

    Args:
        options: The command line's.

    Raises:
        LabError: Intel's extension is missing, or there is no such board.
    """
    from lava.utils import loihi

    if not loihi.is_installed():
        raise LabError("Intel's lava-loihi is not installed; without --backend loihi2 this runs on the CPU")
    try:
        generation = loihi.ChipGeneration[options.generation]
        if options.host:
            loihi.use_ethernet_host(options.host, loihi_gen=generation)
        elif options.slurm or options.partition or options.board:
            loihi.use_slurm_host(partition=options.partition, board=options.board, loihi_gen=generation)
    except (KeyError, OSError, ValueError) as error:
        raise LabError(f"the board cannot be used: {error}") from error


class Measurement:
    """Probes of a board; those that it has not are noted, since spikes can be compared without them.

    Args:
        configuration: How Lava will run.
        steps: Steps that it will run.
    """

    def __init__(self, configuration: Any, steps: int) -> None:
        self._profiler: Any = None
        self._notes: list[str] = []
        try:
            from lava.utils.profiler import Profiler

            self._profiler = Profiler.init(configuration)
        except Exception as error:  # noqa: BLE001 - whatever Intel's extension raises
            self._notes.append(f"nothing was measured: {one_line(error)}")
            return
        for name in ("execution_time_probe", "energy_probe"):
            try:
                getattr(self._profiler, name)(num_steps=steps)
            except Exception as error:  # noqa: BLE001 - as above
                self._notes.append(f"{name}: {one_line(error)}")

    def form(self) -> dict[str, Any]:
        """Return what was measured over all steps, after they ran; None where it was not."""
        return {
            "seconds": self._total("execution_time"),
            "joules": self._total("energy"),
            "static_joules": self._total("static_energy"),
            "dynamic_joules": self._total("dynamic_energy"),
            "watts": self._total("power"),
            "notes": self._notes,
        }

    def _total(self, name: str) -> float | None:
        if self._profiler is None:
            return None
        try:
            value = float(np.sum(getattr(self._profiler, name)))
        except Exception as error:  # noqa: BLE001 - as above
            self._notes.append(f"{name}: {one_line(error)}")
            return None
        return value if np.isfinite(value) and value >= 0 else None


# How many steps late the host may see what the chip sends.
DELAYS = range(6)


def run_on_board(bundle: Bundle, folder: Path, options: argparse.Namespace) -> Outcome:
    """Run the samples.

    Args:
        bundle: The bundle.
        folder: Where recorders write.
        options: The command line's.

    Raises:
        LabError: There is no board to be had.
    """
    choose_board(options)
    from lava.magma.core import run_configs
    from lava.magma.core.run_conditions import RunSteps
    from lava.proc.embedded_io.spike import NxToPyAdapter
    from lava.proc.embedded_io.state import Read
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer

    from snnc.runtime.hardware.lab_script.recorder import recorders, records

    began = time.perf_counter()
    timing = Timing(bundle, options.input_delay)
    steps = timing.steps + DELAYS[-1]
    source = RingBuffer(data=timing.stream(steps))
    adapter = _input_adapter(bundle)
    source.s_out.connect(adapter.inp)
    processes = build(bundle, adapter.out)
    kept = [source, adapter]
    for index, each in enumerate([] if options.readouts_only else recorders(bundle, folder)):
        layer = bundle.layers[index]
        output = NxToPyAdapter(shape=tuple(layer["shape"]))
        processes[layer["process"]].s_out.connect(output.inp)
        output.out.connect(each.spikes)
        kept += [output, each]
    place = bundle.form["readout"]
    read = Read(shape=tuple(place["shape"]), interval=bundle.interval, offset=place["offset"])
    read.connect_var(processes[place["process"]].u)
    reads = Sink(shape=tuple(place["shape"]), buffer=steps)
    read.out.connect(reads.a_in)
    configuration = run_configs.Loihi2HwCfg()
    measurement = Measurement(configuration, steps)
    with stopped_at_the_end(reads):
        started = time.perf_counter()
        # The profiler covers one run.
        reads.run(condition=RunSteps(steps), run_cfg=configuration)
        ended = time.perf_counter()
        # 24 bits with a sign.
        potential = (reads.data.get().astype(np.int32) << 8) >> 8
    recorded = [] if options.readouts_only else list(records(bundle, folder))
    return Outcome(
        None if options.readouts_only else _spikes(bundle, timing, recorded),
        _readout(bundle, timing, potential.astype(np.int64)),
        steps,
        started - began,
        ended - started,
        measurement.form(),
    )


def _input_adapter(bundle: Bundle) -> Any:
    """Return what takes the input to the chip: of its own kind where a convolution reads it."""
    from lava.proc.embedded_io import spike

    place = bundle.form["input"]
    shape, bits = tuple(place["shape"]), place["message_bits"]
    if len(shape) == 1:
        return spike.PyToNxAdapter(shape=shape, num_message_bits=bits)
    from lava.proc.io.encoder import Compression

    return spike.PyToN3ConvAdapter(shape=shape, num_message_bits=bits, compression=Compression.DENSE)


def _spikes(bundle: Bundle, timing: Timing, recorded: list[tuple[int, NDArray[np.bool_]]]) -> list[NDArray[np.bool_]]:
    """Return the spikes at the delay at which most are expected."""

    def at(delay: int) -> list[NDArray[np.bool_]]:
        return [timing.windows(record, first + delay) for first, record in recorded]

    def different(delay: int) -> int:
        return sum(int((found != bundle.expected(index)).sum()) for index, found in enumerate(at(delay)))

    return at(min(DELAYS, key=different))


def _readout(bundle: Bundle, timing: Timing, potential: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the readouts at the delay at which most are expected."""
    first = int(bundle.form["readout"]["offset"])
    ways = [timing.readout(potential[..., first + delay :: bundle.interval]) for delay in DELAYS]
    return min(ways, key=lambda found: int((found != bundle.readout).sum()))
