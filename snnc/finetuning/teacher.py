"""The ANN whose logits are distilled into a spiking network."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from snnc.errors import OptionError
from snnc.finetuning.start import is_finetuned
from snnc.inputs import as_module

__all__ = ["distilled_ann"]


def distilled_ann(
    module: nn.Module,
    teacher: nn.Module | str | Path | None,
    distill: float,
    *,
    name: str = "the model",
    arch: str | None = None,
    trust: bool = False,
) -> nn.Module | None:
    """The ANN that teaches; None where nothing is distilled.

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
