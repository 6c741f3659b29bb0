"""Options that win accuracy back where few steps cost it, as messages name them."""

from __future__ import annotations

# Corrections that are worth their time wherever accuracy counts.
CALIBRATE_OPTION = "--calibrate weights,spread,bias"


def lead_option(timesteps: int) -> str:
    """The lead that most often helps: half of T."""
    return f"--lead {max(1, timesteps // 2)}"
