"""``snnc.toml``: options that commands take where the command line gives none."""

from snnc.cli.configuration.keys import COMMAND_LINE_ONLY, KEYS
from snnc.cli.configuration.read import FILE_NAME, Configuration, find_configuration, read_configuration

__all__ = ["COMMAND_LINE_ONLY", "FILE_NAME", "KEYS", "Configuration", "find_configuration", "read_configuration"]
