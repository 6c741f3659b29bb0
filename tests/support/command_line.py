"""How the tests call commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

# Runs a command and returns what it printed.
Call = Callable[..., str]
# Returns the exit code, and what was printed to stdout and stderr.
FullCall = Callable[..., tuple[int, str, str]]


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snnc", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
