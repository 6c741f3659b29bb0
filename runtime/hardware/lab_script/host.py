"""Where the board is."""

from __future__ import annotations

import argparse

from snnc.runtime.hardware.lab_script.lab_error import LabError


def choose_board(options: argparse.Namespace) -> None:
    """Tells Lava to use a board of Slurm's, or one on the network; else it goes by the environment.

    Args:
        options: The command line's.

    Raises:
        LabError: Intel's extension is missing, or there is no such board.
    """
    from lava.utils import loihi

    if not loihi.is_installed():
        raise LabError("Intel's lava-loihi is not installed; without --backend loihi2 this runs on the CPU")
    try:
        generation = loihi.ChipGeneration[options.generation]
        if options.host:
            loihi.use_ethernet_host(options.host, loihi_gen=generation)
        elif options.slurm or options.partition or options.board:
            loihi.use_slurm_host(partition=options.partition, board=options.board, loihi_gen=generation)
    except (KeyError, OSError, ValueError) as error:
        raise LabError(f"the board cannot be used: {error}") from error
