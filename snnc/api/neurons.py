"""What is for which neurons only."""

from __future__ import annotations

from pathlib import Path

from snnc.common.errors import OptionError
from snnc.inputs.data import as_program
from snnc.program import CompiledNetwork, Program


def spiking(program: CompiledNetwork | str | Path, command: str, advice: str) -> Program:
    """Return a program that spikes, for what looks at spikes.

    Args:
        program: The program, or its file.
        command: What it is for.
        advice: What to do with another.

    Raises:
        FormatError: The file cannot be read.
        OptionError: It is of sigma-delta neurons.
    """
    network = as_program(program)
    if not isinstance(network, Program):
        raise OptionError(
            f"{command} is for networks of integrate-and-fire neurons",
            where=str(program) if isinstance(program, str | Path) else "program",
            found=f"one of {network.wording.neurons}",
            advice=advice,
        )
    return network
