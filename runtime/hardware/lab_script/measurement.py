"""Time, energy and power by Lava's profiler."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnc.runtime.hardware.lab_script.lab_error import one_line


class Measurement:
    """Probes of a board; those that it has not are noted, since spikes can be compared without them.

    Args:
        configuration: How Lava will run.
        steps: Steps that it will run.
    """

    def __init__(self, configuration: Any, steps: int) -> None:
        self._profiler: Any = None
        self._notes: list[str] = []
        try:
            from lava.utils.profiler import Profiler

            self._profiler = Profiler.init(configuration)
        except Exception as error:  # noqa: BLE001 - whatever Intel's extension raises
            self._notes.append(f"nothing was measured: {one_line(error)}")
            return
        for name in ("execution_time_probe", "energy_probe"):
            try:
                getattr(self._profiler, name)(num_steps=steps)
            except Exception as error:  # noqa: BLE001 - as above
                self._notes.append(f"{name}: {one_line(error)}")

    def form(self) -> dict[str, Any]:
        """What was measured over all steps, after they ran; None where it was not."""
        return {
            "seconds": self._total("execution_time"),
            "joules": self._total("energy"),
            "static_joules": self._total("static_energy"),
            "dynamic_joules": self._total("dynamic_energy"),
            "watts": self._total("power"),
            "notes": self._notes,
        }

    def _total(self, name: str) -> float | None:
        if self._profiler is None:
            return None
        try:
            value = float(np.sum(getattr(self._profiler, name)))
        except Exception as error:  # noqa: BLE001 - as above
            self._notes.append(f"{name}: {one_line(error)}")
            return None
        return value if np.isfinite(value) and value >= 0 else None
