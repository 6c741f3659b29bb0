"""Refuse to build a wheel that is not whole; everything else about the package is in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.errors import SetupError

# Every room of snnc/. setuptools packs what it finds, so without this list a wheel of half a tree looks like any other.
ROOMS = (
    "analysis",
    "api",
    "cli",
    "common",
    "compiler",
    "finetuning",
    "inputs",
    "models",
    "program",
    "reporting",
    "runtime",
)


def missing(packages: list[str]) -> list[str]:
    """Return the packages that a whole wheel has and this one would not have.

    Args:
        packages: what setuptools found, by dotted names.

    Returns:
        Rooms that are not among them, and folders with Python files but without an __init__.py, which setuptools
        leaves out without a word.
    """
    found = set(packages)
    rooms = {f"snnc.{room}" for room in ROOMS}
    folders = {".".join(path.parent.parts) for path in Path("snnc").rglob("*.py")}
    return sorted((rooms | folders) - found)


class WholeBuild(build_py):
    """Collects the package's files, once all rooms of the package are there."""

    def run(self) -> None:
        """Collect the files.

        Raises:
            SetupError: a room is missing.
        """
        absent = missing(self.distribution.packages or [])
        if absent:
            raise SetupError(
                f"the wheel would lack {', '.join(absent)}: the checkout or archive is not whole, or a folder has no "
                "__init__.py. compiler, runtime and models at the top are only links into snnc/; the real folders are "
                "snnc/compiler, snnc/runtime and snnc/models."
            )
        super().run()


setup(cmdclass={"build_py": WholeBuild})
