"""The options of runs: the one place that says what there is and what is usual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from snnc.common.option_kinds import SIZE
from snnc.common.options import option
from snnc.common.signatures import documented
from snnc.program.verdict import Task

__all__ = [
    "BundleOptions",
    "FirstSamplesOptions",
    "LavaOptions",
    "NetxRunOptions",
    "RunOptions",
    "SimulatorOptions",
    "TaskOptions",
]

AUTOMATIC = "auto"

RUN, SIMULATOR, LAVA, NETX = "Run", "Simulator", "Lava", "Netx files that snnc did not write"
# What an option is for that is not for all files.
SNNC_FILES, NETX_FILES, ON_LAVA = "files of snnc", "netx files of others", "runs on Lava"

Backend = Literal["sim", "lava", "loihi"]
LavaModels = Literal["fast", "stock"]


@documented
@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """What a network's outputs mean."""

    task: Task | None = option(
        None,
        panel=RUN,
        shapes=True,
        only=SNNC_FILES,
        wrong="unknown task",
        usual="what the .net file says, else what outputs and labels tell",
        help="What the outputs mean: ``classes`` (the largest is the class), ``sign`` (one output: class 1 above 0, "
        "else 0) or ``values`` (numbers or images, whose labels are targets).",
    )


@documented
@dataclass(frozen=True, kw_only=True)
class _SimulatorMemory:
    """How much memory the simulator takes."""

    memory: int | None = option(
        None,
        metavar="SIZE",
        panel=SIMULATOR,
        kind=SIZE,
        usual="what is fastest",
        help="How much memory the simulator may take beside network, data and results: bytes, or on the command line "
        "such as 512M or 2G; same result.",
    )


@documented
@dataclass(frozen=True, kw_only=True)
class SimulatorOptions(_SimulatorMemory):
    """Where and how the simulator computes; nothing of it changes the result."""

    device: str = option(
        AUTOMATIC,
        metavar="auto|cpu|cuda|cuda:N",
        panel=SIMULATOR,
        only=SNNC_FILES,
        help="Where the simulator computes: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:NUMBER``; "
        "same result.",
    )


@documented
@dataclass(frozen=True, kw_only=True)
class _LavaModels:
    """What computes on Lava."""

    lava_models: LavaModels | None = option(
        None,
        panel=LAVA,
        only=ON_LAVA,
        usual="``fast``",
        help="What computes on Lava, with the same result: ``fast`` (snnc's process models, all in one process), or "
        "``stock`` (Lava's own, each in a process of the operating system).",
    )


@documented
@dataclass(frozen=True, kw_only=True)
class LavaOptions(_LavaModels):
    """How Lava runs; nothing of it changes the result."""

    workers: int | None = option(
        None,
        metavar="N",
        panel=LAVA,
        only=(SNNC_FILES, ON_LAVA),
        usual="1; all of a cluster",
        help="How many Lava networks run side by side, each in a process of its own on its share of the samples; never "
        "changes the result. Each loads everything anew, which takes seconds, and uses one core.",
    )
    cluster: str | None = option(
        None,
        metavar="NAME[:ADDRESS]",
        panel=LAVA,
        only=(SNNC_FILES, ON_LAVA),
        file="it makes other machines run code",
        usual="on this machine",
        help="Where Lava's workers run: ``dask:tcp://HOST:PORT``, ``ray``, or ``ray:ADDRESS``.",
    )
    lava_timeout: float | None = option(
        None,
        metavar="SECONDS",
        panel=LAVA,
        only=(SNNC_FILES, ON_LAVA),
        usual="600",
        help="How many seconds Lava may take to start, and for a sample, before the run ends since a process of it "
        "hangs.",
    )


@documented
@dataclass(frozen=True, kw_only=True)
class FirstSamplesOptions:
    """How many samples, from the first on."""

    samples: int | None = option(
        None, metavar="N", panel=RUN, usual="all", help="How many samples to take, from the first on."
    )


@documented
@dataclass(frozen=True, kw_only=True)
class _BothKindsOfFiles(FirstSamplesOptions):
    """What runs of programs and of netx files of others have in common."""

    backend: Backend = option(
        "sim",
        panel=RUN,
        help="What runs it: ``sim`` (the native simulator: fast, exact), ``lava`` (Lava's CPU simulator) or ``loihi`` "
        "(a board; needs Intel's lava-loihi).",
    )
    batch_size: int | None = option(
        None,
        metavar="N",
        panel=SIMULATOR,
        usual="what memory allows",
        help="Samples that the simulator computes at once, halved until they fit; never changes the result.",
    )


@documented
@dataclass(frozen=True, kw_only=True)
class _OwnFiles(_BothKindsOfFiles):
    """What only runs of programs have."""

    stop_at: Sequence[int] = option(
        (),
        metavar="STEPS",
        panel=RUN,
        only=SNNC_FILES,
        usual="none",
        help="Numbers of steps, 1 to T, after which the simulator reports too, such as 1,2,4: what a run that ends "
        "then gives. Not for programs with lead, where that is no part of the whole run.",
    )
    record: bool = option(False, typed=False, help="Whether to keep every spike, in ``result.spikes``.")


@documented
@dataclass(frozen=True, kw_only=True)
class RunOptions(LavaOptions, SimulatorOptions, TaskOptions, _OwnFiles):
    """The options of a run of a program."""


@documented
@dataclass(frozen=True, kw_only=True)
class _NetxFiles(_BothKindsOfFiles):
    """What only runs of netx files of others have."""

    timesteps: int | None = option(
        None,
        flags=("-T", "--timesteps"),
        metavar="T",
        panel=NETX,
        only=NETX_FILES,
        usual="those of the events or, of images, what the file says",
        help="Steps of a sample.",
    )
    reset_interval: int | None = option(
        None,
        metavar="N",
        panel=NETX,
        only=NETX_FILES,
        usual="T, as each sample reaches a layer",
        help="netx's ``reset_interval``, steps from one reset of the neurons to the next; 0: never.",
    )
    reset_offset: int | None = option(
        None,
        metavar="N",
        panel=NETX,
        only=NETX_FILES,
        usual="what resets with the first input of a sample",
        help="netx's ``reset_offset``.",
    )
    input_bits: int = option(
        0,
        metavar="N",
        panel=NETX,
        only=NETX_FILES,
        help="netx's ``input_message_bits``: numbers of so many bits arrive; 0: spikes.",
    )
    num_layers: int | None = option(
        None,
        metavar="N",
        panel=NETX,
        only=NETX_FILES,
        usual="all",
        help="Run the first so many entries of the file, as netx counts.",
    )
    skip_layers: int = option(
        0, metavar="N", panel=NETX, only=NETX_FILES, help="Leave out so many of these at the beginning."
    )
    mean: float | Sequence[float] | None = option(
        None,
        metavar="X[,X,X]",
        panel=NETX,
        only=NETX_FILES,
        usual="0",
        help="What is subtracted from images for an input block: one number, or one for each channel.",
    )
    std: float | Sequence[float] | None = option(
        None, metavar="X[,X,X]", panel=NETX, only=NETX_FILES, usual="1", help="What they are divided by then."
    )


@documented
@dataclass(frozen=True, kw_only=True)
class NetxRunOptions(_LavaModels, _SimulatorMemory, _NetxFiles):
    """The options of a run of a netx file that snnc did not write."""


@documented
@dataclass(frozen=True, kw_only=True)
class _BundledSamples:
    """How many samples a bundle holds."""

    samples: int = option(100, metavar="N", panel=RUN, help="How many samples to pack, from the first on; at least 1.")


@documented
@dataclass(frozen=True, kw_only=True)
class BundleOptions(SimulatorOptions, _BundledSamples):
    """The options of a bundle for a laboratory."""
