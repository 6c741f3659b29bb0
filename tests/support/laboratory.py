"""Bundles, unpacked and run as a laboratory would that has no snnc."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from snnc.program import Program
from snnc.runtime.hardware.lab import write_bundle
from snnc.runtime.simulator import Simulator

STAND_INS = Path(__file__).parent / "board"
# Runs a script where snnc cannot be imported, installed or not.
WITHOUT_SNNC = """
import runpy, sys
sys.modules["snnc"] = None
try:
    import snnc
except ImportError:
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
else:
    sys.exit("snnc is there")
"""
WITH_STAND_INS = f"import sys; sys.path.insert(0, {str(STAND_INS)!r}); import stand_ins; stand_ins.install()\n"


def bundled(program: Program, levels: np.ndarray, path: Path, labels: np.ndarray | None = None) -> Path:
    """A bundle of a program and samples, unpacked; gives its folder."""
    expected = Simulator(program).run(levels, record=True)
    write_bundle(program, levels, expected, path / "lab.tar.gz", data="random", labels=labels)
    return unpacked(path / "lab.tar.gz", path)


def unpacked(bundle: Path, path: Path) -> Path:
    """The folder of a bundle that was unpacked at a path."""
    with tarfile.open(bundle) as archive:
        archive.extractall(path, filter="data")
    return path / "snnc-lab"


def command(folder: Path, *arguments: object, before: str = "") -> list[str]:
    """What runs the script."""
    return [sys.executable, "-I", "-c", before + WITHOUT_SNNC, str(folder / "run_lab.py"), *map(str, arguments)]


def environment() -> dict[str, str]:
    """Without what leads to snnc."""
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, "OMP_NUM_THREADS": "1"}


def run_lab(folder: Path, *arguments: object, before: str = "") -> tuple[subprocess.CompletedProcess[str], Any]:
    """Runs the script in another folder; gives how that ended, and its result file."""
    output = folder.parent / "result.json"
    done = subprocess.run(
        command(folder, "-o", output, *arguments, before=before),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=folder.parent,
        env=environment(),
    )
    return done, json.loads(output.read_text()) if output.exists() else None
