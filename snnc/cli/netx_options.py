"""The options of ``snnc run`` for netx files that snnc did not write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from snnc.errors import OptionError

_ONLY = "Others' netx files:"

Timesteps = Annotated[
    int | None,
    typer.Option(
        "-T",
        "--timesteps",
        help=f"{_ONLY} steps of a sample.  [default: those of the events or, of images, what the file says]",
    ),
]
ResetInterval = Annotated[
    int | None,
    typer.Option(
        "--reset-interval",
        help=f"{_ONLY} netx's reset_interval, steps from one reset of the neurons to the next; 0: never.  "
        "[default: T, as each sample reaches a layer]",
    ),
]
ResetOffset = Annotated[
    int | None,
    typer.Option(
        "--reset-offset", help=f"{_ONLY} netx's reset_offset.  [default: what resets with the first input of a sample]"
    ),
]
InputBits = Annotated[
    int | None,
    typer.Option(
        "--input-bits", help=f"{_ONLY} netx's input_message_bits: numbers of so many bits arrive.  [default: 0, spikes]"
    ),
]
NumLayers = Annotated[
    int | None,
    typer.Option("--num-layers", help=f"{_ONLY} run the first so many entries, as netx counts.  [default: all]"),
]
SkipLayers = Annotated[
    int | None,
    typer.Option("--skip-layers", help=f"{_ONLY} leave out so many of these at the beginning.  [default: 0]"),
]
Mean = Annotated[
    str | None,
    typer.Option(
        "--mean", metavar="X[,X,X]", help=f"{_ONLY} what is subtracted from images for an input block.  [default: 0]"
    ),
]
Std = Annotated[
    str | None, typer.Option("--std", metavar="X[,X,X]", help=f"{_ONLY} what they are divided by then.  [default: 1]")
]


def refuse(given: Mapping[str, object], what: str) -> None:
    """Refuses options that are for another kind of file.

    Args:
        given: By option its value, None where it was left out.
        what: What they are not for.

    Raises:
        OptionError: One was given.
    """
    for option, value in given.items():
        if value is not None:
            raise OptionError(f"is not for {what}", where=option, found=str(value), advice="leave it out")
