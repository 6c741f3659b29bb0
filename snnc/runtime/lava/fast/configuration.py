"""The run configuration that chooses the fast models."""

from __future__ import annotations

import logging

from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.domain import SyncDomain
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.sparse.process import DelaySparse, Sparse

from snnc.runtime.lava.fast.conv import FastConvModel
from snnc.runtime.lava.fast.neurons import FastLIFModel, FastLIFResetModel
from snnc.runtime.lava.fast.synapses import FastDelayDenseModel, FastDelaySparseModel, FastDenseModel, FastSparseModel

FAST_MODELS = {
    Conv: FastConvModel,
    Dense: FastDenseModel,
    DelayDense: FastDelayDenseModel,
    Sparse: FastSparseModel,
    DelaySparse: FastDelaySparseModel,
    LIF: FastLIFModel,
    LIFReset: FastLIFResetModel,
}


class FastSimCfg(Loihi2SimCfg):  # type: ignore[misc]  # lava-nc has no type information
    """Lava's ``Loihi2SimCfg(select_tag="fixed_pt")``, with our models where we have any.

    It works with Lava's own runtime too: ``process.run(condition=..., run_cfg=FastSimCfg())``.

    Args:
        custom_sync_domains: As for Lava's.
        loglevel: As for Lava's.
    """

    def __init__(self, custom_sync_domains: list[SyncDomain] | None = None, loglevel: int = logging.WARNING) -> None:
        super().__init__(
            custom_sync_domains=custom_sync_domains,
            select_tag="fixed_pt",
            exception_proc_model_map=dict(FAST_MODELS),
            loglevel=loglevel,
        )
