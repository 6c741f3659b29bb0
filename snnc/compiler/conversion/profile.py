"""What every layer does on the calibration data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.errors import ModelError
from snnc.common.memory import available_memory, keep_freed_memory
from snnc.common.progress import Progress, Unheard
from snnc.compiler.ir import ActivationProfile, Graph, IntegrateAndFire, Node, Operation, Readout, SpikingLayer, execute
from snnc.compiler.ir.exact_sums import ExactSums, exact_sums
from snnc.compiler.ir.graph import channels_last
from snnc.compiler.ir.passes import Counts, Pass, PassResult
from snnc.compiler.ir.spec import LOWERED, PROFILED
from snnc.compiler.parallel import Processes

BATCH = 64


class ProfileActivations(Pass):
    """Runs the ANN on the calibration data and sketches, for each layer, the activations and the ReLU's input range.

    One pass over the data, batch by batch; nothing is kept of a batch but what the profile says of it. Several
    processes share the batches; the batches themselves are the same, so that the profile is too.
    It computes exact sums (:class:`ExactSums`): those of float32 differ in their last bits between versions of PyTorch,
    numbers of threads and sizes of batches, enough to move activations to other bins of the sketch.

    Args:
        levels: Calibration data as input levels, (samples, *input shape), of any number type.
        progress: Told how many samples are done, after each batch.
        processes: Those that share the work.
    """

    title = "profiling activations"
    requires = (LOWERED,)
    ensures = (PROFILED,)

    def __init__(
        self,
        levels: NDArray[np.generic],
        progress: Progress = Unheard(),
        processes: Processes | None = None,
    ) -> None:
        self._levels = levels
        self.total = len(levels)
        self._progress = progress
        self._processes = processes or Processes()

    def run(self, graph: Graph) -> PassResult:
        """Add a profile to each layer."""
        keep_freed_memory()
        graph = graph.copy()
        layers = graph.of_kind(SpikingLayer, Readout)
        profiles = {
            node.name: ActivationProfile.empty(node.shape[0], spiking=isinstance(node.op, SpikingLayer))
            for node in layers
        }
        # All processes have to cut the data into the same batches.
        size = self._processes.least(_batch_size(graph))
        sums = exact_sums(graph)
        for start in self._processes.share(range(0, len(self._levels), size)):
            batch = torch.as_tensor(self._levels[start : start + size], dtype=torch.float32)
            profile_batch(graph, batch, profiles, sums)
            self._progress.advance(min(start + size, len(self._levels)))
        for node in layers:
            self._processes.merge(profiles[node.name])
        dead = 0
        for node in layers:
            assert isinstance(node.op, SpikingLayer | Readout)
            profile = profiles[node.name]
            dead += int((profile.drive_maximum <= 0).sum()) if isinstance(node.op, SpikingLayer) else 0
            graph.replace(node.name, replace(node.op, profile=profile))
        return PassResult(graph, True, Counts({"samples": len(self._levels), "dead_channels": dead}))


def _batch_size(graph: Graph) -> int:
    """Return how many samples are run at once: halved until memory holds what a layer reads, sums and gives of them."""
    available = available_memory()
    widest = max(
        2 * math.prod(node.shape) + sum(math.prod(graph[each].shape) for each in node.inputs) for node in graph
    )
    size = BATCH
    while available is not None and size > 1 and 8 * size * widest > available:
        size //= 2
    return size


def _observed(op: Operation, drive: torch.Tensor, profile: ActivationProfile) -> torch.Tensor:
    """Add a layer's drive to its profile, and return what the ANN makes of it."""
    assert isinstance(op, SpikingLayer | Readout)
    if isinstance(op, Readout):
        profile.add(drive)
        return drive
    if op.is_rectified_only:
        # The drive says all of a plain ReLU, which may then take its place: fresh memory would cost more than it.
        profile.add(drive)
        return drive.relu_()
    if isinstance(op.activation, IntegrateAndFire):
        # Its rates say nothing of the thresholds that would suit the drive, whose positive part does.
        profile.add(drive)
        return op.activate(drive)
    activations = op.activate(drive)
    profile.add(drive, activations)
    return activations


def profile_batch(
    graph: Graph, batch: torch.Tensor, profiles: dict[str, ActivationProfile], sums: Mapping[str, ExactSums]
) -> None:
    """Add to each layer's profile what the layer does on a batch.

    Args:
        graph: A network of spiking layers.
        batch: (batch, *input shape), levels, float32.
        profiles: One for each layer, by its name.
        sums: What computes each layer's drive, by its name.

    Raises:
        ModelError: A layer's sums are beyond the numbers of float32.
    """

    def observed(node: Node, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        arguments = tuple(channels_last(each) for each in inputs)
        if node.name not in profiles:
            return node.op.apply(*arguments)
        try:
            return _observed(node.op, sums[node.name].drive(*arguments), profiles[node.name])
        except OverflowError:
            raise ModelError(
                "its activations are beyond the numbers that the network computes in",
                where=node.where,
                expected=f"values up to {torch.finfo(torch.float32).max:.2g}, as float32 has them",
                found="infinity on the calibration data",
                advice="look at the weights of this layer and of those before it: a batch normalisation whose running "
                "variance is near 0, or training that diverged, makes them so large",
            ) from None

    execute(graph, batch, apply=observed)
