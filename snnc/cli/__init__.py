"""The command line. Nothing heavy is imported before a command needs it, so that ``--help`` takes no time."""

from snnc.cli.entry import main

__all__ = ["main"]
