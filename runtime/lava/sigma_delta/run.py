"""Running samples of a sigma-delta program on Lava's CPU simulator."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.program import SigmaDeltaProgram
from snnc.errors import BackendError, OptionError, SnncError, first_line
from snnc.runtime.joined import joined
from snnc.runtime.lava.available import import_lava
from snnc.runtime.lava.running_network import stopped_at_the_end
from snnc.runtime.lava.shares import pieces, samples_per_stream
from snnc.runtime.lava.sigma_delta.network import SigmaDeltaNetwork
from snnc.runtime.lava.timeout import DEFAULT_TIMEOUT
from snnc.runtime.result import RunResult


def run_sigma_delta(
    program: SigmaDeltaProgram,
    levels: NDArray[np.uint8],
    *,
    models: str,
    workers: int | None = None,
    cluster: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    record: bool = True,
    advance: Callable[[int], None] | None = None,
    announce: Callable[[float], None] | None = None,
) -> RunResult:
    """Runs samples one after another on stock netx.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape), at least one sample.
        models: What computes synapses: ``fast`` (our process models, in one process) or ``stock`` (Lava's, in as many
            processes as the network has). Neurons are Lava's. The result is the same.
        workers: 1 or None: sigma-delta networks run one at a time.
        cluster: None.
        timeout: As for :func:`snnc.runtime.lava.run_lava`.
        record: Keep every message in the result.
        advance: Called with the number of samples done.
        announce: Told once, after the first sample, how many seconds the others will take.

    Returns:
        The same as the simulator's result, but for ``wraps``, which Lava does not tell.

    Raises:
        BackendError: Lava is not installed, or failed while running.
        OptionError: Several workers or a cluster are wanted.
    """
    if workers not in (None, 1) or cluster is not None:
        raise OptionError(
            "sigma-delta networks run on one worker",
            where="workers" if cluster is None else "cluster",
            found=str(workers if cluster is None else cluster),
        )
    results: list[RunResult] = []
    for piece in pieces(len(levels), samples_per_stream(program)):
        told = announce if piece.start == 0 else None
        results.append(
            _run_piece(
                program,
                levels[piece],
                models,
                timeout,
                record,
                _behind(advance, piece.start),
                _total(told, len(levels)),
            )
        )
    return joined(results)


def _run_piece(
    program: SigmaDeltaProgram,
    levels: NDArray[np.uint8],
    models: str,
    timeout: float,
    record: bool,
    advance: Callable[[int], None],
    paced: Callable[[float], None],
) -> RunResult:
    """Runs samples on a network of their own."""
    try:
        import_lava()
        with stopped_at_the_end(SigmaDeltaNetwork(program, levels, models, timeout)) as network:
            network.come_to_rest()
            for sample in range(len(levels)):
                began = time.perf_counter()
                network.run_sample()
                if sample == 0:
                    paced(time.perf_counter() - began)
                advance(sample + 1)
            return _result(program, network, levels, record=record)
    except SnncError:
        raise
    except Exception as error:  # whatever Lava raises when one of its processes fails
        raise BackendError(f"Lava failed: {type(error).__name__}: {first_line(error)}") from error


def _result(
    program: SigmaDeltaProgram, network: SigmaDeltaNetwork, levels: NDArray[np.uint8], *, record: bool
) -> RunResult:
    counts, kept = [], []
    for index in range(len(program.spiking_layers)):
        messages = network.messages(index)
        counts.append(np.count_nonzero(messages, axis=(0, 1)).astype(np.int64))
        if record:
            kept.append(messages)
    return RunResult(
        readout=network.messages(len(program.layers) - 1)[:, -1].astype(np.int64),
        spike_counts=tuple(counts),
        input_counts=np.count_nonzero(levels, axis=0).astype(np.int64),
        wraps=None,
        spikes=tuple(kept) if record else None,
    )


def _behind(advance: Callable[[int], None] | None, start: int) -> Callable[[int], None]:
    """Tells of samples done, those before a piece included."""
    return (lambda done: advance(start + done)) if advance else (lambda _: None)


def _total(announce: Callable[[float], None] | None, samples: int) -> Callable[[float], None]:
    """Tells how long the others take from the time of the first."""
    return (lambda seconds: announce(seconds * (samples - 1))) if announce else (lambda _: None)
