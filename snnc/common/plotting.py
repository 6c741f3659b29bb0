"""How pictures look, where they may be written, and writing them."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from snnc.common.atomic_write import write_whole
from snnc.common.errors import OutputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".pdf", ".png", ".svg")
# What stands for the ANN's activations and for the neurons' steps: two of Okabe and Ito's colours, which stay apart for
# the colour-blind. Axes and remarks; text.
ACTIVATIONS, STEPS, GREY, INK = "#0072B2", "#D55E00", "#8A8F98", "#2B2F36"


def style(*panels: Axes) -> None:
    """Give panels thin axes and small figures."""
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GREY)
        axes.tick_params(labelsize=8, color=GREY, labelcolor=INK)
        axes.xaxis.label.set_fontsize(8.5)
        axes.yaxis.label.set_fontsize(8.5)
        axes.margins(x=0)


def check_picture(path: str | Path) -> Path:
    """Return the path, if its suffix is that of a picture.

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
    """Write a figure in the format that the path's suffix says.

    Raises:
        OutputError: The file cannot be written.
    """
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix[1:].lower(), dpi=150)
    write_whole(path, content.getvalue())


def picture_address(figure: Figure, format: Literal["png", "svg"], *, dpi: int = 130) -> str:
    """Return a figure as a ``data:`` address, for a page that holds its pictures itself; the same for the same figure.

    Args:
        figure: The figure.
        format: ``png`` for many points; ``svg`` for few, which then stay sharp in print.
        dpi: Points of a .png for each inch.
    """
    from matplotlib import rc_context

    content = io.BytesIO()
    # What would differ from run to run: the date, and the random names of an .svg's parts.
    with rc_context({"svg.hashsalt": "snnc"}):
        figure.savefig(content, format=format, dpi=dpi, metadata={"Date": None} if format == "svg" else None)
    kind = {"png": "png", "svg": "svg+xml"}[format]
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"
