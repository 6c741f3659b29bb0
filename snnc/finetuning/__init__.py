"""Hybrid training: a converted network is trained on as a spiking one."""

from __future__ import annotations

from snnc.finetuning.session import Data, finetune_network
from snnc.finetuning.settings import KEEP, FinetuneSettings
from snnc.finetuning.start import distilled_ann, is_finetuned, spiking_network
from snnc.finetuning.whole_run import FineTuning, finetune

__all__ = [
    "KEEP",
    "Data",
    "FineTuning",
    "FinetuneSettings",
    "distilled_ann",
    "finetune",
    "finetune_network",
    "is_finetuned",
    "spiking_network",
]
