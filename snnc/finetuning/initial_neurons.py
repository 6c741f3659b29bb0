"""Thresholds and initial potentials to begin with, as the compiler chooses them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from snnc.compiler.frontend import choose_coding
from snnc.compiler.ir import Graph, MaxPool2d, SpikingLayer
from snnc.compiler.ir.ops import FloatArray
from snnc.compiler.lowering import lowering
from snnc.compiler.passes.manager import PassManager
from snnc.compiler.passes.profile_activations import ProfileActivations
from snnc.compiler.pipeline import Options, threshold_pass
from snnc.inputs import raw_values
from snnc.models.data import Dataset

__all__ = ["initial_neurons"]


def initial_neurons(
    graph: Graph, calibration: Dataset, options: Options, advance: Callable[[int], None] | None = None
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Vth and v0 of each channel of each ReLU, as ``snnc compile`` chooses them from the data.

    Args:
        graph: A network as :func:`snnc.finetuning.build_network.trainable_graph` gives it.
        calibration: Data to look at activations on.
        options: T, method, objective, mean and standard deviation.
        advance: Told how many samples were looked at.

    Returns:
        By the name of the ReLU's node.

    Raises:
        SnncError: Anything that the user can mend.
    """
    target = options.check()
    raw = raw_values(calibration)
    unit = calibration.unit if calibration.images.dtype == np.uint8 else None
    coding = choose_coding(
        raw, "graded" if target.graded_input else "rate", unit=unit, mean=options.mean, std=options.std
    )
    levels = coding.levels(raw)
    passes = (
        *lowering(coding, {node.name: "or" for node in graph.of_kind(MaxPool2d)}),
        ProfileActivations(levels, advance),
        threshold_pass(options, levels, coding),
    )
    lowered = PassManager(passes).run(graph)
    found = {}
    for node in lowered.of_kind(SpikingLayer):
        assert isinstance(node.op, SpikingLayer)
        assert node.op.threshold is not None and node.op.initial_potential is not None
        found[node.name] = (node.op.threshold, node.op.initial_potential)
    return found
