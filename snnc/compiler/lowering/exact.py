"""The exact half of the pipeline: from a traced network to spiking layers, without loss."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from snnc.compiler.ir.passes import Pass
from snnc.compiler.lowering.fold import FoldAffine, FoldBatchNorm, NormalizeInput
from snnc.compiler.lowering.max_pooling import LowerMaxPooling, MaxPooling
from snnc.compiler.lowering.merge_linear import MergeLinear
from snnc.compiler.lowering.simplify import DropIdentity, LowerConcatenation, LowerPooling, LowerTransposed
from snnc.compiler.lowering.spiking_layers import FormSpikingLayers
from snnc.program import InputCoding


def lowering(coding: InputCoding, max_pooling: Mapping[str, MaxPooling] = MappingProxyType({})) -> tuple[Pass, ...]:
    """Return the passes up to the forming of spiking layers; the graph then takes input levels.

    Args:
        coding: How data become levels; its map from levels to what the ANN saw is folded into the first layer.
        max_pooling: The way for each maximum pooling, by the name of its node.
    """
    return (
        DropIdentity(),
        LowerMaxPooling(max_pooling),
        LowerPooling(),
        LowerTransposed(),
        LowerConcatenation(),
        FoldBatchNorm(),
        NormalizeInput(coding.scale, coding.shift),
        FoldAffine(),
        MergeLinear(),
        FormSpikingLayers(),
    )
