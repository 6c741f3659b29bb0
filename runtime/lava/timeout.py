"""How long Lava may take before its processes count as hung."""

from __future__ import annotations

from snnc.errors import OptionError

# Seconds to start, and for a sample. Lava's models take seconds for a sample of a ResNet20.
DEFAULT_TIMEOUT = 600.0


def check_timeout(seconds: float) -> None:
    """Raises OptionError unless the number of seconds is positive."""
    if not seconds > 0:
        raise OptionError("is out of range", where="lava timeout", expected="more than 0 seconds", found=f"{seconds:g}")
