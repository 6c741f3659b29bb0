"""The files of the script that a bundle holds."""

from __future__ import annotations

from importlib.resources import files

SCRIPT = "run_lab.py"
# What the package of the script is called here, and in a bundle.
HOME, PACKAGE = "snnc.runtime.hardware.lab_script", "snnc_lab"


def script_members() -> dict[str, bytes]:
    """The script and its package by their paths, as they run where there is no snnc."""
    sources = sorted((each for each in files(HOME).iterdir() if each.name.endswith(".py")), key=lambda each: each.name)
    return {
        each.name if each.name == SCRIPT else f"{PACKAGE}/{each.name}": each.read_bytes().replace(
            HOME.encode(), PACKAGE.encode()
        )
        for each in sources
    }
