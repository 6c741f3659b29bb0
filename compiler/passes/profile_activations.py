"""What every layer does on the calibration data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.ir import ActivationProfile, Graph, Node, Readout, SpikingLayer, execute
from snnc.compiler.passes.conditions import profiled, spiking
from snnc.compiler.passes.manager import Pass, PassResult

BATCH = 64


class ProfileActivations(Pass):
    """Runs the ANN on the calibration data and keeps, for each layer, activations and the range of the ReLU's input.

    Args:
        levels: Calibration data as input levels, (samples, *input shape), uint8.
        advance: Called with the number of samples done after each batch.
    """

    title = "profiling activations"
    requires = (spiking,)
    ensures = (profiled,)

    def __init__(self, levels: NDArray[np.uint8], advance: Callable[[int], None] | None = None) -> None:
        self._levels = levels
        self._advance = advance

    def run(self, graph: Graph) -> PassResult:
        """Adds a profile to each layer."""
        graph = graph.copy()
        layers = graph.of_kind(SpikingLayer, Readout)
        collected: dict[str, list[ActivationProfile]] = {node.name: [] for node in layers}
        for start in range(0, len(self._levels), BATCH):
            batch = torch.as_tensor(self._levels[start : start + BATCH], dtype=torch.float32)
            keep = {node.inputs[0] for node in layers}
            values = execute(graph, batch, keep=keep)
            for node in layers:
                collected[node.name].append(_profile(node, tuple(values[name] for name in node.inputs)))
            if self._advance:
                self._advance(min(start + BATCH, len(self._levels)))
        dead = 0
        for node in layers:
            assert isinstance(node.op, SpikingLayer | Readout)
            profile = _merge(collected[node.name])
            dead += int((profile.drive_maximum <= 0).sum()) if isinstance(node.op, SpikingLayer) else 0
            graph.replace(node.name, replace(node.op, profile=profile))
        return PassResult(graph, True, {"samples": len(self._levels), "dead_channels": dead})


def _profile(node: Node, inputs: tuple[torch.Tensor, ...]) -> ActivationProfile:
    assert isinstance(node.op, SpikingLayer | Readout)
    with torch.no_grad():
        drive = node.op.drive(*inputs).transpose(0, 1).flatten(1)
    activations = node.op.activate(drive).numpy() if isinstance(node.op, SpikingLayer) else np.zeros((0, 0), np.float32)
    return ActivationProfile(
        activations, drive.amin(1).numpy().astype(np.float64), drive.amax(1).numpy().astype(np.float64)
    )


def _merge(profiles: list[ActivationProfile]) -> ActivationProfile:
    return ActivationProfile(
        np.concatenate([profile.activations for profile in profiles], axis=1),
        np.min([profile.drive_minimum for profile in profiles], axis=0),
        np.max([profile.drive_maximum for profile in profiles], axis=0),
    )
