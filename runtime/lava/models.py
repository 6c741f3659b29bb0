"""Which process models run a Lava network on a CPU."""

from __future__ import annotations

from typing import Literal, get_args

from snnc.errors import OptionError

LavaModels = Literal["fast", "stock"]
LAVA_MODELS: tuple[LavaModels, ...] = get_args(LavaModels)
DEFAULT_MODELS: LavaModels = "fast"


def check_models(models: str) -> LavaModels:
    """The choice, if it is one.

    Args:
        models: ``fast`` (ours, in one process) or ``stock`` (Lava's, in Lava's runtime).

    Raises:
        OptionError: It is something else.
    """
    for each in LAVA_MODELS:
        if models == each:
            return each
    raise OptionError("unknown models", where="lava models", expected=" or ".join(LAVA_MODELS), found=repr(models))
