"""Names of the formats of model files for help, which must not wait for torch: read in the files, nothing imported."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["format_names"]

_FILES = Path(__file__).parent / "frontend" / "files"
_DECLARED = re.compile(r'^FORMAT = Format\(\s*"([^"]+)"', re.MULTILINE)


def format_names() -> tuple[str, ...]:
    """Return the names of the formats that :func:`snnc.compiler.frontend.files.load.load_model` reads: torch first."""
    found = (name for file in _FILES.rglob("*.py") for name in _DECLARED.findall(file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda name: (not name.startswith("torch."), name.lower())))
