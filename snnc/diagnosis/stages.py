"""How much accuracy is left when the ANN's activations are replaced, step by step, by what spikes can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.ir import Graph, Node, execute
from snnc.compiler.ir.execute import apply_node
from snnc.diagnosis.layer_errors import LayerErrorSums

STAGES = ("the ANN", "clipped at the thresholds", "and rounded to T levels", "spikes on the simulator")


@dataclass(frozen=True)
class Stage:
    """One step from the ANN to the chip.

    Attributes:
        name: One of ``STAGES``.
        accuracy: Share of right predictions, 0..1; None without labels.
        agreement: Share of samples with the ANN's prediction, 0..1.
    """

    name: str
    accuracy: float | None
    agreement: float


def staged_predictions(
    graph: Graph,
    images: torch.Tensor,
    sums: Mapping[str, LayerErrorSums],
    thresholds: Mapping[str, NDArray[np.float64]],
    output: str,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Predictions of the ANN with each activation clipped, and with each clipped and rounded.

    Args:
        graph: The traced ANN.
        images: What it sees.
        sums: For each spiking layer by name what knows its levels.
        thresholds: Vth of each, shaped to be combined with a batch.
        output: The node that holds the logits.

    Returns:
        The two, (samples,) each.
    """

    def clipped(node: Node, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        value = apply_node(node, inputs)
        if node.name not in sums:
            return value
        return torch.minimum(value, torch.as_tensor(thresholds[node.name], dtype=value.dtype))

    def rounded(node: Node, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        value = apply_node(node, inputs)
        if node.name not in sums:
            return value
        return torch.as_tensor(sums[node.name].levels(value.numpy().astype(np.float64)), dtype=value.dtype)

    first, second = (
        execute(graph, images, keep=[output], apply=each)[output].flatten(1).argmax(1).numpy()
        for each in (clipped, rounded)
    )
    return first, second
