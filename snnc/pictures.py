"""Where pictures may be written, and writing them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from snnc.errors import OutputError

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
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise OutputError("cannot be written", where=str(path), found=(error.strerror or str(error)).lower()) from error
