"""Hybrid training: a converted network is trained on as a spiking one."""

from __future__ import annotations

from snnc.finetuning.settings import KEEP, FinetuneSettings, held_out_share
from snnc.finetuning.start import distilled_ann, is_finetuned, spiking_network
from snnc.finetuning.whole_run import FineTuning, finetune, finetune_network

__all__ = [
    "KEEP",
    "FineTuning",
    "FinetuneSettings",
    "distilled_ann",
    "finetune",
    "finetune_network",
    "held_out_share",
    "is_finetuned",
    "spiking_network",
]
