"""Running samples piece by piece, and keeping what each piece gave."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from snnc.common.progress import PartOf, Progress, Unheard, long_run
from snnc.runtime.result import RunResult, join_results
from snnc.runtime.resumable.journal import Journal

Arrays = Mapping[str, NDArray[Any]]


def to_bytes(result: RunResult) -> bytes:
    """Return a result as the content of an .npz file."""
    content = io.BytesIO()
    np.savez(content, **_arrays(result, ""))
    return content.getvalue()


def from_bytes(content: bytes) -> RunResult:
    """Return what :func:`to_bytes` made; nothing in it is run."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return _result(dict(arrays), "")


def _arrays(result: RunResult, prefix: str) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {f"{prefix}readout": result.readout, f"{prefix}input": result.input_counts}
    for index, counts in enumerate(result.spike_counts):
        found[f"{prefix}counts-{index}"] = counts
    # A network of a readout alone has spikes that were recorded too, of no layer.
    found[f"{prefix}recorded"] = np.array(result.spikes is not None)
    for index, train in enumerate(result.spikes or ()):
        found[f"{prefix}spikes-{index}"] = train
    if result.wraps is not None:
        found[f"{prefix}wraps"] = np.array(result.wraps, np.int64)
    found[f"{prefix}earlier"] = np.array(list(result.earlier), np.int64)
    for steps, each in result.earlier.items():
        found.update(_arrays(each, f"{prefix}{steps}."))
    return found


def _result(arrays: Arrays, prefix: str) -> RunResult:
    wraps = arrays.get(f"{prefix}wraps")
    return RunResult(
        readout=arrays[f"{prefix}readout"],
        spike_counts=_numbered(arrays, f"{prefix}counts-"),
        input_counts=arrays[f"{prefix}input"],
        wraps=None if wraps is None else tuple(wraps.tolist()),
        spikes=_numbered(arrays, f"{prefix}spikes-") if arrays[f"{prefix}recorded"] else None,
        earlier={int(steps): _result(arrays, f"{prefix}{steps}.") for steps in arrays[f"{prefix}earlier"].tolist()},
    )


def _numbered(arrays: Arrays, name: str) -> tuple[NDArray[Any], ...]:
    found: list[NDArray[Any]] = []
    while (value := arrays.get(f"{name}{len(found)}")) is not None:
        found.append(value)
    return tuple(found)


# A piece is to take about so long: what a run loses at most when it is killed.
SECONDS = 60.0
# The first piece is one sample; none is longer than the one before by more than this factor.
GROWTH = 8


class RunPiece(Protocol):
    """Runs some of the samples."""

    def __call__(self, levels: NDArray[np.uint8], progress: Progress) -> RunResult:
        """Return their result; tell how many are done, and once how long the others will take."""


class ResumableRun:
    """A run whose finished samples are kept in a file; a context, at whose end the file is let go of.

    Results do not depend on where the samples are cut: samples do not see one another, and all counts are integers.

    Args:
        path: The file; None: nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._journal: Journal | None = None

    def __enter__(self) -> ResumableRun:
        return self

    def __exit__(self, *_: object) -> None:
        if self._journal is not None:
            self._journal.close()

    def run(
        self,
        levels: NDArray[np.uint8],
        run: RunPiece,
        *,
        identity: Callable[[], Mapping[str, object]],
        progress: Progress = Unheard(),
        going_on: Callable[[int], None] | None = None,
    ) -> RunResult:
        """Run the samples that are not done yet.

        Args:
            levels: Input levels of all samples, (samples, *input shape), at least one.
            run: Runs some of them.
            identity: Gives what the result depends on beside them.
            progress: Told how many samples are done, and once, after the first ones, how long the others will take.
            going_on: Told how many samples were done before, where some were.

        Returns:
            The result of all samples: what ``run`` gives for all of them at once.

        Raises:
            OutputError: The file cannot be written, is in use, or holds another run.
        """
        if self._path is None:
            return run(levels, progress)
        self._journal = Journal(self._path, {**identity(), "samples": len(levels), "data": _hash(levels)})
        results = [from_bytes(each) for each in self._journal.records]
        self._journal.records.clear()
        done = sum(each.samples for each in results)
        if done and going_on:
            going_on(done)
        size, is_told = 1, False
        while done < len(levels):
            progress.advance(done)
            piece = levels[done : done + size]
            start = time.perf_counter()
            result = run(piece, PartOf(progress, done, says=False))
            seconds = time.perf_counter() - start
            self._journal.append(to_bytes(result))
            results.append(result)
            done += len(piece)
            # Shorter ones pay too much for what starts only once.
            if not is_told and seconds > SECONDS / GROWTH:
                progress.say(long_run(seconds * (len(levels) - done) / len(piece), len(levels)))
                is_told = True
            size = next_size(len(piece), seconds)
        return join_results(results)

    def finish(self) -> None:
        """Remove the file: the result has got where it should."""
        if self._journal is not None:
            self._journal.remove()


def next_size(size: int, seconds: float) -> int:
    """Return how many samples the next piece has.

    Args:
        size: Samples of the one before.
        seconds: What it took.
    """
    return max(1, min(GROWTH * size, int(size * SECONDS / max(seconds, 1e-9))))


def _hash(levels: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(levels).data).hexdigest()
