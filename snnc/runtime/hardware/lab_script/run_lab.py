"""Runs the network of this folder on Loihi 2, or on Lava's CPU simulator, and compares it with what is expected.

Part of a bundle that `snnc bundle` packed. It needs Python 3.8 or newer, lava-nc, numpy and scipy, and nothing of snnc;
for a board also Intel's lava-loihi.

Exit codes: 0 all spikes and readouts are as expected, 1 some are not, 2 it could not run, 130 interrupted,
143 terminated.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    folder = Path(__file__).resolve().parent
    # python -I leaves it out.
    sys.path.insert(0, str(folder))
    try:
        from snnc.runtime.hardware.lab_script.command import main
        from snnc.runtime.hardware.lab_script.network import watch_offspring
    except ImportError as error:
        sys.exit(f"error: {error}; install lava-nc, which brings what is missing")
    watch_offspring()
    sys.exit(main(folder))
