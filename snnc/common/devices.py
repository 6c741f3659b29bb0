"""Where to compute, by name."""

from __future__ import annotations

import os

import torch

from snnc.common.errors import OptionError


def chosen_device(text: str) -> torch.device:
    """Return a device of this machine.

    Args:
        text: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:NUMBER``. Of the processes that torchrun
            started on a machine each takes another GPU for ``auto`` and ``cuda``, as far as there are GPUs.

    Raises:
        OptionError: The text is none of these, or there is no such GPU.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if text == "auto" and not count:
        return torch.device("cpu")
    try:
        device = torch.device("cuda" if text == "auto" else text)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise OptionError("is no device", where="--device", expected="auto, cpu, cuda or cuda:NUMBER", found=repr(text))
    if device.type == "cpu":
        return device
    if (device.index or 0) >= count:
        raise OptionError(
            "there is no such GPU", where="--device", found=f"{count} GPUs", advice="choose cpu, auto or another number"
        )
    return torch.device(
        "cuda", int(os.environ.get("LOCAL_RANK", "0")) % count if device.index is None else device.index
    )
