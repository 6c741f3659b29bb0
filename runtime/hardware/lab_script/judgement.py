"""Whether a run gave what is expected."""

from __future__ import annotations

import argparse
import platform
from typing import Any

from snnc.runtime.hardware.lab_script.bundle_folder import VERSION, Bundle
from snnc.runtime.hardware.lab_script.outcome import Outcome

# What is passed on from the bundle.
PASSED_ON = ("snnc", "network", "target", "data", "timesteps", "lead", "estimates")


def judge(bundle: Bundle, outcome: Outcome, options: argparse.Namespace) -> dict[str, Any]:
    """What is written to the result file.

    Args:
        bundle: The bundle.
        outcome: What the run gave.
        options: The command line's.
    """
    layers = [_layer(bundle, outcome, index) for index in range(len(bundle.layers))]
    different = int((outcome.readout != bundle.readout).sum())
    labels = None
    if bundle.labels is not None:
        labels = {
            "expected_right": int((bundle.predictions(bundle.readout) == bundle.labels).sum()),
            "found_right": int((bundle.predictions(outcome.readout) == bundle.labels).sum()),
        }
    return {
        "format": "snnc-lab-result",
        "version": VERSION,
        **{name: bundle.form[name] for name in PASSED_ON},
        "samples": bundle.samples,
        "backend": options.backend,
        "board": options.board or options.host or options.partition,
        "machine": platform.platform(),
        "versions": _versions(),
        "passed": not different and not any(each["different"] for each in layers),
        "layers": layers,
        "readouts": {"values": int(bundle.readout.size), "different": different},
        "labels": labels,
        "steps": outcome.steps,
        "seconds": {"start": outcome.start_seconds, "run": outcome.run_seconds},
        "chip": outcome.chip,
    }


def _layer(bundle: Bundle, outcome: Outcome, index: int) -> dict[str, Any]:
    expected = bundle.expected(index)
    found = None if outcome.spikes is None else outcome.spikes[index]
    return {
        "name": bundle.layers[index]["name"],
        "expected": int(expected.sum()),
        "found": None if found is None else int(found.sum()),
        # Places where one has a spike and the other has none.
        "different": None if found is None else int((found != expected).sum()),
    }


def _versions() -> dict[str, str | None]:
    """Of Python and of what computes."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in ("lava-nc", "lava-loihi", "numpy", "scipy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
