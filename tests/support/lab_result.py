"""A result of run_lab.py, as JSON has it."""

from __future__ import annotations

from typing import Any

RESULT: dict[str, Any] = {
    "format": "snnc-lab-result",
    "version": 1,
    "snnc": "0.1.0",
    "network": "ab" * 32,
    "target": "loihi2",
    "data": "digits",
    "timesteps": 7,
    "lead": 0,
    "estimates": {
        "synaptic_operations": 1234.5,
        "energy": [{"model": "loihi1", "snn_joules": 1e-6, "ann_joules": None}],
    },
    "samples": 10,
    "backend": "loihi2",
    "board": "ncl-1",
    "machine": "Linux",
    "versions": {"python": "3.8.10", "lava-nc": "0.10.0", "lava-loihi": None},
    "passed": True,
    "layers": [{"name": "one", "expected": 100, "found": 100, "different": 0}],
    "readouts": {"values": 100, "different": 0},
    "labels": {"expected_right": 9, "found_right": 9},
    "steps": 82,
    "seconds": {"start": 3.5, "run": 0.25},
    "chip": {
        "seconds": 0.001, "joules": 0.02, "static_joules": 0.015, "dynamic_joules": 0.005, "watts": 20, "notes": ["x"]
    },
}  # fmt: skip
