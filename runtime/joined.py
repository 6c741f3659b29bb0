"""The results of runs of some samples each as the result of all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snnc.runtime.result import RunResult


def joined(results: Sequence[RunResult]) -> RunResult:
    """One result: readouts and spikes one behind the other, counts added up.

    Args:
        results: At least one, of the same program on the same backend, in the order of the samples, all with the same
            earlier steps, and with spikes or without.
    """
    first = results[0]
    if len(results) == 1:
        return first
    spikes = None
    if first.spikes is not None:
        spikes = tuple(np.concatenate(layer) for layer in zip(*(each.spikes or () for each in results), strict=True))
    wraps = None
    if first.wraps is not None:
        wraps = tuple(sum(layer) for layer in zip(*(each.wraps or () for each in results), strict=True))
    return RunResult(
        readout=np.concatenate([each.readout for each in results]),
        spike_counts=tuple(
            np.sum(layer, axis=0) for layer in zip(*(each.spike_counts for each in results), strict=True)
        ),
        input_counts=np.sum([each.input_counts for each in results], axis=0),
        wraps=wraps,
        spikes=spikes,
        earlier={steps: joined([each.earlier[steps] for each in results]) for steps in first.earlier},
    )
