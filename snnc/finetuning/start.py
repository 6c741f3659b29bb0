"""The spiking network that fine-tuning starts from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from snnc.compiler.frontend import trace
from snnc.compiler.ir import Graph, IntegrateAndFire, ReLU
from snnc.compiler.ir.ops import FloatArray
from snnc.compiler.pipeline import Options
from snnc.errors import OptionError, UnsupportedError
from snnc.finetuning.build_network import build_network, trainable_graph
from snnc.finetuning.initial_neurons import initial_neurons
from snnc.finetuning.settings import KEEP, FinetuneSettings
from snnc.models.data import Dataset
from snnc.models.spiking import SpikingNetwork

__all__ = ["is_finetuned", "spiking_network"]


def is_finetuned(module: nn.Module) -> bool:
    """Whether a network comes out of a fine-tuning run."""
    return isinstance(module, SpikingNetwork)


def spiking_network(
    module: nn.Module,
    calibration: Dataset,
    settings: FinetuneSettings,
    advance: Callable[[int], None] | None = None,
) -> SpikingNetwork:
    """The network with integrate-and-fire neurons in place of its activations, its weights as they are.

    Args:
        module: The ANN, or a network that was fine-tuned before, for any T.
        calibration: Data to choose thresholds and initial potentials on.
        settings: T, lead, and how thresholds are chosen. ``keep`` takes those of a network that was fine-tuned before.
        advance: Told how many samples were looked at.

    Raises:
        OptionError: A setting is out of range, or there are no thresholds to keep.
        UnsupportedError: The network holds something that cannot be trained; the message names it.
        SnncError: Anything else that the user can mend.
    """
    Options(timesteps=settings.timesteps, lead=settings.lead).check()
    graph = trainable_graph(trace(module, tuple(calibration.images.shape[1:])))
    if not graph.of_kind(ReLU):
        raise UnsupportedError("the network has no ReLU, so nothing would spike", expected="at least one ReLU")
    neurons = (
        _kept(graph) if settings.threshold == KEEP else initial_neurons(graph, calibration, _options(settings), advance)
    )
    # New layers draw weights before they get their own.
    with torch.random.fork_rng(devices=[]):
        return build_network(graph, neurons, settings.timesteps, settings.lead)


def _options(settings: FinetuneSettings) -> Options:
    return Options(
        timesteps=settings.timesteps,
        threshold=settings.threshold,
        per_channel=settings.per_channel,
        objective=settings.objective,
        lead=settings.lead,
        mean=settings.mean,
        std=settings.std,
    )


def _kept(graph: Graph) -> dict[str, tuple[FloatArray, FloatArray]]:
    found = {}
    for node in graph.of_kind(ReLU):
        if not isinstance(node.op, IntegrateAndFire):
            raise OptionError(
                "there are no thresholds to keep",
                where="--threshold",
                expected="a network that snnc finetune wrote",
                found=f"{node.op.kind} at {node.where}",
                advice="choose data-driven",
            )
        found[node.name] = (node.op.thresholds, node.op.potentials)
    return found
