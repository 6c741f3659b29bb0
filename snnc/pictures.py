"""Where pictures may be written, and writing them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from snnc.errors import OutputError
from snnc.whole_file import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".pdf", ".png", ".svg")


def check_picture(path: str | Path) -> Path:
    """The path, if its suffix is that of a picture.

    Raises:
        OutputError: It is another one.
    """
    destination = Path(path)
    if destination.suffix.lower() not in FORMATS:
        raise OutputError(
            "is no picture that can be drawn",
            where=str(path),
            expected=" or ".join(FORMATS),
            found=destination.suffix or "none",
        )
    return destination


def save_picture(figure: Figure, path: Path) -> None:
    """Writes a figure in the format that the path's suffix says.

    Raises:
        OutputError: The file cannot be written.
    """
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix[1:].lower(), dpi=150)
    write_whole(path, content.getvalue())
