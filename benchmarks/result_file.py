"""Results that a second call goes on with: a file of rows, all measured with the same settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snnc.common.atomic_write import write_whole


class ResultFile:
    """The rows of a table in a JSON file, which is written anew with each row.

    Args:
        file: The file; its folder is made where there is none.
        settings: What all rows share.
        older: Settings of files that were written before these existed.

    Attributes:
        content: All of the file.
        rows: Its rows.
    """

    def __init__(self, file: Path, settings: Mapping[str, Any], older: Mapping[str, Any] | None = None) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self.content: dict[str, Any] = (
            json.loads(file.read_text()) if file.exists() else {"settings": dict(settings), "rows": []}
        )
        if {**(older or {}), **self.content["settings"]} != settings:
            raise SystemExit(
                f"{file} was measured with {self.content['settings']}, not {settings}; give another --output"
            )
        self.rows: list[dict[str, Any]] = self.content["rows"]

    def add(self, row: dict[str, Any]) -> None:
        """Adds a row and writes the file."""
        self.rows.append(row)
        write_whole(self._file, (json.dumps(self.content, indent=2) + "\n").encode())
