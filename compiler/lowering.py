"""The exact half of the pipeline: from a traced network to spiking layers, without loss."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from snnc.compiler.passes.drop_identity import DropIdentity
from snnc.compiler.passes.fold_affine import FoldAffine, NormalizeInput
from snnc.compiler.passes.fold_batch_norm import FoldBatchNorm
from snnc.compiler.passes.form_spiking_layers import FormSpikingLayers
from snnc.compiler.passes.lower_concatenation import LowerConcatenation
from snnc.compiler.passes.lower_max_pooling import LowerMaxPooling, MaxPooling
from snnc.compiler.passes.lower_pooling import LowerPooling
from snnc.compiler.passes.lower_transposed import LowerTransposed
from snnc.compiler.passes.manager import Pass
from snnc.compiler.passes.merge_linear import MergeLinear
from snnc.compiler.program import InputCoding


def lowering(coding: InputCoding, max_pooling: Mapping[str, MaxPooling] = MappingProxyType({})) -> tuple[Pass, ...]:
    """The passes up to the forming of spiking layers; the graph then takes input levels.

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
