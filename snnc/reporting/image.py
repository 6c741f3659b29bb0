"""A picture inside a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from snnc.pictures import picture_address

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A browser's pixels in an inch.
_PIXELS = 96


@dataclass(frozen=True)
class Image:
    """A picture with what the page says of it.

    Attributes:
        address: Its content, as a ``data:`` address.
        text: What it shows, for those who cannot see it.
        width: Pixels that it takes where there is room.
        height: Likewise.
    """

    address: str
    text: str
    width: int
    height: int


def image(figure: Figure, text: str, *, format: Literal["png", "svg"] = "png") -> Image:
    """Takes a figure into a page.

    Args:
        figure: The figure; .png for many points, .svg for few, which then stay sharp in print.
        text: What it shows.
        format: One of the two.
    """
    width, height = (round(_PIXELS * float(inches)) for inches in figure.get_size_inches())
    return Image(picture_address(figure, format), text, width, height)
