"""What fine-tuning starts from: the spiking network with its thresholds and initial potentials, and the teacher."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from snnc.common.arrays import FloatArray
from snnc.common.errors import OptionError, UnsupportedError
from snnc.common.progress import PartOf, Progress, Unheard
from snnc.compiler.frontend import trace
from snnc.compiler.ir import Graph, IntegrateAndFire, ReLU, SpikingLayer
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import convert, profile
from snnc.finetuning.build_network import build_network, trainable_graph
from snnc.finetuning.options import DATA_DRIVEN, KEEP, FinetuneOptions
from snnc.inputs.data import as_module, raw_values
from snnc.models.data import Dataset
from snnc.models.spiking import SpikingNetwork

__all__ = ["distilled_ann", "initial_neurons", "is_finetuned", "spiking_network"]


def initial_neurons(
    graph: Graph, calibration: Dataset, options: CompileOptions, progress: Progress = Unheard()
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return Vth and v0 of each channel of each ReLU, as ``snnc compile`` chooses them from the data.

    Args:
        graph: A network as :func:`snnc.finetuning.build_network.trainable_graph` gives it.
        calibration: Data to look at activations on.
        options: T, method, objective, mean and standard deviation.
        progress: Told how many samples were looked at, in the step that is under way.

    Returns:
        By the name of the ReLU's node.

    Raises:
        SnncError: Anything that the user can mend.
    """
    unit = calibration.unit if calibration.images.dtype == np.uint8 else None
    # Training knows maximum pooling of spikes in this way only.
    made = profile(
        graph, raw_values(calibration), replace(options, max_pool="or"), unit=unit, progress=PartOf(progress)
    )
    lowered = convert(made, options).graph
    found = {}
    for node in lowered.of_kind(SpikingLayer):
        assert isinstance(node.op, SpikingLayer)
        assert node.op.threshold is not None and node.op.initial_potential is not None
        found[node.name] = (node.op.threshold, node.op.initial_potential)
    return found


def is_finetuned(module: nn.Module) -> bool:
    """Return whether a network comes out of a fine-tuning run."""
    return isinstance(module, SpikingNetwork)


def spiking_network(
    module: nn.Module,
    calibration: Dataset,
    chosen: FinetuneOptions,
    progress: Progress = Unheard(),
) -> SpikingNetwork:
    """Return the network with integrate-and-fire neurons in place of its activations, its weights as they are.

    Args:
        module: The ANN, or a network that was fine-tuned before, for any T.
        calibration: Data to choose thresholds and initial potentials on.
        chosen: T, lead, and how thresholds are chosen. ``keep`` takes those of a network that was fine-tuned before.
        progress: Told how many samples were looked at, in the step that is under way.

    Raises:
        OptionError: An option is out of range, or there are no thresholds to keep.
        UnsupportedError: The network holds something that cannot be trained; the message names it.
        SnncError: Anything else that the user can mend.
    """
    CompileOptions(timesteps=chosen.timesteps, lead=chosen.lead).check()
    graph = trainable_graph(trace(module, tuple(calibration.images.shape[1:])))
    if not graph.of_kind(ReLU):
        raise UnsupportedError("the network has no ReLU, so nothing would spike", expected="at least one ReLU")
    neurons = (
        _kept(graph) if chosen.threshold == KEEP else initial_neurons(graph, calibration, _options(chosen), progress)
    )
    # New layers draw weights before they get their own.
    with torch.random.fork_rng(devices=[]):
        return build_network(graph, neurons, chosen.timesteps, chosen.lead)


def _options(chosen: FinetuneOptions) -> CompileOptions:
    return CompileOptions(
        timesteps=chosen.timesteps,
        threshold=chosen.threshold or DATA_DRIVEN,
        per_channel=chosen.per_channel,
        objective=chosen.objective,
        lead=chosen.lead,
        mean=chosen.means,
        std=chosen.stds,
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


def distilled_ann(
    module: nn.Module,
    teacher: nn.Module | str | Path | None,
    distill: float,
    *,
    name: str = "the model",
    arch: str | None = None,
    trust: bool = False,
) -> nn.Module | None:
    """Return the ANN that teaches; None where nothing is distilled.

    Args:
        module: The network that is fine-tuned; an ANN teaches itself.
        teacher: Another one, or its file; None: the network itself.
        distill: Share of the loss that it decides, 0..1; 0: none.
        name: What errors call the network that is fine-tuned.
        arch: As for :func:`snnc.compile`, where ``teacher`` is a file.
        trust: As for :func:`snnc.compile`.

    Raises:
        OptionError: There is a teacher and nothing to distil, or the network is a spiking one and there is none.
        SnncError: The teacher's file cannot be read.
    """
    if not distill:
        if teacher is not None:
            raise OptionError("has nothing to teach", where="--teacher", expected="--distill above 0")
        return None
    if teacher is not None:
        return as_module(teacher, arch=arch, trust=trust)
    if is_finetuned(module):
        raise OptionError(
            "is missing", where="--teacher", expected="the ANN to distil", found=f"{name}, a spiking network"
        )
    return module
